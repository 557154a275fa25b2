"""What a refusal means, by the words of those who refuse."""

import pytest

from ctrip.chain.faults import (
    Cure,
    answers_no_logs,
    cure_of,
    cure_of_refusal,
    lacks_the_tag,
    narrower,
)
from ctrip.chain.wire import Refusal, WireFault

LOGS = "eth_getLogs"
BLOCK = "eth_getBlockByNumber"

ALCHEMY = (
    "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and "
    "no limit on the response size. Based on your parameters and the response size limit, this "
    "block range should work: [{}, {}]"
)

# code, words, and what half of 2,000 blocks, or what was suggested, becomes
RANGES = [
    (-32602, ALCHEMY.format("0x64", "0x95"), 50),
    (-32602, ALCHEMY.format("0x95", "0x64"), 1000),
    (
        -32005,
        "query returned more than 10000 results. Try with this block range [0x64, 0xc7].",
        100,
    ),
    (-32614, "eth_getLogs is limited to a 10,000 range", 1000),
    (-32614, "eth_getLogs is limited to a 500 range", 500),
    (-32000, "eth_getLogs is limited to a 1000 blocks range", 1000),
    (-32600, "block range is too wide", 1000),
    (-32600, "maximum [from, to] blocks distance: 300", 300),
    (-32701, "exceed maximum block range: 5000", 1000),
    (-32701, "exceed maximum block range: 50", 50),
    (-32005, "eth_getLogs block range too large, range: 2000, max: 100", 100),
    (-32602, "query exceeds max results 20000, retry with the range 500-699", 200),
    (-32000, "logs matched by query exceeds limit of 10000", 1000),
    (-32000, "requested too many blocks from 5 to 2004, maximum is set to 1024", 1024),
    (-32602, "Max range: 800", 800),
    (-32602, "please limit the query to at most 1000 blocks", 1000),
    (-32602, "eth_getLogs is limited to 1024 block range", 1024),
    (-32602, "Block range limit exceeded.", 1000),
    (-32602, "eth_getLogs range is too large, max is 1k blocks", 1000),
    (-32602, "eth_getLogs range is too large, max is 1k/10k blocks", 1000),
    (-32602, "Maximum allowed number of requested blocks is 350", 350),
    (-32602, "exceeds the range allowed for your plan (2000 > 5)", 5),
    (-32603, "query exceeds max block range 50", 50),
    (35, "ranges over 10000 blocks are not supported on freetier", 1000),
    (-32000, "Block range is too large", 1000),
    (-32008, "backend response too large", 1000),
    (-32000, "block range is bigger than maxBlockRange", 1000),
    (-32602, "block range too large", 1000),
    (-32000, "query timeout exceeded", 1000),
    (-32000, "too many results, try paginating", 1000),
    (-32000, "response size should not greater than 10000000 bytes", 1000),
]

