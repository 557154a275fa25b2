"""Whatever chain, endpoints and database do: in the end what was credited is what is there.

Each seed is a life of its own, and the same on every machine. A fault of the day is a
reorg, an endpoint that is down, a connection that dies, a pass that is raced, an hour in
which nobody watched. Then the network calms down, and the books must agree with it.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest

from ctrip.core.errors import OutageError
from ctrip.core.finality import Depth
from ctrip.core.ids import NATIVE, RawAddress, TxHash
from ctrip.core.payment import STANDING, Payment, Status
from ctrip.store.pool import Pool
from tests.flows.world import USD, World, a_world, address
from tests.support.fake_blocks import Move
from tests.support.fake_chain import FakeChain
from tests.support.flaky import FlakyPool

SEEDS = (*range(10), 38, 221)  # in the last two, money that moved was once confirmed too soon
STEPS = 60
FINALITY_LAG = 8
REORG_DEPTH_MAX = 5  # a network that keeps its word about finality
CONFIRMATIONS = REORG_DEPTH_MAX + 1  # so nothing that was confirmed is ever taken back
DEATHS_WITHIN = 30  # statements


class Life:
    """One world and what happened in it."""

    def __init__(self, world: World, rng: random.Random, *, silent: float = 0.0) -> None:
        self.world = world
        self.silent = silent  # share of the token payments that no transaction names
        self.chain = world.chain
        self.rng = rng
        self.made: list[Payment] = []
        self.sent: list[TxHash] = []

    async def step(self) -> None:
        """Let something happen, then look at it, as well as it can be seen."""
        happens: list[Callable[[], None]] = [self.pay] * 4 + [self.mine] * 6 + [self.reorg] * 2
        if self.rng.random() < 0.3:
            ask = self.world.create_usd if self.rng.random() < 0.5 else self.world.create
            self.made.append(await ask(self.rng.choice([1, 100, 2**255])))
        self.rng.choice(happens)()
        if self.rng.random() < 0.7:
            await self.look()

    def pay(self) -> None:
        if not self.made:
            return
        payment = self.rng.choice(self.made)
        amount = max(1, payment.amount // self.rng.choice([1, 1, 1, 2]))
        fails = self.rng.random() < 0.1
        if payment.asset == NATIVE:
            self.sent.append(self.chain.pay(address(payment), amount, fails=fails))
        else:
            moves = [Move(USD, address(payment), amount)] * self.rng.choice([1, 1, 2])
            silently = bool(self.silent) and self.rng.random() < self.silent
            self.sent.append(self.chain.pay_tokens(*moves, fails=fails, silently=silently))

    def mine(self) -> None:
        self.chain.mine(self.rng.choice([1, 1, 1, 2, 40]))

    def reorg(self) -> None:
        depth = self.rng.randint(1, REORG_DEPTH_MAX)
        if depth >= self.chain.tip.number:
            return
        before = mined(self.chain)
        self.chain.reorg(depth)
        dropped = [tx for tx in before if tx not in mined(self.chain)]
        for tx_hash in dropped:
            if self.rng.random() < 0.8:
                self.chain.resend(tx_hash)

    async def look(self) -> None:
        """Make a pass, with some fault of the day."""
        fault = self.rng.random()
        self.chain.is_down = fault < 0.1
        if 0.1 < fault < 0.2:
            self.chain.before_next("blocks", self.reorg)
        pool: Pool = self.world.pool
        if fault > 0.7:
            pool = FlakyPool(pool, dies_at=self.rng.randint(1, DEATHS_WITHIN)).as_pool()
        racers = self.rng.choice([1, 1, 1, 3])
        passes = (self.world.watcher(pool).run_once() for _ in range(racers))
        for outcome in await asyncio.gather(*passes, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, OutageError):
                raise outcome
        self.chain.is_down = False

    async def calm_down(self) -> None:
        """Mine what still waits, until it is final, and read all of it."""
        await self.world.mine(FINALITY_LAG + CONFIRMATIONS)


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_is_credited_is_what_is_on_the_chain(pool: Pool, seed: int) -> None:
    chain = FakeChain(finality_lag=FINALITY_LAG)
    world = await a_world(pool, chain, confirmations=Depth(CONFIRMATIONS))
    await assert_all_is_credited(Life(world, random.Random(seed)))


@pytest.mark.parametrize("seed", SEEDS[:6])
async def test_what_no_transaction_names_is_credited_where_blocks_are_read_at_a_glance(
    pool: Pool, seed: int
) -> None:
    chain = FakeChain(finality_lag=FINALITY_LAG)
    world = await a_world(pool, chain, confirmations=Depth(CONFIRMATIONS), block_seconds=12)
    await assert_all_is_credited(Life(world, random.Random(seed), silent=0.7))
    assert chain.asked["logs"]


async def assert_all_is_credited(life: Life) -> None:
    """Live a life, and compare the end of it with the chain."""
    chain = life.chain
    for _ in range(STEPS):
        await life.step()
    await life.calm_down()
    there = on_chain(chain)
    assert await life.world.credited() == {
        address(p): there[address(p), p.asset] for p in life.made
    }
    for payment in life.made:
        now = await life.world.now(payment)
        told = await life.world.told(payment)
        covered = now.amount_received >= now.amount
        assert now.status is (Status.SETTLED if covered else Status.PENDING)
        assert (now.status in STANDING) == (told.count("settled") == 1)
        assert all(told.count(once) <= 1 for once in ("created", "confirmed", "paid", "settled"))
        assert told.count("detected") <= told.count("reorged") + 1


def mined(chain: FakeChain) -> dict[TxHash, None]:
    """Return the transactions in blocks, in order."""
    return {tx.hash: None for block in chain.mined() for tx in block.txs}


def on_chain(chain: FakeChain) -> Counter[tuple[RawAddress, str]]:
    """Return what every address has received of everything."""
    sums: Counter[tuple[RawAddress, str]] = Counter()
    for block in chain.mined():
        for tx in block.txs:
            if tx.fails:
                continue
            if tx.call:
                sums[tx.call.recipient, NATIVE] += tx.call.amount
            for move in tx.moves:
                sums[move.recipient, move.contract] += move.amount
    return sums
