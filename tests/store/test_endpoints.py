"""Endpoints as rows: who hears of what, how they do, and who may be changed by whom."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from msgspec import UNSET

from ctrip.core.endpoints import CONFIG, EndpointId, Format, Kind, matches, site_of
from ctrip.core.events import EventType
from ctrip.core.ids import EventId
from ctrip.core.notices import Notice, Trial
from ctrip.store import endpoint_secrets, endpoints, outbox
from ctrip.store.endpoint_secrets import SealedSecret
from ctrip.store.endpoints import Tally, Wish
from ctrip.store.pool import Conn
from tests.support.builders import CREATED
from tests.support.receivers_on_record import URL, an_endpoint, made

ONE, TWO = EndpointId("we_1"), EndpointId("we_2")
LATER = CREATED + timedelta(minutes=1)
PATTERNS = ("*", "payment.*", "webhook.*", "payment.paid", "webhook.test")


async def found(conn: Conn, endpoint_id: EndpointId = ONE) -> endpoints.Endpoint:
    one = await endpoints.find(conn, endpoint_id)
    assert one is not None
    return one


@pytest.mark.parametrize("event_type", [EventType.PAID, EventType.CREATED, EventType.TEST])
async def test_the_queue_and_the_core_read_a_filter_alike(conn: Conn, event_type: str) -> None:
    await made(conn, *(an_endpoint(f"we_{p}", event_types=(p,)) for p in PATTERNS))
    notice = Notice(id=EventId("evt_1"), type=EventType(event_type), data=Trial(endpoint_id=ONE))
    news = [outbox.notice_row(notice, CREATED)]
    await outbox.write(conn, outbox.columns(news, now=CREATED))
    rows = await conn.fetch("SELECT endpoint_id FROM deliveries")
    heard = {row["endpoint_id"].removeprefix("we_") for row in rows}
    assert heard == {pattern for pattern in PATTERNS if matches([pattern], event_type)}
    assert heard


async def test_a_change_changes_what_is_said_and_raises_the_revision(conn: Conn) -> None:
    await made(conn, an_endpoint(headers=b"sealed", rate_max=5.0))
    before = await found(conn)
    await endpoints.change(conn, ONE, Wish(format=Format.THIN), now=LATER)
    after = await found(conn)
    assert (after.format, after.headers, after.rate_max) == (Format.THIN, b"sealed", 5.0)
    assert (after.revision, after.updated_at) == (before.revision + 1, LATER)
    await endpoints.change(conn, ONE, Wish(headers=None, rate_max=None), now=LATER)
    bare = await found(conn)
    assert (bare.headers, bare.rate_max, bare.url) == (None, None, URL)
    assert Wish().headers is UNSET
    assert await endpoints.change(conn, TWO, Wish(), now=LATER) is None


async def test_enabling_forgets_every_failure(conn: Conn) -> None:
    await made(conn, an_endpoint())
    await endpoints.count(conn, [Tally(endpoint_id=ONE, failures=3)], now=CREATED)
    await endpoints.pause(conn, ONE, until=LATER)
    assert await endpoints.disable(conn, ONE, "x", now=CREATED)
    assert not await endpoints.disable(conn, ONE, "y", now=CREATED)
    assert (await found(conn)).disabled_reason == "x"
    assert [one.id for one in await endpoints.disabled_for(conn, ["x"])] == [ONE]
    await endpoints.enable(conn, ONE, now=LATER)
    one = await found(conn)
    assert (one.enabled, one.failures, one.failing_since, one.paused_until) == (True, 0, None, None)


async def test_failures_add_up_from_the_first_until_a_success(conn: Conn) -> None:
    await made(conn, an_endpoint())
    for at in (CREATED, LATER):
        await endpoints.count(conn, [Tally(endpoint_id=ONE, failures=2)], now=at)
    one = await found(conn)
    assert (one.failures, one.failing_since) == (4, CREATED)
    await endpoints.count(conn, [Tally(endpoint_id=ONE, failures=0)], now=LATER)
    one = await found(conn)
    assert (one.failures, one.failing_since) == (0, None)
    assert await endpoints.count(conn, [Tally(endpoint_id=ONE, failures=0)], now=LATER) == []


async def test_only_what_was_made_over_the_api_can_be_removed(conn: Conn) -> None:
    await endpoints.sync_config(conn, URL, now=CREATED)
    await endpoints.add_sites(conn, [URL], now=CREATED)
    await made(conn, an_endpoint())
    await endpoint_secrets.add(conn, a_secret(1))
    for endpoint_id, goes in [(ONE, True), (CONFIG, False), (site_of(URL), False)]:
        assert await endpoints.remove(conn, endpoint_id) is goes
    assert await endpoint_secrets.all_kept(conn) == []


async def test_pages_follow_each_other(conn: Conn) -> None:
    await made(conn, *(an_endpoint(f"we_{n}") for n in range(5)))
    await endpoints.add_sites(conn, [URL], now=CREATED)
    after, seen = (CREATED - timedelta(days=1), EndpointId("")), []
    while page := await endpoints.page(conn, after=after, kind=Kind.API, count_max=2):
        seen += [one.id for one in page]
        after = (page[-1].created_at, page[-1].id)
    assert seen == [f"we_{n}" for n in range(5)]
    whole = await endpoints.page(conn, after=(CREATED, EndpointId("")), kind=None, count_max=9)
    assert len(whole) == 6


def a_secret(n: int, endpoint_id: EndpointId = ONE, minutes: int = 0) -> SealedSecret:
    return SealedSecret(
        id=UUID(int=n),
        endpoint_id=endpoint_id,
        sealed=bytes([n]),
        created_at=CREATED + timedelta(minutes=minutes),
        expires_at=None,
    )


async def test_secrets_sign_newest_first_until_they_expire(conn: Conn) -> None:
    await made(conn, an_endpoint(), an_endpoint("we_2"))
    await endpoint_secrets.add(conn, a_secret(1, minutes=0))
    await endpoint_secrets.expire(conn, ONE, at=LATER)
    await endpoint_secrets.add(conn, a_secret(2, minutes=0))
    await endpoint_secrets.add(conn, a_secret(3, TWO))
    assert [s.sealed for s in await endpoint_secrets.live(conn, ONE, now=CREATED)] == [b"\2", b"\1"]
    assert [s.sealed for s in await endpoint_secrets.live(conn, ONE, now=LATER)] == [b"\2"]
    of_all = await endpoint_secrets.live_of_all(conn, [ONE, TWO, CONFIG], now=CREATED)
    assert {one: [s.sealed for s in kept] for one, kept in of_all.items()} == {
        ONE: [b"\2", b"\1"], TWO: [b"\3"], CONFIG: [],
    }  # fmt: skip


async def test_a_secret_never_lives_longer_than_it_was_told_to(conn: Conn) -> None:
    await made(conn, an_endpoint())
    await endpoint_secrets.add(conn, a_secret(1))
    await endpoint_secrets.expire(conn, ONE, at=LATER)
    await endpoint_secrets.expire(conn, ONE, at=LATER + timedelta(days=1))
    (kept,) = await endpoint_secrets.all_kept(conn)
    assert kept.expires_at == LATER
    await endpoint_secrets.forget_expired(conn, now=LATER - timedelta(seconds=1))
    assert len(await endpoint_secrets.all_kept(conn)) == 1
    await endpoint_secrets.forget_expired(conn, now=LATER)
    assert await endpoint_secrets.all_kept(conn) == []


async def test_a_secret_is_sealed_anew_in_its_place(conn: Conn) -> None:
    await made(conn, an_endpoint())
    for n in (1, 2):
        await endpoint_secrets.add(conn, a_secret(n))
    await endpoint_secrets.reseal(conn, UUID(int=1), b"new")
    await endpoint_secrets.reseal(conn, uuid4(), b"nobody's")
    assert {one.sealed for one in await endpoint_secrets.all_kept(conn)} == {b"new", b"\2"}
