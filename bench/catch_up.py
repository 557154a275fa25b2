"""What a block costs the whole gateway, and that it stays the same.

First 100,000 blocks of a gap, through the flow that reads gaps, with a Postgres that does
not wait for its disk: blocks a second, CPU a block, and the memory we hold on the way.
They are small, 10 transactions and 4 transfers, because 100,000 of 207 kB take minutes.

Then full blocks of 200 transactions and 40 transfers at the tip, with ever more addresses
that were given out before, none of which is paid: milliseconds and CPU a block, where the
node needs its share of the time, and statements. bench/scan.py prints both.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Final
from uuid import uuid4

from bench.readers import a_chain
from bench.stub_blocks import CHAIN_ID, TOKENS, Shape
from bench.stub_node import Stub, node
from ctrip.chain.rpc import RpcChain
from ctrip.clock import SystemClock
from ctrip.core.blocks import Head
from ctrip.core.chains import Chain, Token
from ctrip.core.errors import InvariantError
from ctrip.core.ids import Address, BlockNumber
from ctrip.dev import postgres
from ctrip.flows.health import Health
from ctrip.flows.rescan import Rescanner
from ctrip.flows.watch import Watcher
from ctrip.settings import Secret
from ctrip.store import blocks, rescans
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import Pool, connect, connection

GAP: Final = 100_000  # blocks
SHARES: Final = (0.1, 0.5, 1.0)  # of the gap, at which memory is looked at
SMALL: Final = Shape(transactions=10, logs=4)
TIP: Final = Shape(head=100)
ADDRESSES: Final = (10, 10_000, 1_000_000)
PASSES: Final = 12
BLOCKS_PER_PASS: Final = 32
MEGABYTE: Final = 2**20
POOL: Final = 4  # connections
FILL_SECONDS_MAX: Final = 80.0

# Payments of long ago that are over. Their addresses are ours for ever.
GIVE_OUT: Final = """
INSERT INTO payments (id, owner, chain, chain_id, asset, currency, decimals, address, wallet,
    derivation_index, amount, confirmations_required, accepts_late,
    created_at, expires_at, watched_until, metadata, lapsed, closed, status, sequence)
SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000000', 'bench', 1, 'native', 'ETH', 18,
    '0x' || substr(md5(i::text) || md5('x' || i), 1, 40), 'bench',
    i, 10 ^ 18, 12, false, now() - interval '2 days', now() - interval '2 days' + interval '1 hour',
    now() - interval '1 day', '{}', true, true, 'expired', 2
FROM generate_series($1::int, $2::int) AS i
"""
# One that is open, or the watcher would rest: for a token, so that nobody asks for balances.
OPEN: Final = """
INSERT INTO payments (id, owner, chain, chain_id, token_id, contract, asset, currency,
    decimals, address, wallet, derivation_index, amount, confirmations_required, accepts_late,
    created_at, expires_at, watched_until, metadata, sequence)
VALUES ($1, $1, 'bench', 1, $1, $2, $2, 'TEST', 6, '0x' || repeat('d', 40), 'bench', 0, 1, 12,
    false, now(), now() + interval '1 day', now() + interval '2 days', '{}', 1)
"""


async def measure() -> None:
    """Print both figures."""
    async with database(connections=POOL, durable=False) as pool:
        with node(SMALL) as stub:
            await gap(pool, stub)
    async with database(connections=1) as pool:
        with node(TIP) as stub:
            await tip(pool, stub)


@asynccontextmanager
async def database(*, connections: int, durable: bool = True) -> AsyncIterator[Pool]:
    """Start a Postgres of our own."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ctrip-bench-"))
        cluster = stack.enter_context(postgres.start(Path(folder) / "postgres", durable=durable))
        pool = await connect(Secret(cluster.url), size_max=connections)
        try:
            async with connection(pool) as conn:
                await migrate(conn, read_files())
            yield pool
        finally:
            await pool.close()


