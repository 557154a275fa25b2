"""Chains that show little of native coin, and the probe and the audit that look at them."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec.structs import replace

from ctrip.chain.client import ChainOutage, EndpointState
from ctrip.core.blocks import Header, Holding, NativeMove, Opinion
from ctrip.core.changes import Change, TransferSeen
from ctrip.core.ids import Amount, BlockNumber, PaymentId, RawAddress, TxHash
from ctrip.core.payment import Payment, Transfer
from ctrip.flows.apply import apply
from ctrip.flows.audit import ROUND_SECONDS_MIN, Auditor
from ctrip.flows.find import find
from ctrip.flows.probe import Probe
from ctrip.store.pool import Pool, transaction
from tests.flows.world import USD, World
from tests.support import fake_blocks
from tests.support.fake_chain import FakeChain

PASSES_MAX = 50


class ShyChain(FakeChain):
    """A chain whose nodes keep little and show little."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.state_depth: int | None = None  # blocks below the tip whose state is kept
        self.untraced: set[TxHash] = set()  # as a withdrawal is, which no transaction makes
        self.tracing_is_down = False
        self.taken: Counter[RawAddress] = Counter()  # native coin that was moved on
        self.after_moves: Callable[[], Awaitable[None]] | None = None

    async def holdings(
        self, at: Header, asked: Sequence[Holding], *, again: bool = False
    ) -> list[Amount]:
        if self.state_depth is not None and at.number < self.tip.number - self.state_depth:
            self.asked["holdings"] += 1
            raise ChainOutage("fake: missing trie node")
        balances = await super().holdings(at, asked, again=again)
        return [
            Amount(max(0, has - self.taken[one.owner]))
            for one, has in zip(asked, balances, strict=True)
        ]

    async def moves(self, at: Header) -> list[NativeMove] | None:
        if self.tracing_is_down:
            raise ChainOutage("fake: no endpoint that traces answers")
        moves = await super().moves(at)
        if self.after_moves:
            act, self.after_moves = self.after_moves, None
            await act()
        return moves and [move for move in moves if move.tx_hash not in self.untraced]


def a_probe(world: World, pool: Pool | None = None) -> Probe:
    """Return a probe that remembers nothing, as after a restart."""
    on = world.pool if pool is None else pool
    return Probe(world.served, world.chain, on, world.clock, world.news)


class TwoMinds(ShyChain):
    """A chain with endpoints that do not show the same balances."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.traces = False
        self.invented: dict[RawAddress, int] = {}  # by the first endpoint
        self.second_forgets = False  # what was before the newest block
        self.has_third = False  # which shows what the first one does

    def endpoints(self) -> Sequence[EndpointState]:
        return [*super().endpoints()] * (3 if self.has_third else 2)

    async def holdings(
        self, at: Header, asked: Sequence[Holding], *, again: bool = False
    ) -> list[Amount]:
        if again and self.second_forgets:
            raise ChainOutage("fake: missing trie node")
        balances = await super().holdings(at, asked, again=again)
        more = {} if again else self.invented
        return [
            Amount(has + more.get(one.owner, 0)) for one, has in zip(asked, balances, strict=True)
        ]

    async def opinion(self, transfer: Transfer) -> Opinion:
        asked = [Holding(transfer.key.asset, transfer.key.recipient)]
        at = (await self.headers([transfer.block_number]))[0]
        [first] = await self.holdings(at, asked)
        [second] = await self.holdings(at, asked, again=True)
        why = "it shows less"
        if first < transfer.amount:
            return Opinion(agrees=False, first="", second="endpoints 1 and 2", why=why)
        if second >= transfer.amount:
            return fake_blocks.opinion("")
        if self.has_third:
            return replace(fake_blocks.opinion(""), outvoted="fake, endpoint 2 of 3", why=why)
        return fake_blocks.opinion(why)


async def probe(world: World, looking: Probe | None = None) -> None:
    """Look until there is nothing left to look into."""
    looking = looking or a_probe(world)
    for _ in range(PASSES_MAX):
        if not await looking.run_once():
            return
    raise AssertionError("the probe never comes to an end")


async def seen(world: World, payment: Payment) -> list[tuple[str, int, int]]:
    """Return source, amount and block of all that is live."""
    live = (await world.now(payment)).live()
    return sorted((t.source.value, t.amount, t.block_number) for t in live)


def an_auditor(world: World, pool: Pool | None = None) -> Auditor:
    """Return an auditor that remembers nothing, as after a restart."""
    on = world.pool if pool is None else pool
    return Auditor(world.served, world.chain, on, world.clock, world.news)


async def audit(world: World, auditor: Auditor | None = None) -> None:
    """Make one round, and let what is found become final."""
    auditing = auditor or an_auditor(world)
    world.clock.move(seconds=ROUND_SECONDS_MIN)
    await auditing.run_once()
    await world.mine(world.chain.finality_lag + 1)
    await auditing.run_once()


async def read_all_again(world: World) -> None:
    """Read every final block again with its traces, as the best of readers does."""
    changes: dict[PaymentId, list[Change]] = defaultdict(list)
    [cursor] = await world.rows("SELECT finalized FROM cursors WHERE chain = $1", world.served.name)
    chain = world.chain
    blocks = await chain.blocks(BlockNumber(0), cursor["finalized"], tokens=[USD])
    for item in await find(world.served, chain, world.pool, blocks):
        changes[item.payment_id].append(TransferSeen(item.transfer))
    async with transaction(world.pool) as conn:
        await apply(conn, changes, now=world.clock.now())
