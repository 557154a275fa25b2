"""However hidden money is noticed, and in whichever order, it counts once.

Each seed is a life: contracts forward, transactions pay, some of it nothing names; reorgs
drop and mine again; the watcher, the probe, the audit and a reader that finds everything
late all look, restart and die. In the end what was credited is what the addresses hold.
"""

import random
from contextlib import suppress

import pytest

from ctrip.core.blocks import Holding
from ctrip.core.errors import OutageError
from ctrip.core.finality import Depth
from ctrip.core.ids import NATIVE, TxHash
from ctrip.core.payment import Payment, Status
from ctrip.store.pool import Pool
from tests.flows.probing import ShyChain, a_probe, an_auditor, audit, probe, read_all_again
from tests.flows.world import World, a_world, address
from tests.support.flaky import FlakyPool

SEEDS = range(16)
STEPS = 70
FINALITY_LAG = 6
REORG_DEPTH_MAX = 4
DEATHS_WITHIN = 25  # statements


class Life:
    """One world, and those who look at it."""

    def __init__(self, world: World, chain: ShyChain, rng: random.Random) -> None:
        self.world = world
        self.chain = chain
        self.rng = rng
        self.made: list[Payment] = []
        self.sent: list[TxHash] = []
        self.looking = a_probe(world)
        self.auditing = an_auditor(world)

    async def step(self) -> None:
        if len(self.made) < 6 and self.rng.random() < 0.3:
            self.made.append(await self.world.create(self.rng.choice([50, 100, 10_000])))
        act = self.rng.choice(
            [self.pay] * 3 + [self.mine] * 5 + [self.reorg] * 2 + [self.fault] * 2
        )
        act()
        if self.rng.random() < 0.7:
            with suppress(OutageError):  # the chain changed while it was read
                await self.world.watch()
        await self.look()

    def pay(self) -> None:
        some = [(address(p), self.rng.randint(1, 60)) for p in self.made if self.rng.random() < 0.5]
        if not some:
            return
        way = self.rng.random()
        if way < 0.3:
            self.sent.append(self.chain.pay(*some[0]))
            return
        self.sent.append(self.chain.forward(*some, *some[:1], fails=way > 0.9))
        if way < 0.5:
            self.chain.untraced.add(self.sent[-1])

    def mine(self) -> None:
        self.chain.mine(self.rng.choice([1, 1, 2, 5]))

    def reorg(self) -> None:
        depth = self.rng.randint(1, REORG_DEPTH_MAX)
        if depth >= self.chain.tip.number:
            return
        dropped = [tx.hash for block in self.chain._blocks[-depth:] for tx in block.txs]  # noqa: SLF001  what it drops
        keep = [tx_hash for tx_hash in dropped if self.rng.random() < 0.4]
        self.chain.reorg(depth, keep=keep)
        for tx_hash in dropped:
            if tx_hash not in keep and self.rng.random() < 0.7:
                self.chain.resend(tx_hash)

    def fault(self) -> None:
        """Change what the nodes can show, or what a pass meets in its middle."""
        self.chain.traces = self.rng.random() < 0.7
        self.chain.tracing_is_down = self.rng.random() < 0.2
        self.chain.state_depth = self.rng.choice([None, None, 0, 3])
        method = self.rng.choice(["holdings", "headers", "blocks", "moves"])
        self.chain.before_next(method, self.reorg)

    async def look(self) -> None:
        """Let somebody look, who may have forgotten everything or die of it."""
        pool: Pool = self.world.pool
        if self.rng.random() < 0.2:
            pool = FlakyPool(pool, dies_at=self.rng.randint(1, DEATHS_WITHIN)).as_pool()
        if self.rng.random() < 0.3:
            self.looking, self.auditing = a_probe(self.world, pool), an_auditor(self.world, pool)
        if self.rng.random() < 0.3:
            self.world.clock.move(hours=7)
        try:
            match self.rng.randrange(6):
                case 0 | 1 | 2:
                    await self.looking.run_once()
                case 3 | 4:
                    await self.auditing.run_once()
                case _:
                    await read_all_again(self.world)
        except OutageError:
            self.looking, self.auditing = a_probe(self.world), an_auditor(self.world)

    async def calm_down(self) -> None:
        """Look with good nodes until all is final; and twice, for nothing is found twice."""
        self.chain.traces, self.chain.tracing_is_down = True, False
        self.chain.state_depth = None
        self.chain._before.clear()  # noqa: SLF001  no more faults
        for _ in range(2):
            await self.world.mine(FINALITY_LAG + 1)
            await probe(self.world)
            await audit(self.world)
            await audit(self.world)
            await read_all_again(self.world)


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_is_credited_is_what_the_addresses_hold(pool: Pool, seed: int) -> None:
    chain = ShyChain(finality_lag=FINALITY_LAG)
    world = await a_world(pool, chain, confirmations=Depth(REORG_DEPTH_MAX + 1))
    life = Life(world, chain, random.Random(seed))
    for _ in range(STEPS):
        await life.step()
    await life.calm_down()
    owners = [address(payment) for payment in life.made]
    held = await chain.holdings(chain.tip, [Holding(NATIVE, owner) for owner in owners])
    assert await world.credited() == dict(zip(owners, held, strict=True))
    for payment in life.made:
        now, told = await world.now(payment), await world.told(payment)
        covered = now.amount_received >= now.amount
        assert now.status is (Status.SETTLED if covered else Status.PENDING)
        assert all(told.count(once) <= 1 for once in ("created", "confirmed", "paid", "settled"))
