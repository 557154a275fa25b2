"""Traces as nodes were seen to give them, where no node of ours gives the like."""

import sys
from itertools import pairwise
from typing import Any, Final

import msgspec
import pytest
from msgspec.json import Decoder

from ctrip.chain import traces
from ctrip.chain.decode import Contradiction, Garbled
from ctrip.chain.wire import Answer
from ctrip.core.blocks import NativeMove
from ctrip.core.ids import BlockHash

Json = Any

PAYER: Final = "0x" + "fa" * 20
CONTRACT: Final = "0x" + "c0" * 20
OTHER: Final = "0x" + "c1" * 20
SHOP: Final = "0x" + "5a" * 20
BLOCK: Final = BlockHash("0x" + "b1" * 32)
TX: Final = "0x" + "07" * 32
DEPTH_MAX: Final = 1024  # of calls within calls (EIP-150)


def test_a_call_within_a_reverted_one_is_no_money() -> None:
    """go-ethereum#21438: the inner frame has its value and no error of its own."""
    inner = a_call(CONTRACT, SHOP, 5)
    reverted = a_call(OTHER, CONTRACT, 5, calls=[inner], error="execution reverted")
    assert nested(a_call(PAYER, OTHER, 0, calls=[reverted])) == []
    assert len(nested(a_call(PAYER, OTHER, 0, calls=[{**reverted, "error": ""}]))) == 2


@pytest.mark.parametrize("fault", [{"error": "out of gas"}, {"revertReason": "no"}])
def test_an_error_hides_all_that_is_within_and_nothing_beside(fault: Json) -> None:
    deep = a_call(CONTRACT, OTHER, 1, calls=[a_call(OTHER, CONTRACT, 2)])
    failed = a_call(PAYER, CONTRACT, 3, calls=[deep], **fault)
    beside = a_call(PAYER, SHOP, 4)
    found = nested(a_call(PAYER, OTHER, 9, calls=[beside, failed, beside]))
    assert [(move.amount, move.ordinal) for move in found] == [(4, 1), (4, 2)]
    assert nested(a_call(PAYER, OTHER, 9, calls=[beside, failed], **fault)) == []


@pytest.mark.parametrize("kind", ["DELEGATECALL", "CALLCODE", "STATICCALL", "EXTCALL?", ""])
def test_a_value_that_stays_where_it_is_is_no_money(kind: str) -> None:
    """Older geth shows the caller's value in the frame of a DELEGATECALL."""
    borrowed = a_call(CONTRACT, SHOP, 5, type=kind, calls=[a_call(CONTRACT, OTHER, 1)])
    assert [move.recipient for move in nested(a_call(PAYER, CONTRACT, 5, calls=[borrowed]))] == [
        OTHER
    ]


def test_the_transfers_that_arbitrum_adds_are_left_alone() -> None:
    extra = {"purpose": "feePayment", "from": PAYER, "to": SHOP, "value": "0x5"}
    frame = a_call(PAYER, CONTRACT, 0, calls=[a_call(CONTRACT, SHOP, 6)])
    frame |= {"beforeEVMTransfers": [extra], "afterEVMTransfers": [extra]}
    assert [move.amount for move in nested(frame)] == [6]


def test_an_address_in_capitals_is_the_same_address() -> None:
    [move] = nested(a_call(PAYER, CONTRACT, 0, calls=[a_call(CONTRACT, "0x" + "5A" * 20, 1)]))
    assert move.recipient == SHOP


@pytest.mark.parametrize(
    "block",
    [
        [{"result": {}}],
        [{"txHash": TX, "error": "execution timeout"}],
        [{"txHash": TX, "result": None}],
        [{"txHash": "0x07", "result": {}}],
        [{"txHash": TX, "result": {"calls": [{"to": None, "value": "0x1"}]}}],
        [{"txHash": TX, "result": {"calls": [{"to": "0x", "value": "0x1"}]}}],
        [{"txHash": TX, "result": {"calls": [{"value": "1"}]}}],
    ],
)
def test_a_call_trace_that_cannot_be_read_is_garbled(block: list[Json]) -> None:
    """Older nodes leave txHash out; a trace that timed out has an error and no result."""
    for traced in block:
        if traced.get("result") is not None:
            traced["result"] = a_call(PAYER, CONTRACT, 0) | traced["result"]
            calls = traced["result"].get("calls", [])
            traced["result"]["calls"] = [a_call(CONTRACT, SHOP, 0) | call for call in calls]
    with pytest.raises(Garbled):
        traces.from_call_tracer(decoded(block, traces.CALL_TRACER))


def test_a_transaction_that_is_traced_twice_is_a_contradiction() -> None:
    traced = {"txHash": TX, "result": a_call(PAYER, CONTRACT, 0)}
    with pytest.raises(Contradiction):
        traces.from_call_tracer(decoded([traced, traced], traces.CALL_TRACER))


