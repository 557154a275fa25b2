"""Every statement against the migrated schema: it is valid, and the hot ones use their index."""

import importlib
import pkgutil
import re
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any

import asyncpg
import pytest

from ctrip import store
from ctrip.core.events import EventType
from ctrip.core.payment import Flag, Settles, Status
from ctrip.core.refund import RefundState
from ctrip.core.sending import Purpose, SendingState
from ctrip.core.sweep import SweepState
from ctrip.dev.postgres import Cluster
from ctrip.store.pool import Conn

MODULES = [
    importlib.import_module(f"ctrip.store.{m.name}") for m in pkgutil.iter_modules(store.__path__)
]
STATEMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": text
    for module in MODULES
    for name, text in vars(module).items()
    if name.isupper() and isinstance(text, str) and " " in text
}
WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)")
# Prepared only as parts of others, but for a setting and a name.
SAYS_NOTHING = {
    "migrate.WAIT",
    "bell.NAME",
    "outbox.DELIVERIES",
    "outbox.ONCE",
    "listing.FOUND",
    "listing.IN_FULL",
    "listing.TRANSFERS",
    "payments.IN_FULL",
    "invariants.REPORT",
    "invariants.BY_HAND",
    "invariants.TWICE",
    "invariants.EARLIER",
}

# Each hot statement, and the index that must carry it however large the table gets.
HOT = {
    "accounts.FIND": "api_keys_digest_key",
    "accounts.PAGE": "api_keys_created",
    "accounts.SINCE": "api_keys_revision",
    "blocks.KNOWN": "blocks_pkey",
    "delivery_log.STREAM": "events_position",
    "listing.EVENTS": "events_payment_id_sequence_key",
    "listing.OF_ALL": "payments_listed",
    "listing.OF_ORDER": "payments_of_order",
    "listing.OWNED": "payments_owned",
    "outbox.PLACE": "events_unplaced",
    "queue.BACKLOG": "deliveries_due",
    "queue.CLAIM": "deliveries_due",
    "payments.GET": "payments_pkey",
    "payments.TRANSFERS": "transfers_payment",
    "payment_sets.ABOVE": "transfers_block",
    "payment_sets.ANY_OPEN": "payments_open",
    "payment_sets.DEEPENED": "payments_under_way",
    "payment_sets.DUE": "payments_pending",
    "payment_sets.OWNERS": "payments_address",
    "payment_sets.STANDING_STILL": "payments_pending",
    "payment_sets.TRACED_ABOVE": "transfers_block",
    "lines.NEXT_NONCE": "sendings_line",
    "sendings.OF_SWEEPS": "sendings_sweep",
    "refunds.DUE": "refunds_due",
    "refunds.OF_PAYMENT": "refunds_payment",
    "refunds.SINCE": "refunds_of_day",
    "offers.BEFORE": "sending_offers_sending",
    "offers.WAITING": "sendings_",
    "sendings.OF_REFUNDS": "sendings_refund",
    "sendings.OPEN": "sendings_open",
    "lines.PROMISED": "sendings_line",
    "versions.VERSIONS": "sending_versions_sending",
    "sweepable.CANDIDATES": "transfers_unplanned",
    "sweepable.TAKEN": "transfers_sweep",
    "transfers.PLAN": "transfers_unplanned",
    "sweeps.DUE": "sweeps_live",
    "listeners.LIVE": "api_keys_pkey",
    "listeners.NEWS": "events_payment_id_sequence_key",
    "births.ANSWERED": "payments_idempotency_key",
    "births.FIRST_ANSWERS": "payments_pkey",
    "births.IN_THE_WAY": "payments_idempotency_key",
    "idempotency.CLAIM": "payments_idempotency_key",
    "idempotency.FIND": "payments_idempotency_key",
    "payment_sets.PAID_BY": "transfers_pkey",
    "payment_sets.OF_OWNER": "payments_address",
    "delivery_log.ANNOUNCED": "events_payment_id_sequence_key",
    "delivery_log.OF_PAYMENT": "events_payment_id_sequence_key",
    "blocks.NEWEST_AT": "blocks_pkey",
    "payment_sets.USED": "payments_pkey",
    "ledger.LAST_OF": "transfers_block",
    "ledger.OF_ACCOUNT": "ledger_account",
    "own_moves.OURS": "sending_versions_pkey",
    "own_moves.MOVED": "sending_moves_address",
    "own_moves.OF_COIN": "sending_moves_address",
}

FILL = """
INSERT INTO payments (id, owner, chain, chain_id, asset, currency, decimals, address, wallet,
    derivation_index, amount, confirmations_required, accepts_late, created_at, expires_at,
    watched_until, metadata, sequence)
SELECT gen_random_uuid(), gen_random_uuid(), 'anvil', 31337, 'native', 'ETH', 18,
    '0x' || lpad(to_hex(n), 40, '0'),
    'w', n, 1, 1, false, now(), now() + interval '1 hour', now() + interval '1 day', '{}', 1
FROM generate_series(1, 5000) AS n;
ANALYZE payments;
"""


