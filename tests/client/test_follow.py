"""A program follows a payment, through whatever breaks."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from ctrip.client.aio import AsyncClient
from ctrip.client.frames import Frame, Frames
from ctrip.client.models import Change
from ctrip.client.talk import Denied, GatewayOutage, NotAGateway
from ctrip.store.pool import Pool
from tests.support.receiver import receiver, status
from tests.web.shop import Shop, open_shop

STREAM = (
    b"retry: 1500\n\nid: 1\nevent: payment\ndata: {}\n\n:\n\n"
    b"id: 2\r\nevent: x\r\ndata: a\r\ndata: b\r\n\r\n"
)
FRAMES = [Frame(retry=1500), Frame("1", "payment", b"{}"), Frame("2", "x", b"a\nb")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_frames_are_whole_however_they_were_cut(cuts: list[int]) -> None:
    frames, places = Frames(), [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in pairwise(places)]
    assert [frame for piece in pieces for frame in frames.feed(piece)] == FRAMES


def test_a_frame_has_an_end() -> None:
    with pytest.raises(ValueError, match="without an end"):
        Frames().feed(b"data: " + b"x" * 2**24)


@pytest.fixture
async def shop(pool: Pool) -> AsyncIterator[Shop]:
    async with open_shop(pool) as shop:
        yield shop


async def some(changes: AsyncIterator[Change], count: int) -> list[Change]:
    async with asyncio.timeout(10):
        return [await anext(changes) for _ in range(count)]


async def told(shop: Shop, changes: AsyncIterator[Change], count: int) -> list[Change]:
    """Return changes while the shop does for its listeners what a duty does in a gateway."""
    hearing = asyncio.create_task(some(changes, count))
    while not hearing.done():
        await shop.parts.audience.run_once()
        await asyncio.sleep(0.02)
    return hearing.result()


async def test_what_is_comes_first_and_then_the_news(shop: Shop) -> None:
    async with AsyncClient(shop.url, shop.key) as ctrip:
        made = await ctrip.create_payment("anvil", 5)
        changes = ctrip.follow(made.id)
        assert await told(shop, changes, 1) == [Change(sequence=1, type="payment", payment=made)]
        gone = await ctrip.cancel(made.id)
        news = await told(shop, changes, 2)
        assert {one.type for one in news} == {"payment.expired", "payment.cancelled"}
        assert news[-1].payment == gone
        again = await told(shop, ctrip.follow(made.id, after=1), 2)
        assert again == news


async def test_a_payment_of_somebody_else_is_not_followed(shop: Shop) -> None:
    made = await shop.create()
    async with AsyncClient(shop.url, await shop.issue("read"), waits=()) as ctrip:
        with pytest.raises(Denied, match="No payment has this id"):
            await some(ctrip.follow(made["id"]), 1)


async def test_a_gateway_that_is_away_is_waited_for_but_not_for_ever() -> None:
    async with receiver() as it:
        it.answers(status(503, b"", {"retry-after": "0"}))
        async with AsyncClient(it.url, "", waits=(0.0, 0.0)) as ctrip:
            with pytest.raises(GatewayOutage, match="answered 503"):
                await some(ctrip.follow("x"), 1)
        assert len(it.received) == 3


SSE = {"content-type": "text/event-stream"}


async def test_a_stream_that_ends_before_it_began_is_a_failure_like_others() -> None:
    async with receiver() as it:
        it.answers(status(200, b"", SSE))
        async with AsyncClient(it.url, "", waits=(0.0, 0.0)) as ctrip:
            with pytest.raises(GatewayOutage, match="ended the stream"):
                async with asyncio.timeout(1):
                    await some(ctrip.follow("x"), 1)
        assert len(it.received) == 3


@pytest.mark.parametrize("begin", [b"", b"retry: 0\n\n"])
async def test_a_stream_that_ends_at_once_is_not_taken_up_at_once(shop: Shop, begin: bytes) -> None:
    body = begin + frame_of(await shop.create())
    async with receiver() as it:
        it.answers(status(200, body, SSE))
        async with AsyncClient(it.url, "", waits=(0.0,)) as ctrip:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await some(ctrip.follow("x"), 100)
        assert 1 <= len(it.received) <= 3


@pytest.mark.parametrize(
    "said",
    [
        b"id: 1\nevent: payment\ndata: {}\n\n",
        b"id: 1\nevent: payment.paid\ndata: no json\n\n",
        b'id: 2\nevent: payment.paid\ndata: {"id":"evt_1"}\n\n',
    ],
)
async def test_a_stream_that_tells_no_payment_is_no_gateways(said: bytes) -> None:
    async with receiver() as it:
        it.answers(status(200, said, SSE))
        async with AsyncClient(it.url, "") as ctrip:
            with pytest.raises(NotAGateway, match="is no gateway of this version"):
                await some(ctrip.follow("x"), 1)


async def test_a_place_that_is_no_number_is_no_gateways(shop: Shop) -> None:
    said = frame_of(await shop.create()).replace(b"id: 1", b"id: one")
    async with receiver() as it:
        it.answers(status(200, said, SSE))
        async with AsyncClient(it.url, "") as ctrip:
            with pytest.raises(NotAGateway):
                await some(ctrip.follow("x"), 1)


def frame_of(payment: object) -> bytes:
    """Return the first frame of a stream."""
    return b"id: 1\nevent: payment\ndata: %s\n\n" % json.encode(payment)
