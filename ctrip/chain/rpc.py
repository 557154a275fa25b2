"""A chain as its nodes tell it: ChainClient over JSON-RPC.

Which endpoint is asked and what becomes of its faults is failover.py's; how far the chain
has come is heads.py's; what may be believed of blocks, ranges, balances and traces is in
the files of their names.
"""

from collections.abc import Collection, Sequence
from typing import Final

from ctrip.chain import aggregators, blocks, coins, lookups, opinions, receipts, spans, transfers
from ctrip.chain.blooms import Blooms
from ctrip.chain.client import ChainOutage, EndpointState, InconsistentChain, Ours
from ctrip.chain.endpoint import LOGS, TRACES, Provider
from ctrip.chain.failover import Failover, Unable, id_of
from ctrip.chain.heads import Heads
from ctrip.chain.transact import RpcTransactor
from ctrip.chain.transactor import Transactor
from ctrip.chain.transfers import Sought
from ctrip.chain.wire import CALL_SECONDS_MAX, Endpoint
from ctrip.clock import Clock
from ctrip.core.blocks import (
    Block,
    Head,
    Header,
    Holding,
    NativeMove,
    Opinion,
    Receipt,
    Span,
    TokenLog,
)
from ctrip.core.chains import Chain
from ctrip.core.ids import NATIVE, Amount, BlockHash, BlockNumber, RawAddress, TxHash
from ctrip.core.payment import Transfer
from ctrip.core.price import NoRound, Round
from ctrip.core.transaction import Transaction
from ctrip.settings import Secret

BLOCKS_READ_MAX: Final = 1_024  # hashes; receipts are asked for right after their blocks


