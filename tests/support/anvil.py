"""A real EVM node to play with: anvil, which mines only when told to.

async with running_anvil() as chain:
    paid = await chain.send(to, 5)
    await chain.mine()
    await chain.reorg(1, again=[paid])
"""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from ctrip.chain.wire import Endpoint, NodeRefused
from ctrip.core.ids import Amount, RawAddress, TxHash, raw
from ctrip.dev import feed, token
from ctrip.dev.anvil import FUNDER as EIP55_FUNDER
from ctrip.dev.anvil import dev_chain
from ctrip.settings import Secret

FUNDER: Final = raw(EIP55_FUNDER)
GAS: Final = 100_000  # named, so that anvil does not try out what is meant to fail
INVALID: Final = "0xfe"  # EIP-141: the opcode that always fails


class Anvil:
    """A chain with helpers. A transaction is in no block until mine() or reorg() puts it there."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid
        self._node = Endpoint("anvil", Secret(url))

    async def rpc(self, method: str, *params: object) -> Any:
        """Call the node; a refusal shows what it said, which ctrip itself never does."""
        try:
            return await self._node.call(method, *params)
        except NodeRefused as fault:
            fault.add_note(f"{method} {params}: {fault.refusal.message}")
            raise

    async def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            await self.rpc("evm_mine")

    async def send(self, to: RawAddress, amount: int, *, sender: RawAddress = FUNDER) -> TxHash:
        """Send native coin."""
        return await self._submit({"from": sender, "to": to, "value": hex(amount)})

    async def send_failing(self, to: RawAddress, amount: int) -> TxHash:
        """Send native coin that will not arrive, mined at once: there is code at `to` meanwhile."""
        await self.rpc("anvil_setCode", to, INVALID)
        tx_hash = await self.send(to, amount)
        await self.mine()
        await self.rpc("anvil_setCode", to, "0x")
        return tx_hash

    async def deploy_token(self, *, symbol: str = token.SYMBOL, decimals: int = 6) -> RawAddress:
        """Deploy another token, mined at once."""
        return await token.deploy(self._node, FUNDER, symbol=symbol, decimals=decimals)

    async def ensure_token(self) -> RawAddress:
        """Return the token that dev chains have, deployed and mined if it is not there."""
        return raw(await token.ensure(self._node))

    async def ensure_feed(self) -> RawAddress:
        """Return the price feed that dev chains have, with a round of now."""
        await feed.ensure(self._node)
        return raw(feed.ADDRESS)

    async def deploy_feed(self, *, decimals: int = feed.DECIMALS) -> RawAddress:
        """Deploy another price feed, which has no round yet, mined at once."""
        return await feed.deploy(self._node, FUNDER, decimals=decimals)

    async def put_round(
        self, contract: RawAddress, *, round_id: int, value: int, updated_at: int, answered_in: int
    ) -> None:
        """Let a feed show this round, mined at once."""
        await feed.put(
            self._node,
            contract,
            round_id=round_id,
            value=value,
            updated_at=updated_at,
            answered_in=answered_in,
        )

    async def mint(self, contract: RawAddress, to: RawAddress, amount: int) -> TxHash:
        """Give tokens out of nothing, which is a transfer from address zero."""
        data = token.mint_call(to, Amount(amount))
        return await self._submit({"from": FUNDER, "to": contract, "data": data})

    async def send_token(self, contract: RawAddress, to: RawAddress, amount: int) -> TxHash:
        """Send tokens that the funder owns; without enough of them the transaction fails."""
        data = token.transfer_call(to, Amount(amount))
        return await self._submit({"from": FUNDER, "to": contract, "data": data})

    async def set_balance(self, owner: RawAddress, amount: int) -> None:
        await self.rpc("anvil_setBalance", owner, hex(amount))

    async def raw_transaction(self, tx_hash: TxHash) -> str:
        """Return a transaction as it was signed, so that it can be sent again with its hash."""
        return str(await self.rpc("eth_getRawTransactionByHash", tx_hash))

    async def resend(self, raw_transaction: str) -> TxHash:
        return TxHash(await self.rpc("eth_sendRawTransaction", raw_transaction))

    async def reorg(
        self,
        depth: int,
        *,
        again: Sequence[TxHash] = (),
        others: Sequence[tuple[dict[str, str], int]] = (),
    ) -> None:
        """Replace the last blocks; of their transactions only `again` come back, in the first.

        `others` are new transactions, each with the place of its block counted from 0: one with
        the nonce of a dropped one spends the same money elsewhere.
        """
        kept = [[await self.raw_transaction(tx_hash), 0] for tx_hash in again]
        await self.rpc("anvil_reorg", depth, [*kept, *others])

    async def close(self) -> None:
        await self._node.close()

    async def _submit(self, transaction: dict[str, str]) -> TxHash:
        return TxHash(await self.rpc("eth_sendTransaction", {"gas": hex(GAS), **transaction}))


@asynccontextmanager
async def running_anvil(*, finality_lag: int = 2, pool_check: bool = False) -> AsyncIterator[Anvil]:
    """Run a chain of one's own; it starts in a tenth of a second."""
    with tempfile.TemporaryDirectory(prefix="ctrip-test-") as folder:
        log = Path(folder) / "anvil.log"
        async with dev_chain(
            log, block_seconds=None, finality_lag=finality_lag, pool_check=pool_check
        ) as process:
            chain = Anvil(process.url, process.pid)
            try:
                yield chain
            finally:
                await chain.close()
