"""The books stay in order: months come and go, leftovers end, old seals are renewed."""

import asyncio
from datetime import timedelta

import pytest

from ctrip.core.endpoints import CONFIG
from ctrip.flows.endpoints import Endpoints
from ctrip.flows.prune import Pruner
from ctrip.flows.register import New
from ctrip.flows.stops import Stops
from ctrip.settings import Secret, Webhooks
from ctrip.store import endpoint_secrets, endpoints, queue
from ctrip.store.pool import Conn, Pool
from ctrip.webhooks.guard import Guard
from ctrip.webhooks.seal import Sealer, Unsealable
from tests.store.rows import written
from tests.support.builders import CREATED
from tests.support.clock import FakeClock
from tests.support.receivers_on_record import URL

PLAIN = Webhooks()
OLD, NEW = Secret("old0" * 16), Secret("new1" * 16)


async def pruned(pool: Pool, settings: Webhooks = PLAIN, days: float = 0) -> None:
    clock = FakeClock(CREATED + timedelta(days=days))
    assert not await Pruner(pool, clock, settings).run_once()


async def test_what_waits_for_an_endpoint_that_is_disabled_or_gone_is_ended(
    pool: Pool, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "ENDED_AT_ONCE_MAX", 2)
    for _ in range(5):
        await written(conn)
    await conn.execute("INSERT INTO deliveries VALUES ('evt_gone', 'we_gone', now())")
    await endpoints.disable(conn, CONFIG, "x", now=CREATED)
    await pruned(pool)
    assert await conn.fetchval("SELECT count(*) FROM deliveries") == 0
    rows = await conn.fetch("SELECT DISTINCT delivered, outcome FROM deliveries_done")
    assert [tuple(row) for row in rows] == [(False, "disabled")]
    assert await conn.fetchval("SELECT count(*) FROM deliveries_done") == 6


async def test_months_are_made_ahead_and_dropped_when_they_are_old(pool: Pool, conn: Conn) -> None:
    await pruned(pool)
    assert await months(conn) == ["202601", "202602", "202603"]
    await pruned(pool, days=59 + 95)  # June begins; January ended 123 days ago, February 95
    assert await months(conn) == ["202603", "202606", "202607", "202608"]


async def test_a_gateway_that_runs_on_makes_the_months_as_they_come(pool: Pool, conn: Conn) -> None:
    clock = FakeClock(CREATED)
    pruner = Pruner(pool, clock, Webhooks())
    for _ in range(3):
        await pruner.run_once()
        clock.move(days=31)
    assert await months(conn) == ["202601", "202602", "202603", "202604", "202605"]


async def test_what_no_month_holds_is_forgotten_as_well(
    pool: Pool, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "ENDED_AT_ONCE_MAX", 2)
    kept = timedelta(days=PLAIN.keep_days)
    ends = [CREATED - kept - timedelta(seconds=1)] * 3 + [CREATED - kept]
    for end in ends:
        await conn.execute("INSERT INTO deliveries_done VALUES ('e', 'w', true, 1, '200', $1)", end)
        await conn.execute("INSERT INTO attempts VALUES ('e', 'w', 1, false, $1, 1, '200')", end)
    await pruned(pool)
    done = await conn.fetch("SELECT ended_at FROM deliveries_done_rest")
    attempts = await conn.fetch("SELECT at FROM attempts_rest")
    assert [*map(tuple, done)] == [*map(tuple, attempts)] == [(CREATED - kept,)]


async def months(conn: Conn) -> list[str]:
    """Return the months that both tables have."""
    rows = await conn.fetch(
        "SELECT inhparent::regclass::text AS parent, right(inhrelid::regclass::text, 6) AS month"
        " FROM pg_inherits WHERE inhrelid::regclass::text ~ '^(attempts|deliveries_done)_[0-9]{6}$'"
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["parent"], []).append(row["month"])
    assert sorted(found["attempts"]) == sorted(found["deliveries_done"])
    return sorted(found["attempts"])


async def test_secrets_and_headers_move_to_the_new_key(pool: Pool, conn: Conn) -> None:
    flow = Endpoints(
        pool, Guard(), Webhooks(secrets_key=OLD), FakeClock(CREATED), asyncio.Event(), Stops()
    )
    made, secret = await flow.create(New(url=URL, headers={"X-A": Secret("1")}))
    await pruned(pool, Webhooks(secrets_key=NEW, secrets_key_before=OLD))
    only_new = Sealer(NEW)
    (kept,) = await endpoint_secrets.all_kept(conn)
    assert only_new.open(kept.sealed, owner=made.id).decode() == secret
    now = await endpoints.find(conn, made.id)
    assert now is not None
    assert only_new.open(now.headers or b"", owner=made.id) == b'{"X-A":"1"}'
    assert now.revision > made.revision


async def test_a_secret_that_no_key_opens_is_said_and_left_as_it_is(
    pool: Pool, conn: Conn, caplog: pytest.LogCaptureFixture
) -> None:
    flow = Endpoints(
        pool, Guard(), Webhooks(secrets_key=OLD), FakeClock(CREATED), asyncio.Event(), Stops()
    )
    made, _ = await flow.create(New(url=URL))
    await pruned(pool, Webhooks(secrets_key=NEW))
    assert "not sealed anew" in caplog.text
    (kept,) = await endpoint_secrets.all_kept(conn)
    with pytest.raises(Unsealable):
        Sealer(NEW).open(kept.sealed, owner=made.id)


async def test_a_secret_that_has_expired_is_forgotten(pool: Pool, conn: Conn) -> None:
    settings = Webhooks(secrets_key=OLD)
    flow = Endpoints(pool, Guard(), settings, FakeClock(CREATED), asyncio.Event(), Stops())
    made, _ = await flow.create(New(url=URL))
    await flow.rotate(made.id)
    await pruned(pool, settings, days=0.99)
    assert len(await endpoint_secrets.all_kept(conn)) == 2
    await pruned(pool, settings, days=1)
    (kept,) = await endpoint_secrets.all_kept(conn)
    assert kept.expires_at is None


async def test_events_get_their_places_though_nobody_reads(pool: Pool, conn: Conn) -> None:
    await written(conn)
    await pruned(pool)
    assert await conn.fetchval("SELECT count(*) FROM events WHERE position IS NULL") == 0
