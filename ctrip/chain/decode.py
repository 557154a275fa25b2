"""From a node's JSON to the core's blocks: only the fields that ctrip reads, strictly.

msgspec fills the Wire structs and skips every other field of a block, which is most of
it. Hex is turned into values afterwards, and only where it may be our money: of a
transaction to a stranger no more than the recipient is looked at. The logs are in
transfers.py.

Two faults have a name here. Garbled: the answer cannot be read at all. Contradiction: it
can be read and cannot be true; NotYet is one that may become true. failover.py asks
another endpoint, and turns what remains into the two errors of a ChainClient.
"""

import re
from collections.abc import Callable, Container, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar, cast

from msgspec import Struct, field
from msgspec.structs import replace

from ctrip.chain.wire import replies
from ctrip.core.blocks import Header, NativeCall, Receipt
from ctrip.core.ids import Amount, BlockHash, BlockNumber, RawAddress, TxHash

# keccak-256 of "Transfer(address,address,uint256)" (EIP-20)
TRANSFER: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
SECOND_MAX: Final = 253_402_300_799  # the last one of the year 9999, where datetime ends
HASH_SIZE: Final = 66  # characters of 32 bytes
ADDRESS_SIZE: Final = 42

QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
WORD: Final = re.compile(r"0x[0-9a-fA-F]{64}")  # 32 bytes: a hash, a topic, an amount
ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
HEX: Final = b"0123456789abcdefx"  # as nodes spell it


class WireHeader(Struct, frozen=True, rename="camel"):
    """A block without its transactions."""

    number: str
    hash: str
    parent_hash: str
    timestamp: str
    logs_bloom: str = ""


class WireTransaction(Struct, frozen=True, gc=False, kw_only=True):
    """A transaction inside a block. Fields in the order of nodes are found soonest."""

    sender: RawAddress = field(name="from")
    hash: TxHash
    to: RawAddress | None = None  # null creates a contract
    value: str


class WireCall(WireTransaction, frozen=True, gc=False, kw_only=True):
    """A transaction with its data."""

    input: str | None = None


class WireBlock(WireHeader, frozen=True, rename="camel", kw_only=True):
    """A block with its transactions."""

    transactions: Sequence[WireTransaction]


class WireCallBlock(WireBlock, frozen=True, rename="camel", kw_only=True):
    """A block with its transactions and their data."""

    transactions: Sequence[WireCall]


class WireLog(Struct, frozen=True, rename="camel", gc=False):
    """A log of a mined transaction."""

    address: RawAddress
    topics: list[str]
    data: str
    block_number: str
    block_hash: BlockHash
    transaction_hash: TxHash
    transaction_index: str
    log_index: str
    removed: bool = False


class WireReceipt(Struct, frozen=True, rename="camel"):
    """A receipt. Without a block hash it is a promise; without a status it says nothing."""

    transaction_hash: str
    block_hash: str | None = None
    block_number: str | None = None
    status: str | None = None


class WireFullReceipt(WireReceipt, frozen=True, rename="camel", kw_only=True):
    """A receipt with the logs of its transaction."""

    logs: list[WireLog]


# int() that says what the number is: a NewType is called for each, which takes as long again.
AMOUNT: Final = cast("Callable[[str, int], Amount]", int)

AnyHeader = TypeVar("AnyHeader", bound=WireHeader | list[WireLog] | str)

QUANTITIES: Final = replies(str)
HEADERS: Final = replies(WireHeader)
BLOCKS: Final = replies(WireBlock)
CALL_BLOCKS: Final = replies(WireCallBlock)
LOGS: Final = replies(list[WireLog])
RECEIPTS: Final = replies(WireReceipt)
FULL_RECEIPTS: Final = replies(WireFullReceipt)
BLOCK_RECEIPTS: Final = replies(list[WireFullReceipt])


class Garbled(Exception):
    """What was sent is not what the field holds."""


class Contradiction(Exception):
    """What was sent cannot be true."""


class NotYet(Contradiction):
    """The endpoint lacks a block that should be there: it lags, or a reorg took the block."""


