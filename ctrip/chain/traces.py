"""Native coin that contracts forward, read off a node's traces of a block.

A frame is what happens between a call and its return; frames lie within frames, and the
outermost one is the transaction. A frame moved money if

- it is a CALL, a CREATE, a CREATE2 or a SELFDESTRUCT with a value above 0: what a
  DELEGATECALL, a CALLCODE or a STATICCALL is said to carry stays where it is;
- neither it nor any frame around it failed: nodes show the value of what was undone, and
  the frames within a failed one may bear no error of their own;
- it is not the outermost one, whose value is the transaction's own;
- it goes from one address to another.

Call data, depth and gas say nothing about it. Two dialects tell of frames: geth's
callTracer nests them, Parity's trace_block lists them with the path that leads to each.
Both give the same moves the same ordinals.

A contract can call to a depth of 1024 (EIP-150), and who wants to hide a block from us
can make one do so: nothing here recurses, and the decoder is allowed the depth.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, cast

from msgspec import Struct, field
from msgspec.json import Decoder

from ctrip.chain.decode import ADDRESS, WORD, Contradiction, Garbled, matching, quantity
from ctrip.chain.wire import Answer, replies
from ctrip.core.blocks import NativeMove
from ctrip.core.ids import Amount, BlockHash, RawAddress, TxHash

MOVING: Final = frozenset({"call", "create", "create2", "selfdestruct", "suicide"})

# A call within a call is an object within a list, each a level to the decoder; the rest is
# what surrounds the frames, with room to spare.
LEVELS_MAX: Final = 2 * 1024 + 100
OUR_LEVELS_MAX: Final = 1_000  # of the calls that lead here; as many as Python allows by default


class Frame(Struct, frozen=True):
    """A call as geth's callTracer shows it, with the calls within."""

    type: str
    sender: str = field(name="from")
    to: str | None = None
    value: str | None = None  # nodes leave it out where there can be none
    error: str | None = None
    revert_reason: str | None = field(default=None, name="revertReason")
    calls: list["Frame"] | None = None


class TracedTransaction(Struct, frozen=True, rename="camel"):
    """One transaction of debug_traceBlockByHash with the callTracer."""

    tx_hash: str | None = None
    result: Frame | None = None
    error: str | None = None  # it could not be traced


class Action(Struct, frozen=True, rename="camel"):
    """What a frame of trace_block set out to do; which fields there are depends on its type."""

    sender: str | None = field(default=None, name="from")
    to: str | None = None
    value: str | None = None
    call_type: str | None = None
    address: str | None = None  # of the contract that destroys itself
    refund_address: str | None = None  # who gets what it held
    balance: str | None = None


class Outcome(Struct, frozen=True):
    """What came of a frame of trace_block."""

    address: str | None = None  # of the contract that was made


class ListedFrame(Struct, frozen=True, rename="camel"):
    """One frame of trace_block, or a reward."""

    type: str
    action: Action
    block_hash: str
    trace_address: list[int] = []
    transaction_hash: str | None = None
    error: str | None = None
    result: Outcome | None = None


class Moved(NamedTuple):
    """Money between two frames, as a node spells it."""

    sender: str | None
    recipient: str | None
    value: str | None


class DeepDecoder:
    """A decoder that goes deeper than Python's limit on recursion, which is its limit too.

    The limit is there to protect the stack, which has room for ten times as much. CPython
    3.12 counts the depth of C code apart and bounds it by itself.
    """

    def __init__(self, decoder: Decoder[Answer[list[TracedTransaction]]]) -> None:
        self._decoder = decoder

    def decode(self, body: bytes) -> Answer[list[TracedTransaction]]:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(OUR_LEVELS_MAX + LEVELS_MAX)  # whatever a library has set it to
        try:
            return self._decoder.decode(body)
        finally:
            sys.setrecursionlimit(limit)


# msgspec's Decoder cannot be inherited from; whoever is given one calls nothing but decode.
CALL_TRACER: Final = cast(
    Decoder[Answer[list[TracedTransaction]]], DeepDecoder(replies(list[TracedTransaction]))
)
TRACE_BLOCK: Final = replies(list[ListedFrame])