class RpcChain:
    """ChainClient for one network with one or more endpoints."""

    def __init__(
        self,
        chain: Chain,
        rpc_urls: Sequence[Secret],
        clock: Clock,
        *,
        timeout_seconds: float = CALL_SECONDS_MAX,
    ) -> None:
        many = len(rpc_urls)
        self._chain = chain
        self._providers = [
            Provider(
                Endpoint(
                    f"{chain.name}, endpoint {place} of {many}" if many > 1 else chain.name,
                    url,
                    timeout_seconds=timeout_seconds,
                ),
                clock,
            )
            for place, url in enumerate(rpc_urls, start=1)
        ]
        self._endpoints = Failover(chain, self._providers, timeout_seconds=timeout_seconds)
        self._heads = Heads(chain, self._endpoints, clock)
        self._transactor = RpcTransactor(chain, self._endpoints, clock)
        self._blocks_read: dict[BlockHash, None] = {}  # in the order in which they were
        self._blooms = Blooms(chain.name, is_on=chain.blooms)

    async def chain_id(self) -> int:
        """Return the id that the first endpoint with an answer names, right or wrong."""
        return await self._endpoints.ask_stranger(id_of)

    async def head(self) -> Head:
        """Return the newest block that a majority has, and what is final and safe."""
        return await self._heads.head()

    async def headers(self, numbers: Sequence[BlockNumber], *, again: bool = False) -> list[Header]:
        """Return the canonical headers of these heights, in order, without those above the head."""

        async def ask(provider: Provider) -> list[Header]:
            return await blocks.headers(provider, numbers, served=self._heads.served)

        ask_one = self._endpoints.ask_another if again else self._endpoints.ask
        return await ask_one(ask) if numbers else []

    async def blocks(
        self,
        first: BlockNumber,
        last: BlockNumber,
        *,
        tokens: Collection[RawAddress],
        ours: Ours | None = None,
        at_a_glance: bool = False,
    ) -> list[Block]:
        """Return the blocks first..last, all of them, each with its logs of `tokens`, or some."""
        numbers = [BlockNumber(number) for number in range(first, last + 1)]
        asked = self._sought(tokens)

        async def ask(provider: Provider) -> list[Block]:
            return await blocks.read(
                provider, numbers, asked, self._blooms, ours, at_a_glance=at_a_glance
            )

        if not numbers:
            return []
        read = await self._endpoints.ask(ask, needs=LOGS if asked.contracts else "")
        self._blocks_read |= {block.header.hash: None for block in read}
        while len(self._blocks_read) > BLOCKS_READ_MAX:
            del self._blocks_read[next(iter(self._blocks_read))]
        return read

    async def logs(
        self,
        above: BlockNumber,
        last: BlockNumber,
        block: BlockHash,
        *,
        tokens: Collection[RawAddress],
        ours: Ours | None = None,
    ) -> Sequence[TokenLog]:
        """Return the logs of the blocks above..last that were left out."""
        asked = self._sought(tokens)

        async def ask(provider: Provider) -> Sequence[TokenLog]:
            found = await spans.read_owed(provider, above, last, block, asked, self._blooms)
            if ours:
                await spans.check_ours(provider, found, (), ours, served=self._heads.served)
            return found

        return await self._endpoints.ask(ask, needs=LOGS) if tokens and last > above else ()

    async def span(
        self,
        above: BlockNumber,
        last: BlockNumber,
        *,
        tokens: Collection[RawAddress],
        again: bool = False,
        ours: Ours | None = None,
    ) -> Span:
        """Return the logs of the blocks above..last, `above` excluded."""
        asked = self._sought(tokens)

        async def ask(provider: Provider) -> Span:
            span = await spans.read(provider, above, last, asked, self._blooms)
            if ours:
                served = self._heads.served
                await spans.check_ours(provider, span.logs, span.moves, ours, served=served)
            return span

        needs = LOGS if asked.contracts else ""
        ask_one = self._endpoints.ask_another if again else self._endpoints.ask
        return await ask_one(ask, needs=needs)

    async def receipts(self, tx_hashes: Sequence[TxHash]) -> list[Receipt]:
        """Return one receipt for each transaction, in order."""

        async def ask(provider: Provider) -> list[Receipt]:
            return await receipts.read(provider, tx_hashes, self._blocks_read)

        return await self._endpoints.ask(ask) if tx_hashes else []

    async def transaction(self, tx_hash: TxHash) -> Transaction | None:
        """Return what the first endpoint says that has it in a block, or else one that knows it."""

        async def ask(provider: Provider) -> Transaction | None:
            return await lookups.read(provider, tx_hash, self._chain.native)

        said: list[Transaction | None] = []
        faults: list[str] = []
        for provider in (self._endpoints.current, *self._endpoints.others()):
            try:
                found = await self._endpoints.ask_only(provider, ask)
            except (ChainOutage, InconsistentChain) as fault:
                faults.append(str(fault))
            except Unable:
                faults.append(f"{provider.label}: it does not show transactions by their hash")
            else:
                if found and found.block:
                    return found
                said.append(found)
        if not said:
            raise ChainOutage("; ".join(faults))
        return next(filter(None, said), None)

    async def holdings(
        self, at: Header, asked: Sequence[Holding], *, again: bool = False
    ) -> list[Amount]:
        """Return the balances in the state after this block, in order."""

        async def ask(provider: Provider) -> list[Amount]:
            return await coins.holdings(provider, at, asked)

        ask_one = self._endpoints.ask_another if again else self._endpoints.ask
        return await ask_one(ask) if asked else []

    async def moves(self, at: Header) -> list[NativeMove] | None:
        """Return what contracts moved in a block; None where no endpoint traces."""

        async def ask(provider: Provider) -> list[NativeMove]:
            return await coins.moves(provider, at)

        try:
            return await self._endpoints.ask(ask, needs=TRACES)
        except Unable:
            return None

    async def opinion(self, transfer: Transfer) -> Opinion:
        """Ask endpoints whether they show a transfer, until two do, or ask all."""
        asset = transfer.key.asset
        sought = self._sought([] if asset == NATIVE else [RawAddress(asset)])

        async def differing(provider: Provider, things: Sequence[Transfer]) -> list[str]:
            return [await opinions.differs(provider, one, sought) for one in things]

        asked = [self._endpoints.current, *self._endpoints.others()]
        [found] = await opinions.witnessed(self._endpoints, asked, [transfer], differing)
        return found

    async def round(self, feed: RawAddress) -> Round | NoRound:
        """Return the newest round of a feed, as its contract tells it."""
        return (await self.rounds(feed, count=1))[0]

    async def rounds(self, feed: RawAddress, *, count: int = 2) -> list[Round | NoRound]:
        """Return the newest round of a feed, as so many different endpoints tell it."""

        async def ask(provider: Provider) -> Round | NoRound:
            return await aggregators.latest(provider, feed)

        return await self._endpoints.ask_apart(ask, count)

    def transactor(self) -> Transactor:
        """Return what sends over the same endpoints, with all that is known of them."""
        return self._transactor

    def endpoints(self) -> Sequence[EndpointState]:
        """Return every endpoint as it is known now."""
        return [provider.state() for provider in self._providers]

    async def close(self) -> None:
        """Give back the connections of every endpoint."""
        for provider in self._providers:
            await provider.close()

    def _sought(self, tokens: Collection[RawAddress]) -> Sought:
        return transfers.sought(tokens, self._chain.native)
