"""Two chains to put the same questions to: one in memory and one that is real."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from ctrip.chain.client import ChainClient
from ctrip.chain.rpc import RpcChain
from ctrip.core.chains import Chain
from ctrip.core.finality import Depth, Tag
from ctrip.core.ids import BlockNumber, ChainName, RawAddress, TxHash, raw
from ctrip.core.price import Round
from ctrip.dev import feed
from ctrip.settings import Secret
from tests.support.anvil import FUNDER, Anvil, running_anvil
from tests.support.clock import FakeClock
from tests.support.fake_blocks import PAYER, Move
from tests.support.fake_chain import FakeChain

NOBODY = RawAddress("0x" + "00" * 20)
SHOP = RawAddress("0x" + "5a" * 20)
CAFE = RawAddress("0x" + "ca" * 20)


ANVIL = Chain(
    name=ChainName("anvil"),
    chain_id=31337,
    confirmations=Depth(tag=Tag.SAFE),
    finality_depth=64,
    poll_interval_seconds=1,
)


class World(Protocol):
    """A chain one can act on, and the client that watches it."""

    token: RawAddress
    other_token: RawAddress
    payer: RawAddress
    feed: RawAddress  # of prices

    @property
    def client(self) -> ChainClient: ...
    async def pay(self, to: RawAddress, amount: int) -> TxHash: ...
    async def pay_and_fail(self, to: RawAddress, amount: int) -> TxHash: ...
    async def pay_token(self, to: RawAddress, amount: int) -> TxHash: ...
    async def pay_token_and_fail(self, to: RawAddress, amount: int) -> TxHash: ...
    async def pay_other_token(self, to: RawAddress, amount: int) -> TxHash: ...
    async def answer(self, value: int, *, round_id: int, updated_at: int) -> None: ...
    async def mine(self, blocks: int = 1) -> None: ...
    async def reorg(self, depth: int, *, keep: Sequence[TxHash] = ()) -> None: ...


class FakeWorld:
    """A FakeChain."""

    token = RawAddress("0x" + "a1" * 20)
    other_token = RawAddress("0x" + "a2" * 20)
    payer = PAYER
    feed = RawAddress("0x" + "fe" * 20)

    def __init__(self, chain: FakeChain) -> None:
        self._chain = chain

    @property
    def client(self) -> ChainClient:
        return self._chain

    async def pay(self, to: RawAddress, amount: int) -> TxHash:
        return self._chain.pay(to, amount)

    async def pay_and_fail(self, to: RawAddress, amount: int) -> TxHash:
        tx_hash = self._chain.pay(to, amount, fails=True)
        self._chain.mine()
        return tx_hash

    async def pay_token(self, to: RawAddress, amount: int) -> TxHash:
        return self._chain.pay_token(self.token, to, amount, sender=NOBODY)

    async def pay_token_and_fail(self, to: RawAddress, amount: int) -> TxHash:
        return self._chain.pay_tokens(Move(self.token, to, amount), fails=True)

    async def pay_other_token(self, to: RawAddress, amount: int) -> TxHash:
        return self._chain.pay_token(self.other_token, to, amount, sender=NOBODY)

    async def answer(self, value: int, *, round_id: int, updated_at: int) -> None:
        self._chain.feeds[self.feed] = Round(
            answer=value,
            decimals=8,
            round_id=round_id,
            updated_at=updated_at,
            answered_in=round_id,
            block_time=self._chain.tip.time,
        )

    async def mine(self, blocks: int = 1) -> None:
        self._chain.mine(blocks)

    async def reorg(self, depth: int, *, keep: Sequence[TxHash] = ()) -> None:
        self._chain.reorg(depth, keep=keep)


class AnvilWorld:
    """An anvil seen through RpcChain. Tokens are minted, so they come from address zero."""

    payer = FUNDER
    feed = raw(feed.ADDRESS)

    def __init__(
        self, anvil: Anvil, client: RpcChain, token: RawAddress, other_token: RawAddress
    ) -> None:
        self._client = client
        self.token = token
        self.other_token = other_token
        self._anvil = anvil

    @property
    def client(self) -> ChainClient:
        return self._client

    async def pay(self, to: RawAddress, amount: int) -> TxHash:
        return await self._anvil.send(to, amount)

    async def pay_and_fail(self, to: RawAddress, amount: int) -> TxHash:
        return await self._anvil.send_failing(to, amount)

    async def pay_token(self, to: RawAddress, amount: int) -> TxHash:
        return await self._anvil.mint(self.token, to, amount)

    async def pay_token_and_fail(self, to: RawAddress, amount: int) -> TxHash:
        return await self._anvil.send_token(self.token, to, amount)  # the funder has none

    async def pay_other_token(self, to: RawAddress, amount: int) -> TxHash:
        return await self._anvil.mint(self.other_token, to, amount)

    async def answer(self, value: int, *, round_id: int, updated_at: int) -> None:
        await self._anvil.put_round(
            self.feed,
            round_id=round_id,
            value=value,
            updated_at=updated_at,
            answered_in=round_id,
        )

    async def mine(self, blocks: int = 1) -> None:
        await self._anvil.mine(blocks)

    async def reorg(self, depth: int, *, keep: Sequence[TxHash] = ()) -> None:
        await self._anvil.reorg(depth, again=keep)


@asynccontextmanager
async def fake_world() -> AsyncIterator[World]:
    yield FakeWorld(FakeChain())


@asynccontextmanager
async def anvil_world() -> AsyncIterator[World]:
    async with running_anvil() as anvil:
        client = RpcChain(ANVIL, [Secret(anvil.url)], FakeClock())
        token = await anvil.ensure_token()
        other_token = await anvil.deploy_token(symbol="OTHER")
        await anvil.ensure_feed()
        await anvil.set_balance(FUNDER, 2**256 - 1)
        try:
            yield AnvilWorld(anvil, client, token, other_token)
        finally:
            await client.close()


async def tip(world: World) -> BlockNumber:
    """Return the height of the newest block."""
    return (await world.client.head()).latest.number
