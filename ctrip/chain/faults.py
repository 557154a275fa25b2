"""What a node means when it refuses, and what to do about it.

There is no standard: each provider has words and codes of its own, and one code means
different things to two of them. So words are looked at before codes, in an order that
matters: "limit" is in most of them, and a range that is too wide must not be taken for
being asked too often, nor that for a method that is not there.

A range that a provider suggests is used for its width only. Where it starts is ours to
know: suggestions have been seen upside down.
"""

import re
from enum import StrEnum
from typing import Final, NamedTuple

from ctrip.chain.wire import Refusal, WireFault


class Cure(StrEnum):
    """What helps."""

    SMALLER_BATCH = "smaller batch"
    NARROWER = "narrower range"  # of eth_getLogs
    FEWER_ADDRESSES = "fewer addresses"  # in eth_getLogs
    BACK_OFF = "back off"  # ask this endpoint less, and another meanwhile
    NO_CREDIT = "no credit"  # nothing helps here before its operator pays
    WAIT = "wait for the block"  # the node does not have it, yet or any more
    GIVE_IN = "give in"  # the call itself failed in the EVM; no endpoint makes it work
    UNSUPPORTED = "unsupported"  # this endpoint never answers this
    ELSEWHERE = "ask elsewhere"  # everything else: it may pass, and another endpoint may do


class Rule(NamedTuple):
    """One meaning: words, codes of JSON-RPC and statuses of HTTP that have it."""

    cure: Cure
    words: re.Pattern[str]
    codes: frozenset[int] = frozenset()
    statuses: frozenset[int] = frozenset()


def words(*patterns: str) -> re.Pattern[str]:
    """Return a pattern that finds any of some words."""
    return re.compile("|".join(patterns), re.IGNORECASE)


BATCH: Final = Rule(
    Cure.SMALLER_BATCH,
    words(
        r"batch (limit|size)", r"batch.{0,30}(too (large|big|many|long)|exceed|not (supp|allow))",
        r"too many .{0,20}batch", r"(max\w*|limit) .{0,20}batch", r"request entity too large",
    ),
    statuses=frozenset({413}),
)  # fmt: skip

RANGE: Final = Rule(
    Cure.NARROWER,
    words(
        r"block range", r"log response size", r"returned more than", r"blocks distance",
        r"limited to (a )?[\d,]+k? ?(blocks? )?(range|block)", r"range (is )?too (wide|large|big)",
        r"max results", r"query exceeds limit", r"too many blocks", r"max range:",
        r"limit the query to", r"number of requested blocks", r"exceeds the range",
        r"ranges over", r"bigger than maxblockrange", r"with the range", r"logs over more",
        r"too many (results|logs)", r"try paginating", r"query timeout exceeded",
    ),
)  # fmt: skip

# Too much of anything: fewer blocks for eth_getLogs, fewer calls for everything else.
SIZE: Final = words(r"response (is )?too (large|big)", r"response size", r"is too big")

RULES: Final = (
    BATCH,
    Rule(
        Cure.FEWER_ADDRESSES,
        words(r"addresses or topics", r"too many (addresses|topics)"),
    ),
    Rule(
        Cure.NO_CREDIT,
        words(
            r"monthly", r"free ?tier", r"cups left", r"quota", r"payment required", r"credits?\b",
            r"daily (request|limit)",
        ),
        codes=frozenset({42903}),
        statuses=frozenset({402}),
    ),
    Rule(
        Cure.BACK_OFF,
        words(
            r"\b429\b", r"rate.?limit", r"limit exceeded", r"limit exhausted", r"has exceeded",
            r"rate exceeded", r"too many requests", r"throttl", r"compute units", r"capacity",
            r"requests? per (second|minute)", r"slow down",
        ),
        codes=frozenset({-32005, -32029, 429}),
        statuses=frozenset({429}),
    ),
    Rule(
        Cure.GIVE_IN,
        words(
            r"revert", r"evm error", r"out of gas", r"gas required", r"invalid opcode",
            r"vm execution", r"initcode", r"code size", r"stack (under|over)flow",
        ),
        codes=frozenset({3, -32015}),
    ),
    Rule(
        Cure.ELSEWHERE,
        words(
            r"trie node", r"state .*(not |un)available", r"pruned", r"historical", r"can't route",
            r"data is not available", r"no backend", r"abort", r"timed? ?out", r"backend",
            r"please specify address",
        ),
        codes=frozenset({-32603, -32002, -32003, -32043, -32052, -32701, 12}),
    ),
    Rule(
        Cure.UNSUPPORTED,
        words(
            r"method .*not", r"whitelist", r"unsupported", r"not supported", r"not enabled",
            r"not allowed", r"disabled", r"does not exist",
        ),
        codes=frozenset({-32601, -32602, -32004}),
    ),
)  # fmt: skip

