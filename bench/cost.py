"""What watching costs at a provider: JSON-RPC calls and HTTP requests, idle and busy.

All duties that ask a node run as ctrip.app runs them, on a clock that jumps from one to the
next, before a stub node that grows by its own block time. So an hour takes seconds, and
the figures are exact: they do not depend on the machine.

Busy: 1,000 payments are open, for native coin and three tokens, and nobody pays yet, or
every fifth block pays. Idle: none is open, and 10,000 addresses were given out before, which
the audit looks through.
"""

import asyncio
import heapq
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final, NamedTuple

import uvloop
from msgspec.structs import replace

from bench.catch_up import GIVE_OUT, database, with_tokens
from bench.stub_blocks import TOKENS, Shape
from bench.stub_node import Stub, node
from ctrip.app import RESCAN_POLL_SECONDS
from ctrip.chain.rpc import RpcChain
from ctrip.core.chains import Chain
from ctrip.core.ids import RawAddress
from ctrip.flows.audit import AUDIT_SECONDS, Auditor
from ctrip.flows.health import Health
from ctrip.flows.probe import PROBE_SECONDS, Probe
from ctrip.flows.reread import REREAD_SECONDS, Rereader
from ctrip.flows.rescan import Rescanner
from ctrip.flows.watch import Watcher
from ctrip.settings import Secret
from ctrip.store.pool import Pool, connection

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
OPEN: Final = 1_000
USED: Final = 10_000
WARM_UP_BLOCKS: Final = 110  # until the first that were read are final
WARM_UP_SECONDS_MIN: Final = 150.0  # until every duty had its turn
HOUR: Final = 3_600.0
BUSY_BLOCKS: Final = 320

# A quarter for native coin, the others for the tokens.
OPEN_PAYMENTS: Final = """
INSERT INTO payments (id, owner, chain, chain_id, token_id, contract, asset, currency,
    decimals, address, wallet, derivation_index, amount, confirmations_required, accepts_late,
    created_at, expires_at, watched_until, metadata, sequence)
SELECT id, id, 'bench', 1, CASE WHEN token IS NOT NULL THEN id END, token,
    coalesce(token, 'native'), 'TEST', 6, '0x' || repeat('5a', 16) || lpad(to_hex(i), 8, '0'),
    'bench', i, 1, 12, false, $3::timestamptz, $3 + interval '1 day', $3 + interval '2 days',
    '{}', 1
FROM (
    SELECT gen_random_uuid() AS id, i, ($2::text[])[i % 4] AS token
    FROM generate_series(1, $1::int) AS i)
"""


class Pace(NamedTuple):
    """How a kind of chain is watched."""

    name: str
    block_seconds: float
    poll_seconds: float
    final_every: int = 1


EPOCH_BLOCKS: Final = 32  # of Ethereum, and so of what is like it
PAID_EVERY: Final = 5  # blocks
PAID: Final = RawAddress("0x" + "5a" * 16 + "00000001")  # the first of those that are open

PACES: Final = (
    Pace("block by block", 12.0, 4.0, EPOCH_BLOCKS),
    Pace("by ranges", 0.45, 1.5),
    Pace("by ranges", 0.25, 2.0),
)


