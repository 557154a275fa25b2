"""What streams bear: callers who go or do not read, many at once, and ends of all kinds."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec import json

from ctrip.core.ids import PaymentId
from ctrip.core.keys import digest_of
from ctrip.dev.postgres import Cluster
from ctrip.flows import audience as flow
from ctrip.store import accounts
from ctrip.store.pool import DatabaseOutage, Pool, connection
from tests.support.sse import Follower
from tests.web.shop import Shop
from tests.web.studio import Studio, a_studio, some_payments, until_listening

CUT = """
SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
WHERE application_name = 'ctrip' AND datname = current_database() AND pid <> pg_backend_pid()
"""
LISTENERS = 1_000
CHANGES_SECOND = 200
SECONDS = 2
TOGETHER = 10  # in one commit, as when a block is read
GROWTH_BYTES_MAX = 30_000_000  # during the rush, with what the clients keep


async def test_a_caller_who_goes_is_forgotten_at_once(studio: Studio, payment: PaymentId) -> None:
    followers = [await studio.follow(payment) for _ in range(3)]
    for follower in followers:
        await follower.reaches(1)
    assert len(studio.audience) == 3
    followers[0].leave()
    await until_listening(studio, 2)
    followers[1].transport.write_eof()
    await until_listening(studio, 1)


async def test_one_that_does_not_read_is_hung_up_on_and_nobody_else_notices(shop: Shop) -> None:
    (payment,) = await some_payments(shop, 1, description="x" * 20_000)
    async with a_studio(shop.parts, shop.key, write_seconds=0.5, send_buffer=4_608) as studio:
        asleep = await studio.follow(payment, after=0, receive_buffer=4_096)
        awake = await studio.follow(payment, after=0)
        await asleep.reaches(1)
        asleep.transport.pause_reading()
        for n in range(2, 20):
            await studio.happens(payment)
            await awake.reaches(n)
        await until_listening(studio, 1)
        await studio.happens(payment)
        await awake.reaches(20)
        assert awake.ids == list(range(1, 21))
        asleep.transport.resume_reading()
        await asleep.closes()
        again = await studio.follow(payment, after=asleep.ids[-1])
        await again.reaches(20)
        assert asleep.ids + again.ids == awake.ids


async def test_it_ends_when_its_key_is_revoked(shop: Shop, payment: PaymentId) -> None:
    key = await shop.issue("admin")
    async with a_studio(shop.parts, shop.key, poll_seconds=flow.POLL_SECONDS) as studio:
        ends = await studio.follow(payment, key=key)
        stays = await studio.follow(payment)
        await ends.reaches(1)
        async with connection(shop.pool) as conn:
            revoked = await accounts.find(conn, digest_of(key))
            assert revoked is not None
            await accounts.revoke(conn, revoked.id, now=shop.clock.now())
        await ends.completes(seconds=1.2)
        await until_listening(studio, 1)
        assert not stays.is_complete


async def test_there_are_so_many_and_no_more(
    studio: Studio, payment: PaymentId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "LISTENERS_EACH_MAX", 1)
    first = await studio.follow(payment)
    await first.reaches(1)
    for limit, status, code in (
        ("LISTENERS_EACH_MAX", 429, "too_many_streams"),
        ("LISTENERS_MAX", 503, "unavailable"),
    ):
        monkeypatch.setattr(flow, limit, 1)
        refused = await studio.follow(payment)
        await refused.completes()
        assert (refused.status, json.decode(refused.body)["code"]) == (status, code)
        assert refused.headers["content-type"] == "application/json"
        assert ("retry-after" in refused.headers) == (status == 503)
    first.leave()
    await until_listening(studio, 0)
    again = await studio.follow(payment)
    await again.reaches(1)


async def test_processes_hear_of_each_other(
    shop: Shop, cluster: Cluster, payment: PaymentId
) -> None:
    url = cluster.url_of("web")
    async with (
        a_studio(shop.parts, shop.key, database=url) as ours,
        a_studio(shop.parts, shop.key, database=url) as theirs,
    ):
        here, there = await ours.follow(payment), await theirs.follow(payment)
        await asyncio.gather(here.reaches(1), there.reaches(1))
        await ours.happens(payment)
        await asyncio.gather(here.reaches(2, seconds=2), there.reaches(2, seconds=2))
        await theirs.happens(payment)
        await asyncio.gather(here.reaches(3, seconds=2), there.reaches(3, seconds=2))
        assert here.ids == there.ids == [1, 2, 3]


async def test_news_that_nobody_tells_of_is_found(shop: Shop, payment: PaymentId) -> None:
    async with (
        a_studio(shop.parts, shop.key, poll_seconds=0.05) as deaf,
        a_studio(shop.parts, shop.key) as other,
    ):
        follower = await deaf.follow(payment)
        await follower.reaches(1)
        await other.happens(payment)
        await follower.reaches(2, seconds=2)


async def test_it_outlives_connections_to_the_database(shop: Shop, payment: PaymentId) -> None:
    async with a_studio(shop.parts, shop.key, poll_seconds=0.05) as studio:
        follower = await studio.follow(payment)
        await follower.reaches(1)
        for n in (2, 3):
            await cut_off(shop.pool)
            await happens_once_it_can(studio, payment)
            await follower.reaches(n)
        assert follower.ids == [1, 2, 3]
        assert not follower.is_closed


async def happens_once_it_can(studio: Studio, payment: PaymentId) -> None:
    """Let something happen, however often a connection is lent whose end was not noticed yet."""
    while True:
        with suppress(DatabaseOutage):
            return await studio.happens(payment)


async def cut_off(pool: Pool) -> None:
    """End every connection to the database but the one that says so, and that one too."""
    conn = await pool.acquire()
    try:
        await conn.execute(CUT)
        conn.terminate()
    finally:
        await pool.release(conn)


async def test_stopping_ends_streams_at_once(shop: Shop, payment: PaymentId) -> None:
    async with a_studio(shop.parts, shop.key) as studio:
        followers: list[Follower] = [await studio.follow(payment) for _ in range(20)]
        for follower in followers:
            await follower.reaches(1)
        loop = asyncio.get_running_loop()
        began = loop.time()
    assert loop.time() - began < 1
    assert all(follower.is_complete for follower in followers)


async def test_a_thousand_follow_while_two_hundred_changes_a_second_happen(
    shop: Shop, studio: Studio
) -> None:
    ids = await some_payments(shop, LISTENERS)
    followers: list[Follower] = []
    for start in range(0, LISTENERS, 100):
        part = ids[start : start + 100]
        followers += await asyncio.gather(*(studio.follow(one, after=1) for one in part))
    await asyncio.gather(*(follower.begins() for follower in followers))
    assert len(studio.audience) == LISTENERS
    before = resident_bytes()
    changes = await a_rush(studio, ids)
    async with asyncio.timeout(10):
        for payment, follower in zip(ids, followers, strict=True):
            if changes[payment]:
                await follower.reaches(1 + changes[payment])
    assert resident_bytes() - before < GROWTH_BYTES_MAX
    for payment, follower in zip(ids, followers, strict=True):
        assert follower.ids == list(range(2, 2 + changes[payment]))
        assert {json.decode(one.body)["data"]["id"] for one in follower.seen} <= {str(payment)}


async def a_rush(studio: Studio, ids: list[PaymentId]) -> Counter[PaymentId]:
    """Let so many changes a second happen, ten at a time; return each payment's."""
    dice = random.Random(0)
    loop = asyncio.get_running_loop()
    changes: Counter[PaymentId] = Counter()
    began = loop.time()
    for turn in range(SECONDS * CHANGES_SECOND // TOGETHER):
        changed = dice.sample(ids, TOGETHER)
        await studio.happens(*changed)
        changes.update(changed)
        await asyncio.sleep(max(0.0, began + (turn + 1) * TOGETHER / CHANGES_SECOND - loop.time()))
    assert loop.time() - began < 2 * SECONDS, "this machine is too slow for so many"
    return changes


def resident_bytes() -> int:
    """Return how much memory this process has: server and clients are both in it."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096