@pytest.fixture(scope="module")
async def schema(cluster: Cluster, template: str) -> AsyncIterator[Conn]:
    """One connection for all statements, none of which is run; it knows a large table."""
    conn = await asyncpg.connect(cluster.create("statements", template=template))
    await conn.execute(FILL)
    yield conn
    await conn.close()
    cluster.drop("statements")


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - SAYS_NOTHING))
async def test_a_statement_is_valid(schema: Conn, name: str) -> None:
    await schema.prepare(STATEMENTS[name])


def test_the_statements_were_found() -> None:
    assert len(STATEMENTS) > 35
    assert {"payments.LOCK", "outbox.APPEND", "wallets.RESERVE"} <= STATEMENTS.keys()


@pytest.mark.parametrize("name", sorted(HOT))
async def test_a_hot_statement_uses_its_index(schema: Conn, name: str) -> None:
    prepared = await schema.prepare(STATEMENTS[name])
    nothing = ", ".join(f"NULL::{p.schema}.{p.name}" for p in prepared.get_parameters())
    await schema.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
    types = ", ".join(spelt(p) for p in prepared.get_parameters())
    await schema.execute(f"PREPARE hot ({types}) AS {STATEMENTS[name]}")
    try:
        plan = await schema.fetch(f"EXPLAIN EXECUTE hot ({nothing.replace('pg_catalog.', '')})")
    finally:
        await schema.execute("DEALLOCATE hot")
    text = "\n".join(row[0] for row in plan)
    assert HOT[name] in text, text
    assert "Seq Scan" not in text.replace("Seq Scan on cursors", ""), text


def spelt(parameter: Any) -> str:
    return f"{parameter.schema}.{parameter.name}".replace("pg_catalog.", "")


def test_each_table_has_one_writer() -> None:
    writers: dict[str, set[str]] = {}
    for name, text in STATEMENTS.items():
        for table in WRITES.findall(re.sub(r"FOR UPDATE|DO UPDATE", "", text)):
            writers.setdefault(table, set()).add(name.partition(".")[0])
    # births joins the texts of two owners into one statement and adds none of its own; outbox
    # puts into the queue what queue takes out.
    assert writers == {
        "api_keys": {"accounts"},
        "key_uses": {"accounts"},
        "audits": {"audits"},
        "batch_parts": {"batches"},
        "blocks": {"blocks"},
        "chain_leases": {"leases"},
        "books": {"ledger"},
        "books_due": {"ledger"},
        "cursors": {"blocks"},
        "attempts": {"queue"},
        "attempts_rest": {"queue"},
        "deliveries": {"outbox", "births", "queue"},
        "deliveries_done": {"queue"},
        "deliveries_done_rest": {"queue"},
        "endpoint_secrets": {"endpoint_secrets"},
        "endpoints": {"endpoints"},
        "idempotency_keys": {"idempotency"},
        "events": {"outbox", "births"},
        "deviations": {"reconciliations"},
        "holds": {"reconciliations"},
        "reconciliations": {"reconciliations"},
        "ledger": {"ledger"},
        "ledger_entries": {"ledger"},
        "migrations": {"migrate"},
        "payments": {"payments", "births"},
        "refunds": {"refunds"},
        "replays": {"replays"},
        "sending_moves": {"sendings"},
        "sending_offers": {"offers"},
        "sending_versions": {"sendings"},
        "sendings": {"sendings"},
        "sweeps": {"sweeps"},
        "rescans": {"rescans"},
        "tokens": {"tokens"},
        "transfers": {"transfers"},
        "wallets": {"wallets"},
        "processes": {"leases"},
    }


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        ("payments_status", Status),
        ("payments_flags", Flag),
        ("payments_settles", Settles),
        ("sweeps_state", SweepState),
        ("refunds_state", RefundState),
        ("sendings_purpose", Purpose),
        ("sendings_state", SendingState),
    ],
)
async def test_a_check_lists_what_the_enum_lists(
    conn: Conn, constraint: str, words: type[StrEnum]
) -> None:
    text = await conn.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1", constraint
    )
    said = set(re.findall(r"'{?([a-z_,]+)}?'", text.replace("'::text", "'"))) or {text}
    said = {word for listed in said for word in listed.split(",")}
    assert said == {word.value for word in words}


async def test_amounts_hold_a_whole_evm_word(conn: Conn) -> None:
    scale = await conn.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE data_type = 'numeric'"
        " AND table_schema = 'public' AND (numeric_precision, numeric_scale) <> (78, 0)"
    )
    assert not scale
    assert await conn.fetchval("SELECT $1::numeric(78, 0)", 2**256 - 1) == 2**256 - 1
    assert all(len(kind.value) < 64 for kind in EventType)