# Said of ranges that end above the head (execution-apis 875); their width is not the matter.
BEYOND_HEAD: Final = words(r"beyond (the )?(current )?head", r"out ?of ?range")

# A node that has not got the block, in the words of geth, anvil, reth, Arbitrum and others.
BLOCK_UNKNOWN: Final = words(
    r"(unknown|invalid) block", r"(block|header|resource) (was )?not found", r"not have the",
    r"not found: ?(block|header)", r"header for hash not found", r"requested block",
    r"future block",
)  # fmt: skip
BLOCK_UNKNOWN_CODES: Final = frozenset({-39001, -32001})

PAIR: Final = re.compile(r"(0x[0-9a-f]+|\d+)\s*(?:,|-|to)\s*(0x[0-9a-f]+|\d+)", re.IGNORECASE)
SUGGESTS: Final = words(r"with (the|this block) range", r"should work")
COUNTS_LOGS: Final = words(r"results", r"logs matched", r"response size")
NUMBER: Final = re.compile(r"(?<![\w.,-])(\d[\d,]*)(k?)(?![\w.])", re.IGNORECASE)


def cure_of(fault: WireFault, method: str | None = None) -> Cure:
    """Return what helps against a fault; without a method it is that of a whole batch."""
    said = cure_of_refusal(fault.refusal, method, status=fault.status)
    return said if said is not Cure.WAIT or fault.status is None else Cure.ELSEWHERE


def cure_of_refusal(
    refusal: Refusal, method: str | None = None, *, status: int | None = None
) -> Cure:
    """Return what helps against a refusal of one call."""
    said = cure_of_words(refusal.message or "", method)
    if said is None and refusal.code in BLOCK_UNKNOWN_CODES:
        said = Cure.WAIT
    if said is None:
        meant = (r for r in RULES if refusal.code in r.codes or status in r.statuses)
        said = next((rule.cure for rule in meant), None)
    return said or Cure.ELSEWHERE


def cure_of_words(text: str, method: str | None) -> Cure | None:
    """Return what helps if a node's words say what is the matter."""
    if BEYOND_HEAD.search(text):
        return Cure.WAIT
    if BATCH.words.search(text):
        return Cure.SMALLER_BATCH
    if RANGE.words.search(text) and method in (None, "eth_getLogs"):
        return Cure.NARROWER
    if SIZE.search(text):
        return Cure.NARROWER if method == "eth_getLogs" else Cure.SMALLER_BATCH
    if BLOCK_UNKNOWN.search(text):
        return Cure.WAIT
    return next((rule.cure for rule in RULES if rule.words.search(text)), None)


def lacks_the_tag(refusal: Refusal) -> bool:
    """Tell whether a node says that it knows no block by the name of a tag.

    A fault that passes, like a rate limit, must not be taken for it: the depth that stands
    in may call blocks final that are not.
    """
    return cure_of_refusal(refusal) in (Cure.WAIT, Cure.UNSUPPORTED)


def answers_no_logs(refusal: Refusal) -> bool:
    """Tell whether this is how BSC's own nodes refuse every eth_getLogs."""
    return (refusal.message or "").strip().lower() == "limit exceeded"


def narrower(refusal: Refusal, blocks: int) -> int:
    """Return how many blocks to ask for instead of so many: what was suggested, or half."""
    text = refusal.message or ""
    if SUGGESTS.search(text):
        for first, last in PAIR.findall(text):
            if 0 < (width := int(last, 0) - int(first, 0) + 1) < blocks:
                return width
    elif not COUNTS_LOGS.search(text):
        limits = [int(n.replace(",", "")) * (1000 if k else 1) for n, k in NUMBER.findall(text)]
        if fits := [limit for limit in limits if 0 < limit < blocks]:
            return fits[-1]  # "from 5 to 9000, maximum is set to 2048"
    return max(1, blocks // 2)
