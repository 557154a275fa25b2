"""From a node's JSON to the core's blocks: only the fields that ctrip reads, strictly.

msgspec fills the Wire structs and skips every other field of a block, which is most of
it. Hex is turned into values afterwards, and only where money may be: a transaction
without value is dropped before its hash is looked at.

Two faults have a name here. Garbled: the answer cannot be read at all. Contradiction: it
can be read and cannot be true. rpc.py turns them into the two errors of a ChainClient.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct, field

from ctrip.chain.wire import replies
from ctrip.core.blocks import Block, Header, NativeCall, Receipt, TokenLog
from ctrip.core.ids import Amount, BlockHash, BlockNumber, RawAddress, TxHash

# keccak-256 of "Transfer(address,address,uint256)" (EIP-20)
TRANSFER: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
TRANSFER_TOPICS: Final = 3  # ERC-721 has the same topic 0 and a fourth topic
SECOND_MAX: Final = 253_402_300_799  # the last one of the year 9999, where datetime ends

QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
WORD: Final = re.compile(r"0x[0-9a-fA-F]{64}")  # 32 bytes: a hash, a topic, an amount
ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
PADDED_ADDRESS: Final = re.compile(r"0x0{24}[0-9a-fA-F]{40}")  # an address as a topic


class WireHeader(Struct, frozen=True, rename="camel"):
    """A block without its transactions."""

    number: str
    hash: str
    parent_hash: str
    timestamp: str


class WireTransaction(Struct, frozen=True):
    """A transaction inside a block."""

    hash: str
    sender: str = field(name="from")
    value: str
    to: str | None = None  # null creates a contract


class WireBlock(WireHeader, frozen=True, rename="camel"):
    """A block with its transactions."""

    transactions: list[WireTransaction]


class WireLog(Struct, frozen=True, rename="camel"):
    """A log of a mined transaction."""

    address: str
    topics: list[str]
    data: str
    block_hash: str
    transaction_hash: str
    log_index: str
    removed: bool = False


class WireReceipt(Struct, frozen=True, rename="camel"):
    """A receipt. Without a block hash it is a promise; without a status it says nothing."""

    transaction_hash: str
    block_hash: str | None = None
    status: str | None = None


QUANTITIES: Final = replies(str)
HEADERS: Final = replies(WireHeader)
BLOCKS: Final = replies(WireBlock)
LOGS: Final = replies(list[WireLog])
RECEIPTS: Final = replies(WireReceipt)


class Garbled(Exception):
    """What was sent is not what the field holds."""


class Contradiction(Exception):
    """What was sent cannot be true."""


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
    return Block(header=header(wire), calls=tuple(native_calls(wire.transactions)))


def native_calls(transactions: list[WireTransaction]) -> Iterator[NativeCall]:
    """Yield the transactions that offer native coin to somebody."""
    for tx in transactions:
        if tx.value == "0x0" or tx.to is None:
            continue
        if amount := quantity(tx.value):
            yield NativeCall(
                tx_hash=TxHash(matching(WORD, tx.hash)),
                sender=RawAddress(matching(ADDRESS, tx.sender)),
                recipient=RawAddress(matching(ADDRESS, tx.to)),
                amount=Amount(amount),
            )


def token_logs(logs: list[WireLog]) -> list[TokenLog]:
    """Return the ERC-20 transfers among the logs of one block, in their order there."""
    indexes = {quantity(log.log_index) for log in logs}
    if len(indexes) != len(logs):
        raise Contradiction("two logs of a block have the same index")
    transfers = [transfer for log in logs if (transfer := token_log(log))]
    return sorted(transfers, key=lambda log: log.log_index)


def token_log(log: WireLog) -> TokenLog | None:
    """Return the transfer, or None for what only resembles one or moves nothing."""
    if log.removed:
        raise Contradiction("a log was removed from the block it was asked of")
    if not log.topics or log.topics[0].lower() != TRANSFER:
        raise Contradiction("a log has another topic than the one asked for")
    parties = log.topics[1:]
    resembles = len(log.topics) != TRANSFER_TOPICS or not WORD.fullmatch(log.data)
    if resembles or not all(PADDED_ADDRESS.fullmatch(topic) for topic in parties):
        return None
    if not (amount := quantity(log.data)):
        return None
    sender, recipient = (RawAddress(f"0x{topic[-40:].lower()}") for topic in parties)
    return TokenLog(
        contract=RawAddress(matching(ADDRESS, log.address)),
        tx_hash=TxHash(matching(WORD, log.transaction_hash)),
        log_index=quantity(log.log_index),
        block_hash=BlockHash(matching(WORD, log.block_hash)),
        sender=sender,
        recipient=recipient,
        amount=Amount(amount),
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
