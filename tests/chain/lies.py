"""Ways to answer that are no answer, each with the words that the error must have."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from tests.chain.asking import HANG_SECONDS
from tests.chain.lying_node import BLOCKS, LOGS, PATH, RECEIPTS, Json, LyingNode, word


def response(**fields: Any) -> Callable[[list[Json]], web.Response]:
    return lambda _: web.Response(**fields)


def reply_to_another(replies: list[Json]) -> Json:
    return [{**reply, "id": reply["id"] + 1000} for reply in replies]


TRANSPORT_FAULTS: dict[str, tuple[Callable[[list[Json]], Any], str]] = {
    "HTML": (response(text="<html>busy</html>", content_type="text/html"), "is not JSON"),
    "nothing": (response(body=b""), "is not JSON"),
    "truncated JSON": (response(body=b'[{"jsonrpc":"2.0"'), "is not JSON"),
    "bad UTF-8": (response(body=b'[{"id":"\xff"}]'), "is not JSON"),
    "too deep": (response(body=b"[" + b'{"x":' * 100_000), "is not JSON"),
    "half body": (lambda _: "hang up", "the answer broke off"),
    "400": (response(status=400, text="no"), "HTTP status 400"),
    "403": (response(status=403, text="no"), "HTTP status 403"),
    "429": (response(status=429, headers={"Retry-After": "9"}), "HTTP status 429"),
    "500": (response(status=500), "HTTP status 500"),
    "503": (response(status=503), "HTTP status 503"),
    "redirect": (response(status=307, headers={"Location": PATH}), "HTTP status 307"),
    "no content": (response(status=204), "HTTP status 204"),
    "hung": (lambda _: "hang", f"no answer within {HANG_SECONDS} seconds"),
    "a number": (lambda _: 5, "has not the shape"),
    "a text": (lambda _: "limit exceeded", "has not the shape"),
    "a list of numbers": (lambda _: [1, 2], "has not the shape"),
    "one error for all": (
        lambda _: {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "m"}},
        "the batch was refused, error -32600",
    ),
    "an error for one": (
        lambda replies: [{"id": replies[0]["id"], "error": {"code": -32005}}, *replies[1:]],
        "eth_getBlockByNumber was refused, error -32005",
    ),
    "a missing item": (lambda replies: replies[1:], "not one reply for each call"),
    "an item too many": (lambda replies: [*replies, replies[0]], "not one reply for each call"),
    "an item twice": (lambda replies: [replies[0], *replies[:-1]], "not one reply for each call"),
    "another id": (reply_to_another, "not one reply for each call"),
    "an empty list": (lambda _: [], "not one reply for each call"),
    "text for a block": (
        lambda replies: [{**reply, "result": "0x"} for reply in replies],
        "has not the shape",
    ),
    "a pending block": (
        lambda replies: [{**r, "result": {**r["result"], "hash": None}} for r in replies],
        "has not the shape",
    ),
}

# One field of a block, and what it must not hold.
WRONG_FIELDS = [
    ("number", "0x"),
    ("number", "five"),
    ("number", "0x_5"),
    ("number", "0x" + "f" * 65),
    ("hash", "0x5"),
    ("hash", word(5) + "00"),
    ("parentHash", "0x" + "g" * 64),
    ("timestamp", "0x" + "f" * 16),
    ("timestamp", " 0x5"),
]


def wrong_field(name: str, value: object) -> Callable[[list[Json]], Json]:
    return lambda replies: [{**r, "result": {**r["result"], name: value}} for r in replies]


DOWN = response(status=503)


def down(node: LyingNode) -> None:
    """Let a node answer nothing."""
    for method in ("eth_chainId", BLOCKS, LOGS, RECEIPTS):
        node.lie_about(method, DOWN)