def test_nobody_can_hide_a_block_behind_the_deepest_call_there_is() -> None:
    limit = sys.getrecursionlimit()
    contracts = [CONTRACT, OTHER] * (DEPTH_MAX // 2)
    frame = a_call(contracts[-1], SHOP, 7)
    for sender, recipient in list(pairwise([PAYER, *contracts]))[::-1]:
        frame = a_call(sender, recipient, 7, calls=[frame])
    found = nested(frame)
    assert len(found) == DEPTH_MAX
    assert found[-1].recipient == SHOP
    assert nested({**frame, "error": "out of gas"}) == []
    assert sys.getrecursionlimit() == limit


def test_a_trace_deeper_than_any_call_is_not_followed() -> None:
    deeper = b'{"type":"CALL","from":"","calls":[' * 4000 + b"]}" * 4000
    body = b'[{"id":1,"result":[{"result":' + deeper + b"}]}]"
    with pytest.raises(RecursionError):
        traces.CALL_TRACER.decode(body)


def test_paths_lead_to_the_frames_around() -> None:
    frames = [
        a_listed([], PAYER, CONTRACT, 9),
        a_listed([0], CONTRACT, OTHER, 1, error="Reverted"),
        a_listed([0, 0], OTHER, SHOP, 2),
        a_listed([0, 0, 0], OTHER, SHOP, 3),
        a_listed([1], CONTRACT, OTHER, 4),
        a_listed([1, 0], OTHER, SHOP, 5, error="Out of gas"),
        a_listed([1, 1], OTHER, SHOP, 6),
        a_listed([10], CONTRACT, SHOP, 8),
        a_listed([2], CONTRACT, SHOP, 7),
    ]
    for order in (frames, frames[::-1]):
        found = listed(order)
        assert [(move.amount, move.ordinal) for move in found] == [(4, 1), (6, 1), (7, 2), (8, 3)]
    assert listed([{**frames[0], "error": "Reverted"}, *frames[1:]]) == []


def test_a_listed_call_as_deep_as_there_is_is_followed() -> None:
    hops = pairwise([PAYER, *[CONTRACT, OTHER] * (DEPTH_MAX // 2), SHOP])
    frames = [a_listed([0] * depth, *hop, 7) for depth, hop in enumerate(hops)]
    assert len(listed(frames)) == DEPTH_MAX
    frames[0]["error"] = "Reverted"
    assert listed(frames) == []


def test_a_reward_is_nobody_s_payment() -> None:
    action = {"author": SHOP, "rewardType": "block", "value": "0x5"}
    reward: Json = {"type": "reward", "action": action, "blockHash": BLOCK, "result": None}
    reward |= {"traceAddress": [], "transactionHash": None, "subtraces": 0}
    assert listed([reward, reward]) == []
    with pytest.raises(Contradiction):
        listed([{**reward, "blockHash": TX}])


def test_a_contract_that_was_not_made_got_nothing() -> None:
    made = a_listed([0], CONTRACT, None, 5, type="create", result={"address": OTHER})
    failed = a_listed([1], CONTRACT, None, 6, type="create", error="Reverted", result=None)
    [move] = listed([a_listed([], PAYER, CONTRACT, 9), made, failed])
    assert (move.recipient, move.amount) == (OTHER, 5)


def test_a_trace_of_another_block_is_a_contradiction() -> None:
    frames = [a_listed([], PAYER, CONTRACT, 1), a_listed([0], CONTRACT, SHOP, 1)]
    assert len(listed(frames)) == 1
    for place in (0, 1):
        strange = [*frames]
        strange[place] = {**frames[place], "blockHash": "0x" + "b2" * 32}
        with pytest.raises(Contradiction):
            listed(strange)


def test_a_frame_that_is_listed_twice_is_a_contradiction() -> None:
    frames = [a_listed([], PAYER, CONTRACT, 1), a_listed([0], CONTRACT, SHOP, 1)]
    for twice in frames:
        with pytest.raises(Contradiction):
            listed([*frames, twice])


@pytest.mark.parametrize("missing", [[], [0], [0, 0], [1]])
def test_a_frame_whose_surroundings_are_missing_is_garbled(missing: list[int]) -> None:
    paths: list[list[int]] = [[], [0], [0, 0], [0, 0, 0], [1], [1, 0]]
    frames = [a_listed(path, CONTRACT, SHOP, 1) for path in paths]
    assert len(listed(frames)) == len(paths) - 1
    with pytest.raises(Garbled):
        listed([frame for frame in frames if frame["traceAddress"] != missing])


@pytest.mark.parametrize(
    "fault",
    [
        {"transactionHash": None},
        {"blockHash": "0x"},
        {"action": {"callType": "call", "value": "0x1"}},
    ],
)
def test_a_listed_frame_that_cannot_be_read_is_garbled(fault: Json) -> None:
    with pytest.raises(Garbled):
        listed([a_listed([], PAYER, CONTRACT, 0), {**a_listed([0], CONTRACT, SHOP, 1), **fault}])


def a_call(sender: str, to: str, amount: int, **fields: object) -> Json:
    """Return a frame as geth's callTracer writes it."""
    shown = {"from": sender, "to": to, "value": hex(amount), "type": "CALL", "input": "0xa9059cbb"}
    return {"gas": "0x5208", "gasUsed": "0x0", **shown, **fields}


def a_listed(path: list[int], sender: str, to: str | None, amount: int, **fields: object) -> Json:
    """Return a frame as trace_block lists it."""
    action = {"from": sender, "to": to, "value": hex(amount), "callType": "call", "gas": "0x0"}
    place = {"blockHash": BLOCK, "transactionHash": TX, "traceAddress": path, "subtraces": 0}
    return {"type": "call", "action": action, **place, "result": {"gasUsed": "0x0"}, **fields}


def nested(frame: Json) -> list[NativeMove]:
    return traces.from_call_tracer(decoded([{"txHash": TX, "result": frame}], traces.CALL_TRACER))


def listed(frames: list[Json]) -> list[NativeMove]:
    return traces.from_trace_block(decoded(frames, traces.TRACE_BLOCK), BLOCK)


def decoded(result: list[Json], decoder: Decoder[Answer[Any]]) -> Json:
    answer = decoder.decode(encoded([{"jsonrpc": "2.0", "id": 1, "result": result}]))
    assert isinstance(answer, list)
    return answer[0].result


def encoded(value: Json) -> bytes:
    """Return JSON of any depth, which encoders, too, go down to by recursion."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 4 * DEPTH_MAX)
    try:
        return msgspec.json.encode(value)
    finally:
        sys.setrecursionlimit(limit)
