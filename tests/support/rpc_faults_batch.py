"""Faults of the JSON-RPC envelope: replies that are missing, mixed up, or refused together."""

from typing import Final

from tests.support.rpc_exchange import Exchange, Fault, Json, Outcome, Play, Sent, with_error

CALLS_MAX: Final = 5  # what the endpoints here take in one batch

AGAIN: Final = (
    "The whole answer is dropped and the next endpoint asked; alone, the chain turns red and the "
    "pass is repeated."
)
SMALLER: Final = "Batches get smaller until they are taken, and stay so for this endpoint."


def object_for_all(code: int, message: str) -> dict[str, Json]:
    return {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}


def one_object(code: int, message: str) -> Play:
    """Send one error object, whatever was asked."""

    async def play(_: Exchange) -> Sent:
        return object_for_all(code, message)

    return play


async def out_of_order(x: Exchange) -> Sent:
    return list(reversed(await x.truth()))


async def missing_item(x: Exchange) -> Sent:
    return (await x.truth())[:-1] if not x.alone else object_for_all(-32603, "Internal error")


async def other_id(x: Exchange) -> Sent:
    return [{**reply, "id": reply["id"] + 1000} for reply in await x.truth()]


async def text_ids(x: Exchange) -> Sent:
    return [{**reply, "id": str(reply["id"])} for reply in await x.truth()]


async def item_twice(x: Exchange) -> Sent:
    truth = await x.truth()
    return [*truth, truth[0]] if len(truth) == 1 else [*truth[:-1], truth[0]]


async def error_in_one(x: Exchange) -> Sent:
    truth = await x.truth()
    return [*truth[:-1], with_error(truth[-1], -32603, "Internal error")]


async def null_result_in_one(x: Exchange) -> Sent:
    truth = await x.truth()
    return [*truth[:-1], {"jsonrpc": "2.0", "id": truth[-1]["id"]}]


async def erigon_limit(x: Exchange) -> Sent:
    if len(x.calls) <= CALLS_MAX:
        return None
    text = f"batch limit {CALLS_MAX} exceeded: {len(x.calls)} requests given"
    return object_for_all(-32000, text)


async def geth_limit(x: Exchange) -> Sent:
    if len(x.calls) <= CALLS_MAX:
        return None
    return [with_error(x.calls[0], -32600, "batch too large")]


async def geth_response_limit(x: Exchange) -> Sent:
    truth = await x.truth()
    late = [with_error(reply, -32003, "response too large") for reply in truth[CALLS_MAX:]]
    return [*truth[:CALLS_MAX], *late]


def broken(name: str, happens: str, play: Play, *, alone: Outcome = Outcome.HELD) -> Fault:
    return Fault(name=name, happens=happens, answered=AGAIN, play=play, alone=alone)


def limited(name: str, happens: str, play: Play) -> Fault:
    return Fault(
        name=name,
        happens=happens,
        answered=SMALLER,
        play=play,
        alone=Outcome.CREDITED,
        behind=40,
    )


BATCH_FAULTS: Final = (
    Fault(
        name="out-of-order batch",
        happens="The replies of a batch come in another order than its calls.",
        answered="They are matched by id: nothing is wrong.",
        play=out_of_order,
        alone=Outcome.UNHURT,
        beside=Outcome.UNHURT,
    ),
    broken("missing batch item", "One reply of a batch is missing.", missing_item),
    broken("item twice", "One reply comes twice, in the place of another.", item_twice),
    broken("wrong id", "The replies are to other calls than ours.", other_id),
    broken("ids as text", "The ids come back as texts.", text_ids, alone=Outcome.EITHER),
    broken("error in one item", "One call of a batch is refused.", error_in_one),
    broken("neither result nor error", "One reply of a batch holds nothing.", null_result_in_one),
    broken(
        "200 with an error body",
        "Status 200, and one error object for the whole batch: the rate limit.",
        one_object(-32005, "call rate limit exhausted"),
    ),
    broken(
        "not enough credit",
        "Status 200, and one error object: the credits of the plan are used up (dRPC).",
        one_object(42903, "There are not enough CUPs left to process your request"),
    ),
    limited(
        "batch limit of erigon",
        "A batch beyond the limit gets one error object.",
        erigon_limit,
    ),
    limited(
        "batch limit of geth",
        "A batch beyond the limit gets a batch of one error.",
        geth_limit,
    ),
    limited(
        "response limit of geth",
        "What does not fit into one answer is refused, reply by reply.",
        geth_response_limit,
    ),
)
