"""One endpoint: its batches, its pace, what it learns about the one behind the URL."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from ctrip.chain import decode
from ctrip.chain.endpoint import LACKING_SECONDS, LOGS_WIDTH, LOGS_WIDTH_MAX, TRIES, Provider
from ctrip.chain.fitness import (
    BENCH_SECONDS_MAX,
    CALLS_PER_SECOND,
    CALLS_PER_SECOND_MIN,
    RETRY_AFTER_SECONDS_MAX,
    Bench,
    Pace,
    Score,
)
from ctrip.chain.wire import Call, Endpoint, Refusal, WireFault, retry_after_seconds
from ctrip.settings import Secret
from tests.chain.asking import TIMEOUT_SECONDS
from tests.chain.lies import response
from tests.chain.lying_node import BLOCKS, Json, LyingNode
from tests.support.clock import FakeClock


@pytest.fixture
async def provider(node: LyingNode, clock: FakeClock) -> AsyncIterator[Provider]:
    line = Endpoint("testnet", Secret(node.url), timeout_seconds=TIMEOUT_SECONDS)
    provider = Provider(line, clock)
    yield provider
    await provider.close()


async def ask(provider: Provider, blocks: int) -> list[str]:
    calls = [Call(BLOCKS, (hex(number), False)) for number in range(blocks)]
    replies = await provider.ask(calls, decode.HEADERS)
    return [reply.result.number for reply in replies if reply.result]


def heights(blocks: int) -> list[str]:
    return [hex(number) for number in range(blocks)]


async def test_only_what_is_missing_of_a_batch_is_asked_again(
    provider: Provider, node: LyingNode
) -> None:
    node.lie_about(BLOCKS, lambda replies: replies[:-1] if len(replies) > 1 else replies)
    assert await ask(provider, 4) == heights(4)
    assert [len(batch) for batch in node.asked] == [4, 1]


async def test_only_what_failed_of_a_batch_is_asked_again(
    provider: Provider, node: LyingNode
) -> None:
    def stumble(replies: list[Json]) -> Json:
        bad = [{"id": r["id"], "error": {"code": -32603, "message": "internal"}} for r in replies]
        return [*replies[:2], *bad[2:]] if len(replies) > 2 else replies

    node.lie_about(BLOCKS, stumble)
    assert await ask(provider, 4) == heights(4)
    assert [len(batch) for batch in node.asked] == [4, 2]


async def test_what_never_comes_is_given_up(provider: Provider, node: LyingNode) -> None:
    node.lie_about(BLOCKS, lambda replies: replies[1:])
    with pytest.raises(WireFault, match="not one reply for each call"):
        await ask(provider, 1)
    assert len(node.asked) == TRIES


async def test_a_batch_that_is_too_long_is_cut_and_its_size_remembered(
    provider: Provider, node: LyingNode
) -> None:
    def limited(replies: list[Json]) -> Any:
        error = {"code": -32600, "message": "batch limit 6 exceeded: 20 requests given"}
        return {"id": None, "error": error} if len(replies) > 6 else replies

    node.lie_about(BLOCKS, limited)
    assert await ask(provider, 20) == heights(20)
    assert provider.batch_max == 6
    asked = len(node.asked)
    assert await ask(provider, 12) == heights(12)
    assert [len(batch) for batch in node.asked[asked:]] == [6, 6]


async def test_a_body_that_is_too_long_is_cut(provider: Provider, node: LyingNode) -> None:
    too_long = web.Response(status=413, text="Request Entity Too Large")
    node.lie_about(BLOCKS, lambda replies: too_long if len(replies) > 3 else replies)
    assert await ask(provider, 7) == heights(7)


async def test_who_takes_no_lists_is_asked_one_by_one(provider: Provider, node: LyingNode) -> None:
    node.takes_lists = False
    assert await ask(provider, 3) == heights(3)
    assert provider.batch_max == 1


async def test_a_refusal_that_a_caller_can_answer_is_given_back(
    provider: Provider, node: LyingNode
) -> None:
    node.refuse(BLOCKS, -32601, "the method does not exist")
    [reply] = await provider.ask([Call(BLOCKS, ("0x1", False))], decode.HEADERS)
    assert reply.error is not None
    assert len(node.asked) == 1


async def test_what_was_asked_is_counted(provider: Provider, node: LyingNode) -> None:
    await ask(provider, 3)
    state = provider.state()
    assert (state.calls, state.requests, state.ok) == (3, 1, True)
    assert state.bytes_received > 1_000
    assert state.seconds > 0
    node.lie_about(BLOCKS, response(status=503))
    with pytest.raises(WireFault) as caught:
        await ask(provider, 3)
    provider.failed(caught.value)
    provider.contradicted("a log is of another block")
    state = provider.state()
    assert (state.calls, state.requests, state.ok) == (6, 2, False)
    assert (state.faults, state.inconsistencies) == (1, 1)
    provider.worked()
    assert provider.state().ok


async def test_what_it_lacks_is_asked_for_again_after_a_while(
    provider: Provider, clock: FakeClock
) -> None:
    provider.lack("traces")
    assert provider.lacks("traces")
    assert "traces" in provider.state().why
    assert provider.state().ok
    clock.move(seconds=LACKING_SECONDS)
    assert not provider.lacks("traces")


def test_the_range_of_logs_shrinks_at_once_and_grows_slowly(provider: Provider) -> None:
    provider.narrow(Refusal(message="block range is too wide"), 1_000)
    assert provider.logs_width == 500
    provider.widen(100)
    assert provider.logs_width == 500  # that says nothing about more
    provider.widen(500)
    assert provider.logs_width == 526
    for _ in range(200):
        provider.widen(provider.logs_width)
    assert provider.logs_width == LOGS_WIDTH_MAX > LOGS_WIDTH


async def test_who_asks_for_time_gets_it(provider: Provider, clock: FakeClock) -> None:
    provider.failed(WireFault("testnet: HTTP status 429", status=429, retry_after_seconds=30))
    assert provider.wait_seconds() == 30
    clock.move(seconds=30)
    assert not provider.wait_seconds()
    provider.failed(WireFault("testnet: HTTP status 429", status=429, retry_after_seconds=1e6))
    assert provider.wait_seconds() == RETRY_AFTER_SECONDS_MAX


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        (
            {
                "retry-after": "Fri, 31 Dec 1999 23:59:59 GMT",
                "date": "Fri, 31 Dec 1999 23:59:29 GMT",
            },
            30.0,
        ),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, None),
        ({"retry-after": "soon", "date": "today"}, None),
        ({"retry-after": "-1"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


def test_the_bench_gets_longer_and_ends_with_a_success() -> None:
    bench = Bench()
    lengths = []
    for _ in range(30):
        bench.failed(0.0)
        lengths.append(next(n / 10 for n in range(10_000) if not bench.is_out(n / 10)))
    assert lengths[0] == pytest.approx(0.1)
    assert lengths == sorted(lengths)
    assert lengths[-1] == BENCH_SECONDS_MAX
    bench.worked()
    assert not bench.is_out(0.0)
    bench.failed(0.0)
    assert not bench.is_out(0.2)


def test_a_clock_that_was_set_back_keeps_nobody_out() -> None:
    bench = Bench()
    bench.failed(1_000_000.0)
    assert not bench.is_out(0.0)


def test_the_pace_halves_and_grows_slowly() -> None:
    pace = Pace()
    pace.too_fast()
    assert pace.calls_per_second == CALLS_PER_SECOND / 2
    pace.answered()
    assert CALLS_PER_SECOND / 2 < pace.calls_per_second < CALLS_PER_SECOND * 0.6
    for _ in range(50):
        pace.too_fast()
    assert pace.calls_per_second == CALLS_PER_SECOND_MIN


def test_a_burst_is_free_and_what_follows_waits() -> None:
    pace = Pace()
    assert pace.wait_seconds(int(CALLS_PER_SECOND), 100.0) == 0
    assert pace.wait_seconds(50, 100.0) == 0
    assert pace.wait_seconds(50, 100.0) == pytest.approx(50 / CALLS_PER_SECOND)


def test_faults_and_slowness_lower_the_score_and_answers_raise_it() -> None:
    score = Score()
    assert score.value == 1
    for _ in range(10):
        score.failed()
    assert score.value < 0.2
    for _ in range(30):
        score.answered(0.01)
    assert score.value > 0.95
    for _ in range(30):
        score.answered(3.0)
    assert score.value < 0.3
