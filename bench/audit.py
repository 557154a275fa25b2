"""What the books cost among 100,000 payments that were paid and swept, and what an audit takes.

Every payment has its transfer, its five events, a sweep and the transaction that moved it. First
all of it is booked; then each invariant is asked, as `ctrip audit` asks it, and what addresses
should hold is put together. What the chain is asked is counted, not timed: that is the endpoint's.

    make bench, or: .venv/bin/python -m bench.audit
"""

import asyncio
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Final

import uvloop

from ctrip.clock import SystemClock
from ctrip.core.errors import InvariantError
from ctrip.core.ids import BlockNumber, ChainName
from ctrip.dev import postgres
from ctrip.flows.books import Bookkeeper
from ctrip.flows.weigh import ADDRESSES_PER_CALL_MAX
from ctrip.settings import Secret
from ctrip.store import invariants, ledger
from ctrip.store.invariants import INVARIANTS
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import Pool, connect, connection, snapshot

PAYMENTS: Final = 100_000
CHAIN: Final = ChainName("anvil")
POOL: Final = 2  # connections
LINES: Final = 5  # of those that take longest
FILL: Final = """
INSERT INTO wallets VALUES ('bench', $1 + 1);
INSERT INTO cursors VALUES
    ('anvil', 2 * $1, '0x00', now(), 2 * $1, 2 * $1, 2 * $1, 0, 2 * $1, now());
INSERT INTO payments (id, owner, chain, chain_id, asset, currency, decimals, address, wallet,
    derivation_index, amount, confirmations_required, accepts_late, created_at, expires_at,
    watched_until, metadata, sequence, status, closed, detected_in_block, amount_received, settles)
SELECT md5('p' || n)::uuid, gen_random_uuid(), 'anvil', 31337, 'native', 'ETH', 18,
    '0x' || lpad(to_hex(n), 40, '0'), 'bench', n, 1000000, 3, false, now(),
    now() + interval '30 min', now() + interval '1 day', '{}', 5, 'settled', true, n, 1000000,
    'sweep'
FROM generate_series(1, $1) AS n;
INSERT INTO events (id, payment_id, sequence, type, body, created_at, position)
SELECT 'evt_' || md5(n || '/' || step), md5('p' || n)::uuid, step, 'payment.' || (
    '{created,detected,confirmed,paid,settled}'::text[])[step], '{}', now(), 5 * n + step
FROM generate_series(1, $1) AS n, generate_series(1, 5) AS step;
INSERT INTO sweeps (id, chain, payment_id, address, derivation_index, asset, state, amount,
    why, tries, due_at, created_at, ended_at)
SELECT md5('s' || n)::uuid, 'anvil', md5('p' || n)::uuid, '0x' || lpad(to_hex(n), 40, '0'), n,
    'native', 'final', 979000, '', 0, now(), now(), now()
FROM generate_series(1, $1) AS n;
INSERT INTO transfers (chain, tx_hash, asset, recipient, ordinal, payment_id, sender, amount,
    block_number, block_hash, block_time, source, vouched, orphaned, swept_in, swept_by,
    sweep_id, movable)
SELECT 'anvil', '0x' || md5('t' || n) || md5('u' || n), 'native',
    '0x' || lpad(to_hex(n), 40, '0'), 0, md5('p' || n)::uuid, '0x' || repeat('fa', 20), 1000000,
    n, '0x' || md5('b' || n) || md5('c' || n), now(), 'transaction', true, false, n + 9,
    '0x' || md5('v' || n) || md5('w' || n), md5('s' || n)::uuid, true
FROM generate_series(1, $1) AS n;
INSERT INTO sendings (id, chain, sender, derivation_index, nonce, purpose, sweep_id, asset, amount,
    beneficiary, recipient, data, gas, state, tx_hash, block_number, block_hash, fee, final,
    created_at)
SELECT md5('x' || n)::uuid, 'anvil', '0x' || lpad(to_hex(n), 40, '0'), n, 0, 'sweep',
    md5('s' || n)::uuid, 'native', 979000, '0x' || repeat('7e', 20), '0x' || repeat('7e', 20),
    '0x', 21000, 'mined', '0x' || md5('v' || n) || md5('w' || n), n + 9, '0x' || md5('b' || n + 9),
    20000, true, now()
FROM generate_series(1, $1) AS n;
INSERT INTO sending_versions (tx_hash, sending_id, raw, value, max_fee, created_at)
SELECT tx_hash, id, '0x' || repeat('00', 110), amount, 1, now() FROM sendings;
INSERT INTO sending_moves SELECT id, sender, asset, -amount FROM sendings;
INSERT INTO sending_moves SELECT id, beneficiary, asset, amount FROM sendings;
ANALYZE
"""


async def fill(pool: Pool) -> None:
    """Write a shop's life."""
    async with connection(pool) as conn:
        for statement in FILL.replace("$1", str(PAYMENTS)).split(";\n"):
            await conn.execute(statement)


async def book(pool: Pool) -> float:
    """Book everything, as the duty does, and return how long it took."""
    keeper, start = Bookkeeper(CHAIN, pool, SystemClock()), perf_counter()
    more = True
    while more:
        more = await keeper.run_once()
    return perf_counter() - start


async def measure(pool: Pool) -> None:
    """Fill, book, and audit."""
    await fill(pool)
    seconds = await book(pool)
    async with connection(pool) as conn:
        entries = await conn.fetchval("SELECT count(*) FROM ledger_entries")
        await conn.execute("ANALYZE ledger_entries; ANALYZE ledger")
    print(
        f"{PAYMENTS} payments, paid and swept: {entries} entries booked in {seconds:.1f} s, ",
        end="",
    )
    print(f"{entries / seconds:.0f} a second; one pass without news: ", end="")
    print(f"{await book(pool) * 1000:.1f} ms")
    took: dict[str, float] = {}
    async with snapshot(pool) as conn:
        for one in INVARIANTS:
            start = perf_counter()
            found = await invariants.breaches(conn, CHAIN, count_max=1, only=[one])
            took[one.name] = perf_counter() - start
            if found:
                raise InvariantError(found[0].what)
        start = perf_counter()
        booked, _ = await ledger.balances(conn, CHAIN, at=BlockNumber(2 * PAYMENTS))
        balances = perf_counter() - start
    slowest = sorted(took, key=lambda name: -took[name])[:LINES]
    print(f"{len(INVARIANTS)} invariants: {sum(took.values()):.1f} s; the longest: ", end="")
    print(", ".join(f"{name} {took[name] * 1000:.0f} ms" for name in slowest))
    calls = -(-len(booked) // ADDRESSES_PER_CALL_MAX)
    print(f"what {len(booked)} addresses should hold: {balances:.1f} s, then {calls} calls")


async def run(url: str) -> None:
    """Measure in a database of this URL."""
    pool = await connect(Secret(url), size_max=POOL)
    try:
        async with connection(pool) as conn:
            await migrate(conn, read_files())
        await measure(pool)
    finally:
        pool.terminate()


def main() -> None:
    """Print what it takes."""
    with (
        tempfile.TemporaryDirectory(prefix="ctrip-bench-") as folder,
        postgres.start(Path(folder).resolve() / "postgres") as cluster,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(run(cluster.create("audit")))


if __name__ == "__main__":
    main()
