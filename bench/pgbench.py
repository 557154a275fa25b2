"""Postgres's own load generator, committing one payment and its event at a time.

What it inserts is what the gateway wrote: the columns are read from the gateway's statements
and the values from a payment that it made. Only what makes a payment another one is drawn
by chance, and times are now. So the rows, and the work of every index, are the same.
"""

import re
import resource
import subprocess
from pathlib import Path
from typing import Final

from bench.cpu import seconds_here
from bench.load import Load
from ctrip.core.errors import OutageError
from ctrip.dev import postgres
from ctrip.store import outbox, payments
from ctrip.store.pool import Conn

COLUMNS: Final = re.compile(r"INSERT INTO \w+ \((.+?)\)", re.DOTALL)
HEX: Final = "lpad(to_hex(:a::bigint), 16, '0') || lpad(to_hex(:b::bigint), 16, '0')"
DRAWN: Final = """
\\set a random(0, 9223372036854775806)
\\set b random(0, 9223372036854775806)
\\set c random(0, 2147483647)
"""
FRESH_PAYMENT: Final = {
    "id": "gen_random_uuid()",
    "chain": "'nobody''s'",  # or the gateway would watch these addresses in its turn
    "address": f"'0x' || {HEX} || lpad(to_hex(:c::bigint), 8, '0')",
    "derivation_index": ":c::bigint",
    "order_id": f"'order-' || right({HEX}, 12)",
    "idempotency_key": f"'bench-' || right({HEX}, 30)",
    "fingerprint": f"{HEX} || {HEX}",
    "created_at": "now()",
    "expires_at": "now() + interval '30 minutes'",
    "watched_until": "now() + interval '1 day'",
}
FRESH_EVENT: Final = {
    "id": f"'evt_' || {HEX}",
    "payment_id": "(SELECT id FROM payment)",
    "created_at": "now()",
}


async def script(conn: Conn) -> str:
    """Return what pgbench carries out: one statement, so one round trip and one commit."""
    payment = await insert(conn, "payments", payments.INSERT, FRESH_PAYMENT)
    event = await insert(conn, "events", outbox.EVENTS, FRESH_EVENT)
    return f"{DRAWN}WITH payment AS ({payment} RETURNING id) {event};"


async def insert(conn: Conn, table: str, ours: str, fresh: dict[str, str]) -> str:
    """Return the INSERT of one row like the newest there is."""
    found = COLUMNS.search(ours)
    columns = [name.strip() for name in (found[1] if found else "").split(",")]
    texts = ", ".join(f"quote_nullable({name}::text) AS {name}" for name in columns)
    row = await conn.fetchrow(f"SELECT {texts} FROM {table} ORDER BY created_at DESC LIMIT 1")
    values = dict(row or {}) | fresh
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(values.values())})"


def run(cluster: postgres.Cluster, file: Path, *, clients: int, seconds: int) -> tuple[Load, float]:
    """Let it run; return how many were committed, and the CPU seconds that it used itself."""
    before = seconds_here(resource.RUSAGE_CHILDREN)
    done = subprocess.run(  # noqa: S603  Postgres's own program
        [
            *(cluster.programs / "pgbench", "--no-vacuum", "--protocol=prepared"),
            *("--client", str(clients), "--jobs", "2", "--time", str(seconds)),
            *("--file", file, cluster.url),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    rate = re.search(r"tps = ([0-9.]+)", done.stdout)
    count = re.search(r"actually processed: ([0-9]+)", done.stdout)
    if not rate or not count:
        raise OutageError(done.stderr)
    load = Load(int(count[1]), int(count[1]) / float(rate[1]), [])
    return load, seconds_here(resource.RUSAGE_CHILDREN) - before