def from_call_tracer(result: Sequence[TracedTransaction]) -> list[NativeMove]:
    """Return what contracts moved in the block whose transactions these are."""
    moves: list[NativeMove] = []
    seen: set[TxHash] = set()
    for traced in result:
        if traced.tx_hash is None or traced.result is None:
            raise Garbled("a trace names no transaction, or has none")
        tx_hash = TxHash(matching(WORD, traced.tx_hash))
        if tx_hash in seen:
            raise Contradiction("a transaction was traced twice")
        seen.add(tx_hash)
        moves += numbered(tx_hash, nested(traced.result))
    return moves


def nested(outermost: Frame) -> Iterator[Moved]:
    """Yield the money of the frames within, in the order in which they began."""
    waiting = [] if failed(outermost) else calls_of(outermost)
    while waiting:
        frame = waiting.pop()
        if failed(frame):
            continue
        if frame.type.lower() in MOVING:
            yield Moved(frame.sender, frame.to, frame.value)
        waiting += calls_of(frame)


def calls_of(frame: Frame) -> list[Frame]:
    """Return the calls within, the first one last, where it is taken from first."""
    return (frame.calls or [])[::-1]


def failed(frame: Frame) -> bool:
    """Tell whether what a frame and those within it did was undone."""
    return bool(frame.error or frame.revert_reason)


def from_trace_block(result: Sequence[ListedFrame], block_hash: BlockHash) -> list[NativeMove]:
    """Return what contracts moved in this block, which trace_block was asked for by number."""
    transactions: dict[TxHash, list[ListedFrame]] = {}
    for frame in result:
        if matching(WORD, frame.block_hash) != block_hash:
            raise Contradiction("a trace is of another block than the one asked for")
        if frame.type != "reward":
            named = TxHash(matching(WORD, frame.transaction_hash or ""))
            transactions.setdefault(named, []).append(frame)
    return [
        move
        for tx_hash, frames in transactions.items()
        for move in numbered(tx_hash, listed(frames))
    ]


def listed(frames: Iterable[ListedFrame]) -> Iterator[Moved]:
    """Yield the money of the frames of one transaction, in the order in which they began.

    Sorted by their paths they are in that order, and each comes after the one around it.
    """
    around: list[ListedFrame] = []  # where we are, from the outermost frame on
    dead: int | None = None  # so many frames are around what is undone
    for frame in sorted(frames, key=lambda frame: frame.trace_address):
        depth = len(frame.trace_address)
        check_enclosed(frame, around)
        del around[depth:]
        around.append(frame)
        if dead is not None and depth > dead:
            continue
        dead = depth if frame.error else None
        if depth and dead is None and (money := moved(frame)):
            yield money


def check_enclosed(frame: ListedFrame, around: Sequence[ListedFrame]) -> None:
    """Make sure that a frame is new and that the one around it was shown: it may have failed."""
    path = frame.trace_address
    if around and around[-1].trace_address == path:
        raise Contradiction("a trace shows the same frame twice")
    if path and (len(around) < len(path) or around[len(path) - 1].trace_address != path[:-1]):
        raise Garbled("a trace lacks the frame around another")


def moved(frame: ListedFrame) -> Moved | None:
    """Return the money of one frame, if it is of a kind that moves any."""
    action = frame.action
    match frame.type:
        case "call" if action.call_type == "call":
            return Moved(action.sender, action.to, action.value)
        case "create":
            made = frame.result.address if frame.result else None
            return Moved(action.sender, made, action.value)
        case "suicide":
            return Moved(action.address, action.refund_address, action.balance)
        case _:
            return None


def numbered(tx_hash: TxHash, moves: Iterable[Moved]) -> Iterator[NativeMove]:
    """Yield the moves of one transaction, counted from 1 for each recipient."""
    ordinals: Counter[RawAddress] = Counter()
    for move in moves:
        amount = quantity(move.value or "0x0")
        if not amount:
            continue
        sender = RawAddress(matching(ADDRESS, move.sender or ""))
        recipient = RawAddress(matching(ADDRESS, move.recipient or ""))
        if sender == recipient:
            continue
        ordinals[recipient] += 1
        yield NativeMove(
            tx_hash=tx_hash,
            ordinal=ordinals[recipient],
            sender=sender,
            recipient=recipient,
            amount=Amount(amount),
        )