def header(wire: WireHeader) -> Header:
    """Return a block's place in its chain."""
    second = quantity(wire.timestamp)
    if second > SECOND_MAX:
        raise Garbled("a block's time is beyond the year 9999")
    return Header(
        number=BlockNumber(quantity(wire.number)),
        hash=BlockHash(matching(WORD, wire.hash)),
        parent_hash=BlockHash(matching(WORD, wire.parent_hash)),
        time=datetime.fromtimestamp(second, UTC),
    )


def paying(transactions: Sequence[WireTransaction]) -> list[WireTransaction]:
    """Return the transactions that offer native coin to somebody."""
    return [tx for tx in transactions if tx.value != "0x0" and tx.to is not None]


def readable(paying: Sequence[WireTransaction]) -> Sequence[WireTransaction]:
    """Return these transactions with recipients that can be read. Raises Garbled.

    There are hundreds in a block, most of them to strangers, so they are looked at all at
    once, and of each only what tells whether it is of interest.
    """
    recipients = [tx.to or "" for tx in paying]
    if not is_hex("".join(recipients)):
        return [replace(tx, to=matching(ADDRESS, tx.to or "")) for tx in paying]
    if {len(recipient) for recipient in recipients} - {ADDRESS_SIZE}:
        raise Garbled("an address has the wrong shape")
    return paying


def native_calls(
    paying: Sequence[WireTransaction], ours: Container[RawAddress] | None = None
) -> tuple[NativeCall, ...]:
    """Return what transactions offer, or only what they offer to our addresses."""
    calls = [native_call(tx) for tx in paying if ours is None or tx.to in ours]
    return tuple(call for call in calls if call.amount)


def native_call(tx: WireTransaction) -> NativeCall:
    """Return what a transaction offers to whom."""
    return NativeCall(
        tx_hash=TxHash(matching(WORD, tx.hash)),
        sender=RawAddress(matching(ADDRESS, tx.sender)),
        recipient=RawAddress(matching(ADDRESS, tx.to or "")),
        amount=Amount(quantity(tx.value)),
    )


def receipt(wire: WireReceipt) -> Receipt:
    """Return what became of a transaction; without a status nothing is known of it."""
    if wire.block_hash is None:
        raise Contradiction("a receipt names no block")
    if wire.status is None:
        raise Garbled("a receipt has no status")
    return Receipt(
        tx_hash=TxHash(matching(WORD, wire.transaction_hash)),
        block_hash=BlockHash(matching(WORD, wire.block_hash)),
        succeeded=quantity(wire.status) == 1,
    )


def quantity(text: str) -> int:
    """Return the number that hex digits spell; int() alone would take signs and underscores."""
    if not QUANTITY.fullmatch(text):
        raise Garbled("a number is not hex of at most 32 bytes")
    return int(text, 16)


def matching(pattern: re.Pattern[str], text: str) -> str:
    """Return hex of one fixed length in lower case."""
    if not pattern.fullmatch(text):
        raise Garbled("a hash or an address has the wrong shape")
    return text.lower()


def number(text: str) -> Amount:
    """Return the number of a text that was found to be of lower-case hex."""
    if text[:2] != "0x" or len(text) > HASH_SIZE:
        raise Garbled("a number is not hex of at most 32 bytes")
    try:
        return AMOUNT(text, 16)
    except ValueError:
        raise Garbled("a number is not hex of at most 32 bytes") from None


def is_hex(text: str) -> bool:
    """Tell whether a text is of lower-case hex digits, and the x before them."""
    return not text.encode("ascii", "replace").translate(None, HEX)


def lowered(fields: object) -> object:
    """Return plain JSON values with every text in lower case, if it is hex then."""
    match fields:
        case str():
            if not is_hex(text := fields.lower()):
                raise Garbled("a hash or an address has the wrong shape")
            return text
        case list():
            return [lowered(field) for field in fields]
        case dict():
            return {name: lowered(field) for name, field in fields.items()}
        case _:
            return fields