OTHERS = [
    (Cure.FEWER_ADDRESSES, LOGS, -32602, "exceed max addresses or topics per search position"),
    (
        Cure.FEWER_ADDRESSES,
        LOGS,
        -32602,
        "query exceeds the maximum of 1000 addresses or topics per search position",
    ),
    (Cure.NO_CREDIT, BLOCK, -32005, "Monthly capacity limit exceeded. Visit your dashboard"),
    (Cure.NO_CREDIT, BLOCK, -32000, "You've reached the free tier limit"),
    (Cure.NO_CREDIT, BLOCK, 42903, "There are not enough CUPs left to fulfill the request"),
    (Cure.BACK_OFF, BLOCK, -32005, "limit exceeded"),
    (Cure.BACK_OFF, BLOCK, -32005, ""),
    (Cure.BACK_OFF, BLOCK, 429, "Your app has exceeded its compute units per second capacity"),
    (Cure.BACK_OFF, BLOCK, -32000, "reason: call rate limit exhausted"),
    (Cure.BACK_OFF, BLOCK, -32000, "request rate exceeded"),
    (Cure.BACK_OFF, BLOCK, -32029, "Too Many Requests"),
    (Cure.WAIT, LOGS, -32602, "block range extends beyond current head block"),
    (Cure.WAIT, LOGS, -32602, "BlockOutOfRangeError: block height is 5 but requested was 9"),
    (Cure.WAIT, LOGS, -32000, "unknown block"),
    (Cure.WAIT, LOGS, -32603, "upstream does not have the requested block yet"),
    (Cure.WAIT, BLOCK, -32000, "header not found"),
    (Cure.WAIT, BLOCK, -39001, "Unknown block"),
    (Cure.WAIT, "debug_traceBlockByHash", -32001, "Resource not found"),
    (Cure.ELSEWHERE, BLOCK, -32000, "missing trie node 0a (path ) state is not available"),
    (Cure.ELSEWHERE, BLOCK, -32043, "Requested data is not available"),
    (Cure.ELSEWHERE, BLOCK, -32011, "no backend is currently healthy to serve traffic"),
    (Cure.ELSEWHERE, BLOCK, 12, "Can't route your request to suitable provider"),
    (Cure.ELSEWHERE, BLOCK, -32000, "execution aborted (timeout = 5s)"),
    (Cure.ELSEWHERE, BLOCK, -32603, "internal error"),
    (Cure.ELSEWHERE, LOGS, -32701, "Please specify address in your request or, to remove"),
    (Cure.ELSEWHERE, BLOCK, -32000, "something that nobody ever said before"),
    (Cure.UNSUPPORTED, "trace_block", -32601, "the method trace_block does not exist"),
    (Cure.UNSUPPORTED, "trace_block", -32004, ""),
    (Cure.UNSUPPORTED, "debug_traceBlockByHash", -32000, "method is not whitelisted"),
    (Cure.UNSUPPORTED, "eth_call", -32602, "invalid argument 1: json: cannot unmarshal object"),
    (Cure.GIVE_IN, "eth_call", 3, "execution reverted"),
    (Cure.GIVE_IN, "eth_call", -32000, "out of gas"),
    (Cure.GIVE_IN, "eth_call", -32603, "EVM error InvalidFEOpcode"),
    (Cure.SMALLER_BATCH, BLOCK, -32600, "batch limit 100 exceeded: 142 requests given"),
    (Cure.SMALLER_BATCH, BLOCK, -32600, "batch too large"),
    (Cure.SMALLER_BATCH, BLOCK, -32003, "response too large"),
]


@pytest.mark.parametrize(("code", "words", "blocks"), RANGES)
def test_a_range_that_is_refused_gets_narrower(code: int, words: str, blocks: int) -> None:
    refusal = Refusal(code, words)
    assert cure_of_refusal(refusal, LOGS) is Cure.NARROWER
    assert narrower(refusal, 2000) == blocks


@pytest.mark.parametrize(("code", "words", "blocks"), RANGES)
def test_a_suggested_range_never_makes_it_wider(code: int, words: str, blocks: int) -> None:
    for width in (2, 3, 40, 700):
        assert 0 < narrower(Refusal(code, words), width) < width
    assert blocks


@pytest.mark.parametrize(("cure", "method", "code", "words"), OTHERS)
def test_every_refusal_has_its_cure(cure: Cure, method: str, code: int, words: str) -> None:
    assert cure_of_refusal(Refusal(code, words), method) is cure


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        (402, Cure.NO_CREDIT),
        (403, Cure.ELSEWHERE),
        (410, Cure.ELSEWHERE),
        (413, Cure.SMALLER_BATCH),
        (429, Cure.BACK_OFF),
        (500, Cure.ELSEWHERE),
        (503, Cure.ELSEWHERE),
        (520, Cure.ELSEWHERE),
    ],
)
def test_a_status_says_what_no_words_say(status: int, cure: Cure) -> None:
    assert cure_of(WireFault("testnet: x", status=status)) is cure


def test_words_count_more_than_the_status() -> None:
    fault = WireFault("testnet: x", Refusal(-32602, "block range is too wide"), status=400)
    assert cure_of(fault, LOGS) is Cure.NARROWER


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-32000, "safe block not found"),
        (-32000, "finalized block not found"),
        (-39001, "Unknown block"),
        (-32602, "invalid argument 0: hex string without 0x prefix"),
    ],
)
def test_a_missing_tag_is_known_in_every_dialect(code: int, words: str) -> None:
    assert lacks_the_tag(Refusal(code, words))


def test_only_the_words_of_bsc_mean_that_there_are_no_logs() -> None:
    assert answers_no_logs(Refusal(-32005, "limit exceeded"))
    assert not answers_no_logs(Refusal(-32005, "rate limit exceeded"))
