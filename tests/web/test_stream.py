"""A payment's stream: what it shows, what it goes on after, who may follow, and how it ends."""

import asyncio
import random
import re
import subprocess
from pathlib import Path

import pytest
from msgspec import json

from ctrip.core.ids import PaymentId
from ctrip.store.pool import connection
from tests.support.node_verifier import NODE
from tests.web.shop import Shop
from tests.web.studio import Studio, a_studio, some_payments, until_listening

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
FOLLOWER = """
await follow(process.argv[2], process.argv[3], (type, data) => {
  console.log(type, data.sequence ?? "");
  return data.sequence !== 3;
});
"""


async def test_it_shows_the_payment_and_then_each_event_as_it_is_signed(
    shop: Shop, studio: Studio, payment: PaymentId
) -> None:
    shown = (await shop.get(f"/api/v1/payments/{payment}")).body
    follower = await studio.follow(payment)
    await follower.reaches(1)
    for _ in range(2):
        await studio.happens(payment)
    await follower.reaches(3)
    first, *news = follower.seen
    assert (first.id, first.kind, first.body) == (1, "payment", shown)
    assert [(one.id, one.kind) for one in news] == [(n, "payment.detected") for n in (2, 3)]
    async with connection(shop.pool) as conn:
        rows = await conn.fetch(
            "SELECT body FROM events WHERE payment_id = $1 ORDER BY sequence", payment
        )
    assert [one.body for one in news] == [row["body"] for row in rows[1:]]
    assert follower.headers["content-type"].startswith("text/event-stream")
    assert follower.headers["cache-control"] == "no-store"
    assert follower.headers["x-accel-buffering"] == "no"
    assert 1_000 <= int(follower.retry.removeprefix(b"retry: ")) <= 5_000


async def test_it_goes_on_after_any_event(studio: Studio, payment: PaymentId) -> None:
    for _ in range(3):
        await studio.happens(payment)
    for after in range(4):
        by_header = await studio.follow(payment, after=after)
        by_query = await studio.follow(payment, f"?last_event_id={after}")
        both = await studio.follow(payment, "?last_event_id=0", after=after)
        for follower in (by_header, by_query, both):
            await follower.reaches(4)
            assert follower.ids == list(range(after + 1, 5))
            assert "payment" not in {one.kind for one in follower.seen}


async def test_who_has_seen_all_waits_for_what_comes(studio: Studio, payment: PaymentId) -> None:
    follower = await studio.follow(payment, after=1)
    await follower.begins()
    assert not follower.seen
    await studio.happens(payment)
    await follower.reaches(2)
    assert follower.ids == [2]


async def test_who_has_seen_more_than_there_is_begins_anew(
    studio: Studio, payment: PaymentId
) -> None:
    """As after a backup was restored."""
    follower = await studio.follow(payment, after=7)
    await follower.reaches(1)
    assert [(one.id, one.kind) for one in follower.seen] == [(1, "payment")]


@pytest.mark.parametrize("said", ["x", "-1", "1.5", "1e3", "9" * 11, "2 3", "\xb2"])
async def test_a_place_that_is_none_is_refused(
    studio: Studio, payment: PaymentId, said: str
) -> None:
    follower = await studio.follow(payment, after=said)
    await follower.completes()
    assert (follower.status, json.decode(follower.body)["code"]) == (400, "invalid_request")
    if said.isascii() and " " not in said:
        follower = await studio.follow(payment, f"?last_event_id={said}")
        await follower.completes()
        assert follower.status == 400


@pytest.mark.parametrize("seed", range(2))
async def test_who_comes_and_goes_misses_nothing_and_hears_nothing_twice(
    shop: Shop, studio: Studio, seed: int
) -> None:
    """Connections break while events are committed; each goes on after the last that came."""
    dice = random.Random(seed)
    ids = await some_payments(shop, 3)
    last = 25

    async def write() -> None:
        for _ in range(last - 1):
            await studio.happens(*ids)
            await asyncio.sleep(dice.random() * 0.02)

    async def listen(payment: PaymentId) -> list[int]:
        heard: list[int] = []
        while not heard or heard[-1] < last:
            after = heard[-1] if heard else 0
            follower = await studio.follow(payment, after=after)
            await follower.reaches(min(last, after + dice.randint(1, 6)))
            follower.leave()
            heard += follower.ids
        return heard

    async with asyncio.timeout(20):
        _, *streams = await asyncio.gather(write(), *(listen(payment) for payment in ids * 4))
    assert streams == [list(range(1, last + 1))] * len(streams), f"seed {seed}"


async def test_silence_is_broken_by_a_comment(shop: Shop, payment: PaymentId) -> None:
    async with a_studio(shop.parts, shop.key, silence_seconds=0.02) as studio:
        follower = await studio.follow(payment)
        async with asyncio.timeout(5):
            while follower.comments < 3:
                await follower.stirs()
        await studio.happens(payment)
        await follower.reaches(2)
        assert follower.ids == [1, 2]


async def test_head_is_answered_and_ends(studio: Studio, payment: PaymentId) -> None:
    follower = await studio.follow(payment, method="HEAD")
    async with asyncio.timeout(5):
        while not follower.status:
            await follower.stirs()
    assert follower.status == 200
    assert follower.headers["content-type"].startswith("text/event-stream")
    assert "content-length" not in follower.headers
    assert len(studio.audience) == 0
    follower.leave()


async def test_it_is_for_those_who_may_see_the_payment(
    shop: Shop, studio: Studio, payment: PaymentId
) -> None:
    answers = {
        401: [""],
        403: [await shop.issue("write")],
        404: [await shop.issue("read")],
    }
    for status, keys in answers.items():
        for key in keys:
            follower = await studio.follow(payment, key=key)
            await follower.completes()
            assert follower.status == status
    for nothing in ("x", "0197a000-0000-7000-8000-00000000dead"):
        follower = await studio.follow(nothing)
        await follower.completes()
        assert follower.status == 404
    everybody = await studio.follow(payment, key=await shop.issue("admin"))
    await everybody.reaches(1)


async def test_the_example_in_the_docs_comes_back_and_goes_on(
    shop: Shop, payment: PaymentId, tmp_path: Path
) -> None:
    """In JavaScript: its first stream is cut off by us, and it leaves when it was told of 3."""
    (code,) = re.findall(r"^```js\n(async function follow.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    program = tmp_path / "follow.mjs"
    hurried = code.replace("4000 * Math.random()", "0").replace("1000 +", "400 +")
    program.write_text(hurried + FOLLOWER)
    async with a_studio(shop.parts, shop.key) as studio:
        url = f"http://127.0.0.1:{studio.port}/api/v1/payments/{payment}/stream"
        node = await asyncio.create_subprocess_exec(
            NODE, program, url, shop.key, stdout=subprocess.PIPE
        )
        try:
            assert node.stdout is not None
            assert await asyncio.wait_for(node.stdout.readline(), 10) == b"payment \n"
            for connection_ in list(studio.server.server_state.connections):
                connection_.transport.abort()
            await until_listening(studio, 0)
            await studio.happens(payment)
            await until_listening(studio, 1)
            await studio.happens(payment)
            said, _ = await asyncio.wait_for(node.communicate(), 10)
        finally:
            if node.returncode is None:
                node.kill()
    assert said.decode().split() == ["payment.detected", "2", "payment.detected", "3"]
