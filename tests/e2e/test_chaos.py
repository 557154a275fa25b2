"""Kills: of the gateway at any moment, and of the database below it."""

import asyncio
import os
import signal
import tempfile
from collections import defaultdict
from pathlib import Path
from random import SystemRandom
from typing import Any, Final

import asyncpg

from ctrip.dev import postgres
from tests.support.canaries import WEBHOOK_SECRET, Evidence
from tests.support.chaos import Trouble, mining
from tests.support.ledger import on_chain
from tests.support.memory import memory
from tests.support.receiver import verify
from tests.support.waiting import until
from tests.support.warm_ctrip import WarmCtrip
from tests.support.world import World, world

SHOPPERS: Final = 10
PAYMENTS: Final = 50
KILLS: Final = 14
SETTLE_SECONDS_MAX: Final = 40.0  # a delivery that a killed gateway had claimed waits for 20
DATABASE: Final = "ctrip"


async def test_kills_at_random_moments_lose_nothing_and_count_nothing_twice(
    fresh: World, database: str
) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or SystemRandom().getrandbits(32))
    print(f"repeat with CHAOS_SEED={seed}")  # noqa: T201  shown when it fails
    await fresh.fund(coin=10**18, token=10**12)
    await fresh.gateway.start()
    trouble = Trouble(fresh, seed)
    fresh.receiver.answers(trouble.answer)
    async with mining(fresh):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(trouble.kill(KILLS))
            for _ in range(SHOPPERS):
                tasks.create_task(trouble.shop(PAYMENTS // SHOPPERS))
        conn = await asyncpg.connect(database)
        await all_settled(conn, trouble)
        await all_delivered(conn)
    assert len(trouble.bought) == PAYMENTS
    await check_money(fresh, trouble)
    await check_news(trouble, conn)
    await conn.close()
    assert not fresh.gateway.faults()


async def all_settled(conn: "asyncpg.Connection[Any]", trouble: Trouble) -> None:
    ids = [bought.payment["id"] for bought in trouble.bought]

    async def look() -> bool:
        query = "SELECT count(*) FROM payments WHERE id = ANY($1) AND status <> 'settled'"
        return bool(await conn.fetchval(query, ids) == 0)

    await until("every payment is settled", look, seconds=SETTLE_SECONDS_MAX)


async def all_delivered(conn: "asyncpg.Connection[Any]") -> None:
    async def look() -> bool:
        query = (
            "SELECT (SELECT count(*) FROM deliveries) + "
            "(SELECT count(*) FROM deliveries_done WHERE NOT delivered)"
        )
        return bool(await conn.fetchval(query) == 0)

    await until("every event is delivered", look, seconds=SETTLE_SECONDS_MAX)


async def check_money(it: World, trouble: Trouble) -> None:
    """Compare what the gateway says with what the payers sent and what the chain holds."""
    chain = await on_chain(
        it.chain, it.token, [bought.payment["address"] for bought in trouble.bought]
    )
    for bought in trouble.bought:
        payment = await it.gateway.get(bought.payment["id"])
        assert payment["status"] == "settled"
        assert payment["amount_received"] == payment["amount"]
        there = chain[payment["address"].lower()]
        assert {t["tx_hash"]: t["amount"] for t in payment["transfers"]} == there
        assert len(payment["transfers"]) == len(there)
        assert there.keys() == set(bought.hashes)


async def check_news(trouble: Trouble, conn: "asyncpg.Connection[Any]") -> None:
    """Every event was accepted, each time the same; those of a payment count 1, 2, 3."""
    sequences: dict[str, set[int]] = defaultdict(set)
    bodies: dict[str, bytes] = {}
    for received in trouble.accepted:
        event = verify(received, WEBHOOK_SECRET)
        assert bodies.setdefault(event["id"], received.body) == received.body
        sequences[event["data"]["id"]].add(event["sequence"])
    stored = await conn.fetch("SELECT id, body FROM events")
    assert bodies == {row["id"]: row["body"] for row in stored}
    for payment_id, seen in sequences.items():
        assert seen == set(range(1, len(seen) + 1)), payment_id


async def test_a_killed_database_stops_nothing_for_good(
    evidence: Evidence, warm: WarmCtrip
) -> None:
    with tempfile.TemporaryDirectory(prefix="ctrip-test-", dir=memory()) as name:
        folder = Path(name)
        cluster = postgres.start(folder)
        try:
            async with world(cluster.create(DATABASE), evidence, warm) as it:
                await it.fund(coin=10**18, token=10**12)
                await it.gateway.start()
                trouble = Trouble(it, seed=1)
                it.receiver.answers(trouble.answer)
                async with mining(it):
                    await trouble.shop(2)
                    kept = await it.gateway.create(amount=5)
                    os.kill(cluster.pid, signal.SIGKILL)
                    await check_outage(it)
                    await it.pay(kept, 5)
                    cluster.stop()
                    cluster = postgres.start(folder)
                    await until("it heals by itself", it.gateway.is_ready, seconds=30)
                    await trouble.shop(2)
                    conn = await asyncpg.connect(cluster.url_of(DATABASE))
                    await all_settled(conn, trouble)
                    await it.gateway.reaches(kept["id"], "settled")
                    await all_delivered(conn)
                await check_money(it, trouble)
                await check_news(trouble, conn)
                await conn.close()
                assert it.gateway.starts == 1
                assert not it.gateway.faults()
        finally:
            cluster.stop()


async def check_outage(it: World) -> None:
    """See what the gateway says while its database is away."""

    async def unready() -> bool:
        return not await it.gateway.is_ready()

    await until("/health/ready notices", unready)
    alive = await it.gateway.ask("GET", "/health")
    assert (alive.status, alive.json) == (200, {"status": "ok"})
    ready = await it.gateway.ask("GET", "/health/ready")
    assert ready.json["parts"]["database"]["ok"] is False
    refused = await it.gateway.ask("POST", "/api/v1/payments", {"chain": "anvil", "amount": 5})
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json["code"] == "unavailable"
    assert (await it.gateway.ask("GET", "/metrics")).status == 200