class Ticker:
    """A clock that is set."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


class Duty(NamedTuple):
    """What is done again and again."""

    name: str
    run_once: Callable[[], Awaitable[bool]]
    pause_seconds: float | Callable[[], float]


class Spent(NamedTuple):
    """What it cost, by duty and by method."""

    calls: Counter[str]
    requests: Counter[str]
    methods: Counter[str]


class World:
    """A chain and its duties, on a clock of their own."""

    def __init__(self, chain: Chain, shape: Shape, stub: Stub, pool: Pool, endpoints: int) -> None:
        self._shape = shape
        self._stub = stub
        self._clock = Ticker()
        self.client = RpcChain(chain, [Secret(stub.url)] * endpoints, self._clock)
        health = Health(self._clock, [chain])
        seeing = (chain, self.client, pool, self._clock)
        news = asyncio.Event()
        watcher = Watcher(*seeing, health, news)
        others = (
            ("probe", Probe, PROBE_SECONDS),
            ("rescan", Rescanner, RESCAN_POLL_SECONDS),
            ("reread", Rereader, REREAD_SECONDS),
            ("audit", Auditor, AUDIT_SECONDS),
        )
        self._duties = [
            Duty("watch", watcher.run_once, watcher.pause_seconds),
            *(Duty(name, kind(*seeing, news).run_once, pause) for name, kind, pause in others),
        ]
        self._order = count()
        self._due = [(0.0, next(self._order), duty) for duty in self._duties]

    async def run(self, until_seconds: float) -> Spent:
        """Let time pass; return what was spent since the last time."""
        self._stub.asked()
        spent = Spent(Counter(), Counter(), Counter())
        while self._due[0][0] < until_seconds:
            at, _, duty = heapq.heappop(self._due)
            self._clock.seconds = at
            self._stub.tell(head=self._shape.head + int(at / self._shape.block_seconds))
            before = self._counts()
            while await duty.run_once():
                pass
            after = self._counts()
            spent.calls[duty.name] += after[0] - before[0]
            spent.requests[duty.name] += after[1] - before[1]
            pause = duty.pause_seconds
            seconds = pause() if callable(pause) else pause
            heapq.heappush(self._due, (at + seconds, next(self._order), duty))
        return spent._replace(methods=self._stub.asked().calls)

    def _counts(self) -> tuple[int, int]:
        states = self.client.endpoints()
        return sum(one.calls for one in states), sum(one.requests for one in states)


async def main() -> None:
    """Print the costs."""
    await idle()
    for pace in PACES:
        for endpoints in (1, 2):
            await busy(pace, endpoints)
            await busy(pace, endpoints, pays=PAID)


async def idle() -> None:
    """Print what an hour costs in which nobody pays."""
    async with database(connections=1) as pool:
        async with connection(pool) as conn:
            await conn.execute(GIVE_OUT, 1, USED)
        shape = Shape(transactions=20, logs=8, final_every=EPOCH_BLOCKS)
        with node(shape) as stub:
            world = World(with_tokens(), shape, stub, pool, 1)
            begin = warm_up_seconds(shape)
            await world.run(begin)
            spent = await world.run(begin + HOUR)
            await world.client.close()
    print(
        f"idle, blocks of {shape.block_seconds:g} s: {spent.calls.total()} calls in "
        f"{spent.requests.total()} requests an hour ({listed(spent.calls)})"
    )


async def busy(pace: Pace, endpoints: int, *, pays: RawAddress | None = None) -> None:
    """Print what a block costs while much may be paid."""
    shape = Shape(
        made=PAID_EVERY,
        pays=pays,
        transactions=20,
        logs=8,
        block_seconds=pace.block_seconds,
        final_every=pace.final_every,
    )
    chain = replace(
        with_tokens(), block_seconds=pace.block_seconds, poll_interval_seconds=pace.poll_seconds
    )
    async with database(connections=1) as pool:
        async with connection(pool) as conn:
            await conn.execute(OPEN_PAYMENTS, OPEN, list(TOKENS), START)
        with node(shape) as stub:
            world = World(chain, shape, stub, pool, endpoints)
            begin = warm_up_seconds(shape)
            await world.run(begin)
            spent = await world.run(begin + BUSY_BLOCKS * pace.block_seconds)
            await world.client.close()
    print(
        f"busy{f' and paid in every {PAID_EVERY}th block' if pays else ''}, {pace.name}, blocks "
        f"of {pace.block_seconds:g} s, polled every {pace.poll_seconds:g} s, "
        f"{endpoints} endpoint(s): "
        f"{spent.calls.total() / BUSY_BLOCKS:.2f} calls in "
        f"{spent.requests.total() / BUSY_BLOCKS:.2f} requests a block "
        f"({listed(spent.calls, BUSY_BLOCKS)}; {listed(spent.methods, BUSY_BLOCKS)})"
    )


def warm_up_seconds(shape: Shape) -> float:
    """Return after how long the costs are those of every day."""
    return max(WARM_UP_SECONDS_MIN, WARM_UP_BLOCKS * shape.block_seconds)


def listed(counts: Counter[str], over: int = 1) -> str:
    """Return counts as words, the largest first."""
    return ", ".join(f"{name} {many / over:.3g}" for name, many in counts.most_common() if many)


if __name__ == "__main__":
    uvloop.run(main())
