"""What an orchestrator and an operator see, and the headers of every answer."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ctrip.core.ids import BlockNumber
from ctrip.dev import postgres
from ctrip.dev.postgres import Cluster
from ctrip.settings import Secret
from ctrip.store import pool as store
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import Pool, connection
from tests.support.builders import CHAIN, a_header
from tests.web.bad_creates import GOOD
from tests.web.shop import OTHER, Shop, open_shop

READY = "/health/ready"


@pytest.fixture
def doomed() -> Iterator[Cluster]:
    """A Postgres that a test may stop."""
    folder = Path(tempfile.mkdtemp(prefix="ctrip-test-")).resolve()
    try:
        with postgres.start(folder, durable=False) as cluster:
            yield cluster
    finally:
        shutil.rmtree(folder)


@pytest.fixture
async def orphan(doomed: Cluster) -> AsyncIterator[Shop]:
    """A site whose Postgres was stopped under it."""
    pool = await store.connect(Secret(doomed.url), size_max=4)
    async with connection(pool) as conn:
        await migrate(conn, read_files())
    async with open_shop(pool) as shop:
        assert (await shop.get("/api/v1/chains")).status == 200
        doomed.stop()
        yield shop
    pool.terminate()


async def test_a_site_without_its_database_is_alive_not_ready_and_says_so(orphan: Shop) -> None:
    alive = await orphan.get("/health")
    assert (alive.status, alive.json) == (200, {"status": "ok"})
    ready = await orphan.get(READY)
    assert (ready.status, ready.json["status"]) == (503, "failing")
    assert ready.json["parts"]["database"]["ok"] is False
    metrics = await orphan.get("/metrics")
    assert 'ctrip_part_up{part="database"} 0.0' in metrics.body.decode()
    orphan.clock.move(minutes=1)  # nobody is remembered for so long
    for answer in (
        await orphan.post(GOOD),
        await orphan.get("/api/v1/payments/00000000-0000-4000-8000-000000000000"),
    ):
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"].isdecimal()
        assert "ostgres" not in answer.body.decode()


async def test_a_site_is_ready_once_every_chain_was_read(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        assert (await shop.get(READY)).status == 503
        for chain in (CHAIN, OTHER):
            shop.health.saw(chain, head=a_header(12), read=BlockNumber(9))
        ready = await shop.call("GET", READY, headers={})
        assert (ready.status, ready.json["status"]) == (200, "ok")
        assert ready.json["parts"]["chains"][CHAIN] == {
            "ok": True, "head": 12, "read": 9, "lag_blocks": 3, "seen_seconds_ago": 0
        }  # fmt: skip
        parts = {"database", "chains", "outbox", "settlement", "books"}
        assert ready.json["parts"].keys() == parts


async def test_one_red_chain_is_named_and_leaves_the_others_green(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        for chain in (CHAIN, OTHER):
            shop.health.saw(chain, head=a_header(9), read=BlockNumber(9))
        shop.health.fails(f"watch {OTHER}", "stopped: a reason")
        ready = await shop.get(READY)
        assert ready.status == 503
        assert ready.json["parts"]["chains"][CHAIN]["ok"] is True
        assert ready.json["parts"]["chains"][OTHER]["why"] == "stopped: a reason"


async def test_what_could_be_better_about_money_is_said_until_it_is_and_stays_green(
    pool: Pool,
) -> None:
    async with open_shop(pool) as shop:
        for warning in ("no contract is there", ""):
            for chain in (CHAIN, OTHER):
                shop.health.saw(chain, head=a_header(9), read=BlockNumber(9))
            shop.health.warns("sweeps of bench", warning)
            settlement = (await shop.get(READY)).json["parts"]["settlement"]
            assert settlement["ok"] is True
            expected = f"sweeps of bench: {warning}" if warning else ""
            assert settlement.get("warning", "") == expected


async def test_a_chain_that_fell_silent_turns_red(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        for chain in (CHAIN, OTHER):
            shop.health.saw(chain, head=a_header(9), read=BlockNumber(9))
        shop.clock.move(seconds=61)
        ready = await shop.get(READY)
        assert ready.status == 503
        assert ready.json["parts"]["chains"][CHAIN]["seen_seconds_ago"] == 61


async def test_deliveries_that_are_overdue_turn_red(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        await shop.create()
        ready = await shop.get(READY)
        assert ready.json["parts"]["outbox"]["ok"] is True
        assert ready.json["parts"]["outbox"]["deliveries_waiting"] == 1
        shop.clock.move(minutes=6)
        assert (await shop.get(READY)).json["parts"]["outbox"]["ok"] is False


async def test_metrics_are_what_prometheus_reads(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        shop.health.saw(CHAIN, head=a_header(12), read=BlockNumber(9))
        await shop.create()
        answer = await shop.call("GET", "/metrics", headers={})
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.body.decode().splitlines()
    assert f'ctrip_part_up{{part="chain {CHAIN}"}} 1.0' in lines
    assert 'ctrip_part_up{part="database"} 1.0' in lines
    assert f'ctrip_chain_head{{chain="{CHAIN}"}} 12.0' in lines
    assert f'ctrip_chain_read{{chain="{CHAIN}"}} 9.0' in lines
    assert "ctrip_deliveries_waiting 1.0" in lines


async def test_every_answer_has_its_manners(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        answers = [
            await shop.post(GOOD),
            await shop.post(b"{"),
            await shop.get("/health"),
            await shop.get("/nowhere"),
            await shop.call("DELETE", "/health"),
            await shop.call("GET", "/api/v1/chains", headers={}),
        ]
        async with pool.acquire() as conn:
            await conn.execute("DROP TABLE payments CASCADE")
        fault = await shop.get("/api/v1/payments/00000000-0000-4000-8000-000000000000")
    assert [answer.status for answer in answers] == [201, 400, 200, 404, 405, 401]
    assert (fault.status, fault.json) == (
        500,
        {"detail": "Internal error", "code": "internal_error"},
    )
    answers.append(fault)
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["content-type"] == "application/json"
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)
