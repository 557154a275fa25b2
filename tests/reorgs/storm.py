"""A story drawn from a seed: payments, blocks and reorgs behind endpoints that fail all the time.

    async with a_storm(seed, pool, ground) as storm:
        await storm.rages()
        await storm.calms()          # and everything is as the chain has it

Faults come and go at each of the endpoints, alone or several by turns, for some requests or until
they end. One at a time may lie in what it says, or stand on a branch of its own, where payments
are made too; the others are down, busy, behind, or do not know all methods.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from typing import Final, NamedTuple

from msgspec.structs import replace

from ctrip.core.finality import Tag, Terms
from ctrip.core.ids import NATIVE, Amount, RawAddress, raw
from ctrip.core.payment import Payment, Source, Status
from ctrip.settings import Payments
from ctrip.store.pool import Pool
from tests.faults.world import TOKEN, served
from tests.reorgs.news import assert_consistent
from tests.support.anvil import Anvil
from tests.support.native_contracts import Payers, deploy_payers
from tests.support.rpc_exchange import Exchange, Fault, Sent
from tests.support.rpc_faults import FAULTS, GROUPS
from tests.support.rpc_proxy import RpcProxy, proxy
from tests.support.token_contracts import Contract, deploy
from tests.wild.world import WildWorld

FINALITY_LAG: Final = 8  # blocks
REORG_MAX: Final = 5
STEPS: Final = range(12, 45)
LOOKS_MAX: Final = 24  # after the storm; 300 blocks are read and become final in fewer
LOOKS_UNTIL_AUDIT: Final = 8  # which finds what came to payments that had ended
AUDIT_SECONDS: Final = 6 * 3600
RICH: Final = 10**12
WEEK: Final = 604_800
TERMS: Final = Payments(expires_in_seconds=WEEK, late_payments="accept")
USD: Final = raw(TOKEN.contract)
ENDED: Final = frozenset({Status.SETTLED, Status.FAILED})

# They cost seconds each, and others end in the same ways.
SLOW: Final = frozenset({"stall", "stall halfway", "slow drip", "huge body", "gzip bomb"})
HONEST: Final = frozenset({
    "stale head", "head back and forth", "frozen tip", "head of another backend",
    "head of another backend, said so", "finalized frozen", "finalized going backwards",
    "pruned block", "pruned block, said so", "getLogs disabled", "getLogs not found", "no traces",
})  # fmt: skip
FORK: Final = "two endpoints on two forks"
OF_FORKS: Final = 0.2  # of lies; it is one in thirty of their names
OF_TURNS: Final = 0.25  # of all faults
OF_CONTENT: Final = ("The tip", "Finality", "Blocks and receipts", "Logs")


class Kind(StrEnum):
    """What an endpoint does to its users."""

    NO_ANSWER = "it gives none, or not all"
    NOT_ALL = "it has not all that there is"
    LIE = "it says what is not so"


def named(kind: Kind) -> list[str]:
    """Return the faults of a kind."""
    of_content = [fault.name for group in OF_CONTENT for fault in GROUPS[group]]
    match kind:
        case Kind.NO_ANSWER:
            return [name for name in FAULTS if name not in {*of_content, *SLOW}]
        case Kind.NOT_ALL:
            return [name for name in of_content if name in HONEST]
        case Kind.LIE:
            return [name for name in of_content if name not in HONEST]


class Ground(NamedTuple):
    """What all stories share: a chain, its twin, and contracts that pay."""

    anvil: Anvil
    twin: Anvil
    payers: Payers
    employer: Contract
    disperser: Contract


async def broken_ground(anvil: Anvil, twin: Anvil) -> Ground:
    """Deploy what pays, below all that may be replaced."""
    await anvil.ensure_token()
    payers = await deploy_payers(anvil)
    employer, disperser = await deploy(anvil, "Employer"), await deploy(anvil, "Disperser")
    for contract in (employer, disperser):
        await anvil.mint(USD, contract.address, RICH)
    await anvil.mine(2 * FINALITY_LAG)
    return Ground(anvil, twin, payers, employer, disperser)


class Storm:
    """One story."""

    def __init__(
        self, rng: random.Random, ground: Ground, world: WildWorld, endpoints: Sequence[RpcProxy]
    ) -> None:
        self._rng = rng
        self._ground = ground
        self._world = world
        self._endpoints = endpoints
        self._made: list[Payment] = []
        self._liar: RpcProxy | None = None
        self._is_parted = False  # the liar stands on the twin

    async def rages(self) -> None:
        """Let things happen."""
        happens = {
            self.order: 3, self.pay: 7, self.pay_on_twin: 3, self.mine: 7, self.reorg: 3,
            self.fault: 6, self.end_fault: 2, self.end_faults: 1,
            self._world.look: 8, self._world.restart: 1, self.read_again: 1,
        }  # fmt: skip
        await self.order()
        for _ in range(self._rng.choice(STEPS)):
            [thing] = self._rng.choices(list(happens), list(happens.values()))
            await thing()

    async def calms(self) -> None:
        """End all faults, and look until everything is right; it must be soon."""
        await self.end_faults()
        wrong = "nobody looked"
        for looks in range(LOOKS_MAX):
            await self._world.mine(3)
            await self._world.look()
            wrong = await self._world.complaint() or await self._wrong()
            if not wrong:
                break
            if looks == LOOKS_UNTIL_AUDIT:
                self._world.clock.move(seconds=AUDIT_SECONDS)
        assert not wrong, wrong
        for payment in self._made:
            await assert_consistent(self._world.pool, await self._world.now(payment))

    # What may happen

    async def order(self) -> None:
        for _ in range(self._rng.choice([1, 1, 2, 3])):
            create = self._rng.choice([self._world.create, self._world.create_usd])
            self._made.append(await create(self._rng.choice([60, 100, 5_000])))

    async def pay(self) -> None:
        """Pay one of the newest payments, whole, in part or twice as much, in one of many ways."""
        payment = self._rng.choice(self._made[-4:])
        amount = payment.amount * self._rng.choice([2, 4, 4, 8]) // 4
        pay = self._pay_coin if payment.asset == NATIVE else self._pay_usd
        await pay(raw(payment.address), amount)

    async def _pay_coin(self, to: RawAddress, amount: int) -> None:
        payers = self._ground.payers
        match self._rng.randrange(6):
            case 0:
                await payers.wallet(to, amount)
            case 1:
                await payers.batch([(to, amount // 2), (to, amount // 2)])
            case 2:
                await payers.selfdestruct(to, amount)
            case _:
                await self._ground.anvil.send(to, amount)

    async def _pay_usd(self, to: RawAddress, amount: int) -> None:
        match self._rng.randrange(6):
            case 0 | 1:
                await self._ground.employer.send("hire(address,address)", USD, to)
                await self.mine()
                await self._ground.employer.send("pay(uint256)", amount)
            case 2:
                half = amount // 2
                signature = "disperse(address,address[],uint256)"
                await self._ground.disperser.send(signature, USD, [to, to], half)
            case _:
                await self._ground.anvil.mint(USD, to, amount)

    async def pay_on_twin(self) -> None:
        """Pay on the liar's branch only."""
        if not self._is_parted:
            return
        payment = self._rng.choice(self._made[-4:])
        if payment.asset == NATIVE:
            await self._ground.twin.send(raw(payment.address), payment.amount)
        else:
            await self._ground.twin.mint(USD, raw(payment.address), payment.amount)

    async def mine(self) -> None:
        await self._world.mine(self._rng.choice([1, 1, 1, 2, 3, 5, 9]))

    async def reorg(self) -> None:
        """Replace some blocks; all, some or none of their transactions come back at once."""
        depth = self._rng.randint(1, REORG_MAX)
        newest = await self._world.height()
        blocks = [await self._world.block(n) for n in range(newest - depth + 1, newest + 1)]
        dropped = [tx_hash for block in blocks for tx_hash in block["transactions"]]
        kept = dropped[: len(dropped) * self._rng.choice([0, 50, 100, 100]) // 100]
        await self._ground.anvil.reorg(depth, again=kept)

    async def read_again(self) -> None:
        last = await self._world.cursor()
        await self._world.read_again(last - self._rng.randrange(2 * FINALITY_LAG), last)

    async def fault(self) -> None:
        """Let an endpoint play a fault, or several by turns."""
        endpoint = self._rng.choice(self._endpoints)
        kinds = [*Kind, Kind.LIE] if self._liar in (endpoint, None) else [*Kind][:2]
        kind = self._rng.choice(kinds)
        forks = kind is Kind.LIE and self._rng.random() < OF_FORKS
        fault = FAULTS[FORK if forks else self._rng.choice(named(kind))]
        if by_turns := self._rng.random() < OF_TURNS:
            fault = self._by_turns(kind)
        if fault.forks and not by_turns:
            await self._world.part(self._ground.twin)
        if kind is Kind.LIE:
            self._liar, self._is_parted = endpoint, fault.forks
        elif endpoint is self._liar:
            self._liar, self._is_parted = None, False
        await endpoint.plays(fault, requests=self._rng.choice([None, None, None, 1, 2, 5, 10]))

    def _by_turns(self, kind: Kind) -> Fault:
        """Return a fault that is another one with each request, or none."""
        picked = [FAULTS[name] for name in self._rng.sample(named(kind), 4)]
        plays = [None, *(fault.play for fault in picked if not fault.forks)]

        async def play(x: Exchange) -> Sent:
            one = self._rng.choice(plays)
            return await one(x) if one else None

        return Fault(name="by turns", happens="", answered="", play=play)

    async def end_fault(self) -> None:
        endpoint = self._rng.choice(self._endpoints)
        if endpoint is self._liar:
            self._liar, self._is_parted = None, False
        endpoint.calms()

    async def end_faults(self) -> None:
        for endpoint in self._endpoints:
            endpoint.calms()
        self._liar, self._is_parted = None, False

    # What must be true

    async def _wrong(self) -> str:
        """Return what is on record otherwise than on the chain."""
        return "; ".join([
            f"payment {number}: {wrong}"
            for number, payment in enumerate(self._made)
            if (wrong := await self._wrong_of(await self._world.now(payment)))
        ])  # fmt: skip

    async def _wrong_of(self, now: Payment) -> str:
        live = [one for one in now.live() if one.amount]
        held = await self._world.holds(now)
        if not held == now.amount_received == sum(one.amount for one in live):
            return f"its address holds {held}, and {now.amount_received} is on record"
        for one in live:
            block = await self._world.block(one.block_number)
            known = one.source is Source.BALANCE or one.key.tx_hash in block["transactions"]
            if block["hash"] != one.block_hash or not known:
                return f"{one.key.tx_hash} is not in block {one.block_number}"
        if (now.amount_received >= now.amount) != (now.status is Status.SETTLED):
            return "" if now.status is Status.FAILED else f"{now.status} with {held}"
        return ""


@asynccontextmanager
async def a_storm(seed: int, pool: Pool, ground: Ground) -> AsyncIterator[Storm]:
    """Yield a story that has not begun, on a chain that is read one way or another."""
    rng = random.Random(seed)
    by_tag = rng.choice([None, None, None, *Tag])
    much = Terms(second_opinion_above=Amount(rng.choice([1, 10**30])))
    chain = replace(
        served(tag=by_tag, fast=rng.random() < 0.4),
        coin_terms=much,
        tokens=(replace(TOKEN, terms=much),),
        finality_depth=FINALITY_LAG + 2,
        blooms=rng.random() < 0.8,
    )
    async with AsyncExitStack() as stack:
        url, twin = ground.anvil.url, ground.twin.url
        endpoints = [
            await stack.enter_async_context(proxy(url, twin=twin, finality_lag=FINALITY_LAG))
            for _ in range(rng.choice([2, 3, 3, 3]))
        ]
        urls = [endpoint.url for endpoint in endpoints]
        world = WildWorld(pool, ground.anvil, chain, urls, TERMS)
        stack.push_async_callback(world.close)
        await world.begin()
        yield Storm(rng, ground, world, endpoints)
