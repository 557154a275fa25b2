"""The contract that sweeps in batches, on a real node, with deposit addresses that hold tokens.

batch = await a_batch(anvil)
token = await deploy(anvil, "PlainToken")
deposits = await batch.holding(token, 3, amount=70)
receipt = await batch.sweep(token, deposits)           # mined
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from ctrip.chain.batcher import FACTORY, batcher_of, deployment
from ctrip.core.batch import KEPT, Order, batch_sweep
from ctrip.core.ids import Amount, Asset, RawAddress, TxHash
from ctrip.core.outgoing import Authorization, Outgoing
from ctrip.dev.anvil import CHAIN_ID
from ctrip.wallet.sign import Signer
from tests.support.anvil import FUNDER, Anvil
from tests.support.token_contracts import Contract

WORDS: Final = "abandon " * 11 + "about"  # not anvil's own, whose accounts are rich
TREASURY: Final = RawAddress("0x" + "7e" * 20)
PURSE: Final = 10**19  # wei, in the gas wallet
GWEI: Final = 10**9
GAS_EACH: Final = 100_000  # of a move
GAS: Final = 10_000_000  # of a transaction; named, so that nothing is tried out
DEPLOYING_GAS: Final = 1_500_000


class Deposit(Struct, frozen=True):
    """A deposit address, and what it holds."""

    index: int
    address: RawAddress
    amount: Amount


class Batch:
    """A deployed contract, and the keys that it works with."""

    def __init__(self, anvil: Anvil, signer: Signer) -> None:
        self.anvil = anvil
        self.signer = signer
        self.address = batcher_of(TREASURY, signer.gas_address)
        self._used = 0

    async def holding(self, token: Contract, count: int, *, amount: int) -> list[Deposit]:
        """Return new deposit addresses that hold so much each."""
        first, self._used = self._used, self._used + count
        deposits = [
            Deposit(index, self.signer.address(index), Amount(amount))
            for index in range(first, self._used)
        ]
        for one in deposits:
            await token.send("mint(address,uint256)", one.address, amount)
        await self.anvil.mine()
        return deposits

    def authorized(self, deposits: Sequence[Deposit], nonce: int = 0) -> tuple[Authorization, ...]:
        return tuple(
            self.signer.authorize(CHAIN_ID, self.address, nonce, index=one.index)
            for one in deposits
        )

    async def sweep(
        self,
        token: RawAddress,
        deposits: Sequence[Deposit],
        *,
        authorized: tuple[Authorization, ...] | None = None,
        gas: int = GAS,
        gas_each: int = GAS_EACH,
    ) -> Any:
        """Sweep them, and return the receipt."""
        orders = [Order(one.address, one.amount) for one in deposits]
        data = batch_sweep(Asset(token), gas_each, orders)
        lent = self.authorized(deposits) if authorized is None else authorized
        return await self.call(self.address, data, gas=gas, authorized=lent)

    async def outgoing(
        self,
        to: RawAddress,
        data: str,
        *,
        gas: int = GAS,
        value: int = 0,
        authorized: tuple[Authorization, ...] = (),
    ) -> Outgoing:
        """Return the gas wallet's next transaction."""
        sender = self.signer.gas_address
        nonce = int(await self.anvil.rpc("eth_getTransactionCount", sender, "latest"), 16)
        return Outgoing(
            chain_id=CHAIN_ID,
            sender=sender,
            nonce=nonce,
            to=to,
            value=Amount(value),
            data=data,
            gas=gas,
            max_fee=10 * GWEI,
            priority_fee=GWEI,
            authorizations=authorized,
        )

    async def call(
        self,
        to: RawAddress,
        data: str,
        *,
        gas: int = GAS,
        value: int = 0,
        authorized: tuple[Authorization, ...] = (),
    ) -> Any:
        """Send a transaction of the gas wallet, and return its receipt."""
        outgoing = await self.outgoing(to, data, gas=gas, value=value, authorized=authorized)
        signed = self.signer.sign(outgoing, index=None)
        return await mined(self.anvil, await self.anvil.resend(signed.raw))

    async def call_as(self, sender: RawAddress, to: RawAddress, data: str) -> Any:
        """Send a transaction of anybody, and return its receipt."""
        await self.anvil.set_balance(sender, PURSE)
        await self.anvil.rpc("anvil_impersonateAccount", sender)
        sent = {"from": sender, "to": to, "data": data, "gas": hex(GAS)}
        return await mined(self.anvil, await self.anvil.rpc("eth_sendTransaction", sent))


async def a_batch(anvil: Anvil) -> Batch:
    """Deploy the contract for a gas wallet that can pay."""
    signer = Signer(bytearray(WORDS.encode()))
    await anvil.set_balance(signer.gas_address, PURSE)
    await deploy_batcher(anvil, TREASURY, signer.gas_address)
    return Batch(anvil, signer)


async def deploy_batcher(anvil: Anvil, treasury: RawAddress, gas_wallet: RawAddress) -> None:
    """Put the contract onto the chain, as anybody may."""
    data = deployment(treasury, gas_wallet)
    sent = {"from": FUNDER, "to": FACTORY, "data": data, "gas": hex(DEPLOYING_GAS)}
    await mined(anvil, await anvil.rpc("eth_sendTransaction", sent))


async def mined(anvil: Anvil, tx_hash: TxHash) -> Any:
    """Mine a transaction, and return its receipt."""
    await anvil.mine()
    return await anvil.rpc("eth_getTransactionReceipt", tx_hash)


def kept(receipt: Any) -> list[RawAddress]:
    """Return the deposit addresses whose order failed."""
    logs = [log["topics"] for log in receipt["logs"] if log["topics"][0] == KEPT]
    return [RawAddress("0x" + topics[1][-40:]) for topics in logs]
