"""Plays the cases of core/plays.py, for real: transactions and reorgs on the dev chain.

Nothing of the gateway is told beforehand. It sees a chain on which things happen, and its
events are those that a shop would get. One case touches the chain at a time (turns.py).
A case with a reorg mines by hand until that is seen: a gateway that has much to do would else
hear of a payment when it is confirmed already, or final, and another reorg would be played.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from ctrip import logs
from ctrip.chain.wire import Endpoint
from ctrip.core.errors import ConfigError, CtripError
from ctrip.core.ids import Amount, RawAddress, raw
from ctrip.core.payment import Payment, Status
from ctrip.core.plays import Case
from ctrip.dev import token as tokens
from ctrip.dev.anvil import BLOCK_SECONDS, FUNDER
from ctrip.dev.purse import LOOK_SECONDS, mined, send
from ctrip.dev.treasury import TREASURY
from ctrip.dev.turns import Turns
from ctrip.flows.stage import Look
from ctrip.settings import Secret

STEP_SECONDS_MAX: Final = 90.0  # for a status that a case waits for
GAS: Final = hex(300_000)  # said, or a node would refuse what it knows will fail
PARTS: Final = 3

# Both read an address from the call's data and send it the value of the call; the second then
# takes everything back. In front of each, what returns it as the code of a contract.
FORWARDS: Final = "0x600f80600b6000396000f3" + "6000600060006000346000355af100"
FAILS: Final = "0x601380600b6000396000f3" + "6000600060006000346000355af160006000fd"

REFUSES: Final = "0x60006000fd"  # the code of a contract that reverts
STUCK_SECONDS: Final = 10.0  # passes come every few seconds

CONFIRMED: Final = {Status.CONFIRMED, Status.PAID}

log = logs.get("ctrip.dev")


class Player:
    """The payer on the dev chain."""

    def __init__(self, rpc_url: str, *, sweeps: bool = False) -> None:
        self.sweeps = sweeps
        self._rpc_url = rpc_url
        self._turns = Turns()

    async def play(self, case: Case, payment: Payment, look: Look) -> None:
        """Let happen what the case says."""
        node = Endpoint(payment.chain, Secret(self._rpc_url))
        try:
            await PLAYS[case](Actor(node, payment, look, self._turns))
        except (CtripError, TimeoutError) as error:
            log.error("test case not played", case=case, payment_id=payment.id, why=str(error))  # noqa: TRY400  the text says all
        finally:
            await node.close()


class Actor:
    """What can be done to one payment."""

    def __init__(self, node: Endpoint, payment: Payment, look: Look, turns: Turns) -> None:
        self.payment = payment
        self.turns = turns
        self._node = node
        self._look = look
        self._is_by_hand = False

    @asynccontextmanager
    async def by_hand(self) -> AsyncIterator[None]:
        """Let no block come that is not asked for."""
        await self._node.call("evm_setIntervalMining", 0)
        self._is_by_hand = True
        try:
            yield
        finally:
            self._is_by_hand = False
            await self._node.call("evm_setIntervalMining", BLOCK_SECONDS)

    async def pay(self, amount: int, *, contract: str | None = None) -> int:
        """Send money, in the asset that was asked for unless told otherwise; return its block."""
        asset = self.payment.contract or "" if contract is None else contract
        tx_hash = await send(
            self._node, raw(FUNDER), raw(self.payment.address), Amount(amount), asset.lower()
        )
        if self._is_by_hand:
            await self.mine(1)
        return await self.mined(tx_hash)

    async def mine(self, count: int) -> None:
        """Make blocks, no faster than they come by themselves."""
        for _ in range(count):
            await asyncio.sleep(BLOCK_SECONDS)
            await self._node.call("evm_mine")

    async def mined(self, tx_hash: str) -> int:
        """Return the block of a transaction; raise ConfigError if it failed."""
        return await mined(self._node, tx_hash)

    async def pay_through(self, code: str, amount: int) -> str:
        """Have a contract of this code send coin, and return the hash of the transaction."""
        made = await self._send({"data": code})
        contract = await self._contract(made)
        data = "0x" + raw(self.payment.address).removeprefix("0x").rjust(64, "0")
        await self._fund(amount)
        return await self._send({"to": contract, "value": hex(amount), "data": data, "gas": GAS})

    async def fail_to_pay(self, amount: int) -> None:
        """Send a transaction that is mined and fails."""
        if self.payment.contract:
            token = raw(self.payment.contract)
            too_much = Amount(await tokens.balance(self._node, token, raw(FUNDER)) + amount)
            data = tokens.transfer_call(raw(self.payment.address), too_much)
            tx_hash = await self._send({"to": token, "data": data, "gas": GAS})
        else:
            tx_hash = await self.pay_through(FAILS, amount)
        try:
            await self.mined(tx_hash)
        except ConfigError:
            return
        raise ConfigError(f"{tx_hash} should have failed")

    async def drop(self, block: int) -> None:
        """Replace the blocks from this one on by empty ones."""
        head = int(await self._node.call("eth_blockNumber"), 16)
        await self._node.call("anvil_reorg", head - block + 1, [])

    async def let_treasury(self, code: str) -> None:
        """Let the treasury be a contract of this code; "0x" for none."""
        await self._node.call("anvil_setCode", TREASURY, code)

    async def until(self, among: set[Status]) -> None:
        """Wait until the gateway says so."""
        async with asyncio.timeout(STEP_SECONDS_MAX):
            while (await self._look()).status not in among:  # noqa: ASYNC110  a chain sets no event
                await asyncio.sleep(LOOK_SECONDS)

    async def _fund(self, amount: int) -> None:
        have = int(await self._node.call("eth_getBalance", FUNDER, "latest"), 16)
        if have < amount + 10**18:
            await self._node.call("anvil_setBalance", FUNDER, hex(amount + 10**18))

    async def _send(self, transaction: Mapping[str, Any]) -> str:
        sent: str = await self._node.call("eth_sendTransaction", {"from": FUNDER, **transaction})
        return sent

    async def _contract(self, tx_hash: str) -> RawAddress:
        await self.mined(tx_hash)
        receipt = await self._node.call("eth_getTransactionReceipt", tx_hash)
        return RawAddress(receipt["contractAddress"])


async def paid(actor: Actor) -> None:
    """Pay."""
    async with actor.turns.taken():
        await actor.pay(actor.payment.amount)


async def paid_in_parts(actor: Actor) -> None:
    """Pay bit by bit."""
    amount = actor.payment.amount
    parts = min(PARTS, amount)
    async with actor.turns.taken():
        for number in range(parts):
            await actor.pay(amount // parts + (amount % parts if number == 0 else 0))


async def underpaid(actor: Actor) -> None:
    """Pay half, before the deadline that is near."""
    async with actor.turns.taken(hurried=True):
        await actor.pay(max(1, actor.payment.amount // 2))


async def overpaid(actor: Actor) -> None:
    """Pay double."""
    async with actor.turns.taken():
        await actor.pay(actor.payment.amount * 2)


async def expired(_: Actor) -> None:
    """Let it be."""


async def late(actor: Actor) -> None:
    """Pay when it is too late."""
    await actor.until({Status.EXPIRED})
    await paid(actor)


async def wrong_token(actor: Actor) -> None:
    """Pay in tokens for coin, and in coin for tokens."""
    other = "" if actor.payment.contract else tokens.ADDRESS
    async with actor.turns.taken():
        await actor.pay(actor.payment.amount, contract=other)


async def through_contract(actor: Actor) -> None:
    """Pay in coin that no transaction shows."""
    async with actor.turns.taken():
        await actor.mined(await actor.pay_through(FORWARDS, actor.payment.amount))


async def failed_transaction(actor: Actor) -> None:
    """Fail, and then pay."""
    async with actor.turns.taken():
        await actor.fail_to_pay(actor.payment.amount)
        await actor.pay(actor.payment.amount)


async def reorged(actor: Actor) -> None:
    """Pay, have it dropped, pay again."""
    async with actor.turns.taken():
        async with actor.by_hand():
            block = await actor.pay(actor.payment.amount)
            await actor.until({Status.DETECTED})
            await actor.drop(block)
            await actor.until({Status.PENDING})
        await actor.pay(actor.payment.amount)


async def reversed_(actor: Actor) -> None:
    """Pay, and have it dropped when the goods were shipped."""
    async with actor.turns.taken(), actor.by_hand():
        block = await actor.pay(actor.payment.amount)
        await actor.mine(actor.payment.confirmations_required)
        await actor.until(CONFIRMED)
        await actor.drop(block)
        await actor.until({Status.FAILED})


async def sweep_stuck(actor: Actor) -> None:
    """Pay, and have the treasury refuse it for a while."""
    async with actor.turns.taken():
        await actor.let_treasury(REFUSES)
        try:
            await actor.pay(actor.payment.amount)
            await actor.until(CONFIRMED)
            await asyncio.sleep(STUCK_SECONDS)
        finally:
            await actor.let_treasury("0x")


PLAYS: Final[Mapping[Case, Callable[[Actor], Awaitable[None]]]] = {
    Case.PAID: paid,
    Case.PAID_IN_PARTS: paid_in_parts,
    Case.UNDERPAID: underpaid,
    Case.OVERPAID: overpaid,
    Case.EXPIRED: expired,
    Case.LATE: late,
    Case.WRONG_TOKEN: wrong_token,
    Case.THROUGH_CONTRACT: through_contract,
    Case.FAILED_TRANSACTION: failed_transaction,
    Case.REORGED: reorged,
    Case.REVERSED: reversed_,
    Case.SWEEP_STUCK: sweep_stuck,
}
