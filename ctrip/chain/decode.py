"""From a node's JSON to the core's blocks: only the fields that ctrip reads, strictly.

msgspec fills the Wire structs and skips every other field of a block, which is most of
it. Hex is turned into values afterwards, and only where money may be: a transaction
without value is dropped before its hash is looked at. The logs are in transfers.py.

Two faults have a name here. Garbled: the answer cannot be read at all. Contradiction: it
can be read and cannot be true; NotYet is one that may become true. failover.py asks
another endpoint, and turns what remains into the two errors of a ChainClient.
"""

import re
from datetime import UTC, datetime
from typing import Final, TypeVar

from msgspec import Struct, field

from ctrip.chain.wire import replies
from ctrip.core.blocks import Block, Header, NativeCall, Receipt
from ctrip.core.ids import Amount, BlockHash, BlockNumber, RawAddress, TxHash

# keccak-256 of "Transfer(address,address,uint256)" (EIP-20)
TRANSFER: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
SECOND_MAX: Final = 253_402_300_799  # the last one of the year 9999, where datetime ends
CALL_SIZES: Final = (66, 42, 42)  # characters of a hash and two addresses

QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
WORD: Final = re.compile(r"0x[0-9a-fA-F]{64}")  # 32 bytes: a hash, a topic, an amount
ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")


class WireHeader(Struct, frozen=True, rename="camel"):
    """A block without its transactions."""

    number: str
    hash: str
    parent_hash: str
    timestamp: str
    logs_bloom: str = ""


class WireTransaction(Struct, frozen=True, gc=False):
    """A transaction inside a block."""

    hash: str
    sender: str = field(name="from")
    value: str
    to: str | None = None  # null creates a contract


class WireBlock(WireHeader, frozen=True, rename="camel", kw_only=True):
    """A block with its transactions."""

    transactions: list[WireTransaction]


class WireLog(Struct, frozen=True, rename="camel"):
    """A log of a mined transaction."""

    address: str
    topics: list[str]
    data: str
    block_number: str
    block_hash: str
    transaction_hash: str
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


AnyHeader = TypeVar("AnyHeader", bound=WireHeader | list[WireLog] | str)

QUANTITIES: Final = replies(str)
HEADERS: Final = replies(WireHeader)
BLOCKS: Final = replies(WireBlock)
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


def block(wire: WireBlock) -> Block:
    """Return a block with its native calls; its logs are read by its hash."""
    return Block(header=header(wire), calls=native_calls(wire.transactions))


def native_calls(transactions: list[WireTransaction]) -> tuple[NativeCall, ...]:
    """Return the transactions that offer native coin to somebody.

    There are hundreds in a block, most of them to strangers. So only the sizes are looked
    at: a hash or an address of other characters is nobody's.
    """
    calls = []
    for tx in transactions:
        if tx.value == "0x0" or tx.to is None or not (amount := quantity(tx.value)):
            continue
        if (len(tx.hash), len(tx.sender), len(tx.to)) != CALL_SIZES:
            raise Garbled("a hash or an address has the wrong shape")
        calls.append(
            NativeCall(
                tx_hash=TxHash(tx.hash.lower()),
                sender=RawAddress(tx.sender.lower()),
                recipient=RawAddress(tx.to.lower()),
                amount=Amount(amount),
            )
        )
    return tuple(calls)


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