async def gap(pool: Pool, stub: Stub) -> None:
    """Read a gap to its end."""
    chain, clock = with_tokens(), SystemClock()
    client = RpcChain(chain, [Secret(stub.url)], clock)
    first = SMALL.head - SMALL.final_depth - GAP + 1
    last = first + GAP - 1
    await begin(pool, chain, await client.head())
    async with connection(pool) as conn:
        await rescans.begin(
            conn, chain.name, BlockNumber(first), BlockNumber(last),
            cause="operator", read_until=None, now=clock.now(),
        )  # fmt: skip
    rescanner = Rescanner(chain, client, pool, clock, asyncio.Event())
    start, cpu_start = perf_counter(), process_time()
    memory, done = [], 0
    for share in SHARES:
        while done < share * GAP:
            if not await rescanner.run_once():
                raise InvariantError(f"the gap ended at {done} blocks")
            done = await read_so_far(pool, first)
        memory.append(f"{resident_bytes() / MEGABYTE:.0f} MB at {share:.0%}")
    seconds, cpu = perf_counter() - start, process_time() - cpu_start
    print(
        f"catch-up: {GAP} blocks of {SMALL.transactions} transactions in {seconds:.0f} s, "
        f"{GAP / seconds:.0f} blocks/s, {cpu / GAP * 1e3:.2f} ms CPU a block; "
        f"memory {', '.join(memory)}"
    )
    await client.close()


async def begin(pool: Pool, chain: Chain, head: Head) -> None:
    """Say that the chain was read up to its head."""
    now = SystemClock().now()
    async with connection(pool) as conn:
        await blocks.start(conn, chain.name, head, now=now)
        await blocks.add(
            conn, chain.name, [head.latest], above=BlockNumber(-1), finalized=BlockNumber(0)
        )


async def read_so_far(pool: Pool, first: int) -> int:
    """Return how many blocks of the gap were read."""
    async with connection(pool) as conn:
        return int(await conn.fetchval("SELECT next FROM rescans")) - first


def resident_bytes() -> int:
    """Return the memory that this process holds now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def tip(pool: Pool, stub: Stub) -> None:
    """Read full blocks as they come, among more and more addresses."""
    chain, clock = with_tokens(internal=False), SystemClock()
    client = RpcChain(chain, [Secret(stub.url)], clock)
    health = Health(clock, [chain])
    watcher = Watcher(chain, client, pool, clock, health, asyncio.Event())
    statements: list[object] = []
    async with connection(pool) as conn:
        await conn.execute(OPEN, uuid4(), TOKENS[0])
        conn.add_query_logger(statements.append)  # of the pool's only connection
    await watcher.run_once()
    head, known = TIP.head, 0
    for addresses in ADDRESSES:
        async with connection(pool) as conn:
            await conn.execute(GIVE_OUT, known + 1, addresses, timeout=FILL_SECONDS_MAX)
            await conn.execute("VACUUM ANALYZE payments", timeout=FILL_SECONDS_MAX)
        known, costs, cpu_start = addresses, [], process_time()
        statements.clear()
        for _ in range(PASSES):
            head += BLOCKS_PER_PASS
            stub.tell(head=head)
            start = perf_counter()
            await watcher.run_once()
            costs.append((perf_counter() - start) / BLOCKS_PER_PASS)
        cpu = (process_time() - cpu_start) / (PASSES * BLOCKS_PER_PASS)
        print(
            f"{addresses} used addresses: {median(costs) * 1e3:.2f} ms a block, "
            f"{cpu * 1e3:.2f} ms of them our CPU, "
            f"{len(statements) / PASSES:.0f} statements a window of {BLOCKS_PER_PASS} blocks"
        )
    await client.close()


def with_tokens(*, internal: bool = True) -> Chain:
    """Return the stub's chain with its tokens listed."""
    name = a_chain().name
    return a_chain(
        internal=internal,
        tokens=tuple(
            Token(chain=name, chain_id=CHAIN_ID, contract=Address(raw), symbol="TEST", decimals=6)
            for raw in TOKENS
        ),
    )
