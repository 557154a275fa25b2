"""Faults below JSON-RPC: the endpoint is slow, breaks off, refuses, or sends something else."""

import asyncio
import gzip
from collections.abc import Callable
from functools import cache
from typing import Final

from aiohttp import web

from tests.support.rpc_exchange import Exchange, Fault, Outcome, Play, Sent

HTML: Final = "<html><body><h1>502 Bad Gateway</h1></body></html>"
CALLS_PER_BODY_MAX: Final = 5  # what the endpoint that says 413 takes
DRIP_SECONDS: Final = 0.05
CHUNK: Final = b" " * 2**20
HUGE_CHUNKS: Final = 80  # more than ctrip reads of one answer

ELSEWHERE: Final = (
    "The next endpoint is asked; alone, the chain turns red and the pass is repeated."
)


def answering(make: Callable[[], web.Response]) -> Play:
    """Send an HTTP response instead of any answer."""

    async def play(_: Exchange) -> Sent:
        return make()

    return play


async def stall(x: Exchange) -> Sent:
    await x.calm.wait()
    return None


async def stall_halfway(x: Exchange) -> Sent:
    response = await begun(x)
    await x.calm.wait()
    return response


async def drip(x: Exchange) -> Sent:
    response = await begun(x)
    try:
        while not x.calm.is_set():
            await response.write(b" ")
            await asyncio.sleep(DRIP_SECONDS)  # this is the fault
    except ConnectionError:
        pass  # whoever asked has given up
    return response


async def reset(x: Exchange) -> Sent:
    assert x.request.transport is not None
    x.request.transport.abort()
    return web.Response()


async def break_off(x: Exchange) -> Sent:
    response = await begun(x)
    assert x.request.transport is not None
    x.request.transport.close()
    return response


async def pour(x: Exchange) -> Sent:
    response = web.StreamResponse()
    await response.prepare(x.request)
    try:
        for _ in range(HUGE_CHUNKS):
            await response.write(CHUNK)
    except ConnectionError:
        pass
    return response


async def begun(x: Exchange) -> web.StreamResponse:
    """Promise 900 bytes and send the first of them."""
    response = web.StreamResponse(headers={"Content-Length": "900"})
    await response.prepare(x.request)
    await response.write(b'[{"jsonrpc":"2.0","id":1,"re')
    return response


async def refuse_large_bodies(x: Exchange) -> Sent:
    if len(x.calls) <= CALLS_PER_BODY_MAX:
        return None
    return web.Response(status=413, text="Request Entity Too Large")


async def every_other(x: Exchange) -> Sent:
    return web.Response(status=429) if x.turn % 2 else None


async def cut_short(x: Exchange) -> Sent:
    whole = web.json_response(await x.truth()).text or ""
    return web.Response(text=whole[: len(whole) // 2], content_type="application/json")


@cache
def bomb() -> bytes:
    return gzip.compress(b"[" + CHUNK * HUGE_CHUNKS)


def status(code: int, text: str, **headers: str) -> Play:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answering(lambda: web.Response(status=code, text=text, headers=named))


def fault(
    name: str,
    happens: str,
    play: Play,
    answered: str = ELSEWHERE,
    *,
    alone: Outcome = Outcome.HELD,
    behind: int = 2,
) -> Fault:
    return Fault(
        name=name, happens=happens, answered=answered, play=play, alone=alone, behind=behind
    )


BENCHED: Final = "The endpoint is left alone for as long as it said, and the next one is asked."
CUT: Final = "Reading ends at the limit of time or of size, and the next endpoint is asked."

HTTP_FAULTS: Final = (
    fault("stall", "The endpoint takes the request and never answers.", stall, CUT),
    fault("stall halfway", "The endpoint begins its answer and stops.", stall_halfway, CUT),
    fault("slow drip", "The endpoint sends one byte now and then.", drip, CUT),
    fault("connection reset", "The connection is reset in place of an answer.", reset),
    fault("half a body", "The connection ends in the middle of the answer.", break_off),
    fault("half the JSON", "The answer is whole as HTTP, and its JSON is cut.", cut_short),
    fault(
        "429 with Retry-After",
        "Too many requests, and in how many seconds to come back.",
        status(429, "slow down", Retry_After="30"),
        BENCHED,
    ),
    fault("429 without Retry-After", "Too many requests.", status(429, "slow down")),
    fault(
        "429 every other time",
        "Every other request is one too many.",
        every_other,
        "Requests are repeated, here or at the next endpoint, and slowed down.",
        alone=Outcome.EITHER,
    ),
    fault("503", "The service is unavailable.", status(503, "")),
    fault(
        "503 with Retry-After",
        "The service is unavailable, and says until when.",
        status(503, "", Retry_After="30"),
        BENCHED,
    ),
    fault("500", "The endpoint has a fault inside.", status(500, "internal error")),
    fault("520", "A network in front of the endpoint has no answer from it.", status(520, HTML)),
    fault("401", "The key in the URL is not valid any more.", status(401, "invalid key")),
    fault("402", "The plan is used up and wants to be paid.", status(402, "upgrade your plan")),
    fault("403 quota", "The quota of the day is used up.", status(403, "quota exceeded")),
    fault(
        "413",
        "Requests with more than a few calls are too large.",
        refuse_large_bodies,
        "Batches get smaller until they are taken.",
        alone=Outcome.CREDITED,
        behind=40,
    ),
    fault(
        "redirect",
        "The endpoint has moved elsewhere.",
        status(307, "", Location="/elsewhere"),
        "Redirects are not followed: only the operator says who is asked. " + ELSEWHERE,
    ),
    fault(
        "HTML",
        "A page of HTML with status 200.",
        answering(lambda: web.Response(text=HTML, content_type="text/html")),
    ),
    fault("empty body", "Status 200 and nothing.", status(200, "")),
    fault("huge body", "The answer has no end.", pour, CUT),
    fault(
        "gzip bomb",
        "A small answer that unpacks to a huge one.",
        answering(lambda: web.Response(body=bomb(), headers={"Content-Encoding": "gzip"})),
        CUT,
    ),
)
