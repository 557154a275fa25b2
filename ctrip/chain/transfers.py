"""Logs that say that something moved: which to ask for, and what they are worth.

ERC-20 tokens are asked for by contract. Where a chain logs its native coin too (Polygon,
and chains with EIP-7708), those logs are asked for in the same call, and only there: on
other chains a log of those addresses is never asked for, so it is never money.

What is sent is checked against what was asked and against itself. A set of logs that
cannot be true is a Contradiction as a whole; a log that only resembles a transfer, or
moves nothing, is left out.
"""

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Final, NamedTuple, cast

from msgspec import Struct, convert, to_builtins
from msgspec.structs import replace

from ctrip.chain.decode import (
    HASH_SIZE,
    TRANSFER,
    Contradiction,
    Garbled,
    WireLog,
    is_hex,
    lowered,
    number,
    quantity,
)
from ctrip.chain.wire import Call
from ctrip.core.blocks import NativeMove, PlacedMove, TokenLog
from ctrip.core.chains import NativeSource
from ctrip.core.ids import BlockHash, BlockNumber, RawAddress, TxHash

TRANSFER_TOPICS: Final = 3  # ERC-721 has the same topic 0 and a fourth topic
# of "LogTransfer(address,address,address,uint256,uint256,uint256,uint256,uint256)"
LOG_TRANSFER: Final = "0xe6497e3ee548a3372136af2fcb0696db31fc6cf20260707645068bd3fe97f3c4"
LOG_TRANSFER_TOPICS: Final = 4  # token, from, to
LOG_TRANSFER_WORDS: Final = 5  # the amount, and four balances
WORD_DIGITS: Final = 64
POLYGON_COIN: Final = RawAddress("0x0000000000000000000000000000000000001010")
EIP7708_COIN: Final = RawAddress("0xfffffffffffffffffffffffffffffffffffffffe")

PADDING: Final = "0x" + "0" * 24  # before an address, as a topic


class Coin(NamedTuple):
    """Who logs the moves of a chain's native coin, and under which topic."""

    contract: RawAddress
    topic: str


COINS: Final[Mapping[NativeSource, Coin]] = {
    NativeSource.POLYGON: Coin(POLYGON_COIN, LOG_TRANSFER),
    NativeSource.EIP7708: Coin(EIP7708_COIN, TRANSFER),
}


class Sought(Struct, frozen=True, dict=True):  # dict: for what is worked out once
    """The logs to ask for."""

    tokens: frozenset[RawAddress]
    coin: Coin | None

    @cached_property
    def contracts(self) -> list[RawAddress]:
        return sorted(self.tokens | ({self.coin.contract} if self.coin else set()))

    @cached_property
    def topics(self) -> list[list[str]]:
        return [sorted({TRANSFER} | ({self.coin.topic} if self.coin else set()))]

    def covers(self, contracts: Sequence[RawAddress], topics: Sequence[str]) -> bool:
        """Tell whether logs of these contracts, with these first topics, were asked for."""
        coins = {self.coin.contract} if self.coin else set()
        [known] = self.topics
        return set(contracts) - self.tokens <= coins and sum(map(topics.count, known)) == len(
            topics
        )

    def marks(self) -> list[tuple[str, RawAddress]]:
        """Return each topic with the contract whose log would have it."""
        tokens = [(TRANSFER, contract) for contract in sorted(self.tokens)]
        return [*tokens, (self.coin.topic, self.coin.contract)] if self.coin else tokens

    def in_block(self, block: BlockHash, contracts: Sequence[RawAddress]) -> Call:
        return Call(
            "eth_getLogs", ({"blockHash": block, "address": contracts, "topics": self.topics},)
        )

    def in_range(self, first: int, last: int, contracts: Sequence[RawAddress]) -> Call:
        range_ = {"fromBlock": hex(first), "toBlock": hex(last)}
        return Call("eth_getLogs", ({**range_, "address": contracts, "topics": self.topics},))


class Placed(Struct, frozen=True, gc=False):
    """A log with its numbers read."""

    block: BlockNumber
    log_index: int
    position: int  # of its transaction in the block
    log: WireLog


class Read(NamedTuple):
    """What the logs are worth, in the order of the chain."""

    logs: list[TokenLog]
    moves: list[PlacedMove]


def sought(tokens: Collection[RawAddress], native: NativeSource) -> Sought:
    """Return what to ask for on a chain with these tokens."""
    return Sought(frozenset(tokens), COINS.get(native))


def placed(logs: Sequence[WireLog], first: int, last: int) -> list[Placed]:
    """Return the logs of these blocks in the order of the chain, if they can be true."""
    if not is_hex(characters(logs)):
        logs = [convert(lowered(to_builtins(log)), WireLog) for log in logs]
    found = [
        Placed(place(log.block_number), place(log.log_index), place(log.transaction_index), log)
        for log in logs
    ]
    found.sort(key=attrgetter("block", "log_index"))
    below: Placed | None = None
    for one in found:
        if one.log.removed:
            raise Contradiction("a log was removed from the block it was asked of")
        if not first <= one.block <= last:
            raise Contradiction("a log is of another block than the one asked for")
        if below and below.block == one.block:
            check_neighbours(below, one)
        below = one
    return found


def check_neighbours(below: Placed, above: Placed) -> None:
    """Check two logs that follow each other in one block."""
    if below.log.block_hash != above.log.block_hash:
        raise Contradiction("two logs of a block name different blocks")
    if below.log_index == above.log_index:
        raise Contradiction("two logs of a block have the same index")
    if below.position > above.position:
        raise Contradiction("a log stands before one of an earlier transaction")
    same = below.log.transaction_hash == above.log.transaction_hash
    if same != (below.position == above.position):
        raise Contradiction("a log is of another transaction than its position says")


def offered(found: Sequence[Placed]) -> list[RawAddress]:
    """Return every address that logs may move something to: it is always the last topic."""
    recipients = ["0x" + one.log.topics[-1][-40:] for one in found if one.log.topics]
    return cast("list[RawAddress]", recipients)


def read(found: Sequence[Placed], asked: Sought, ours: Container[RawAddress] | None = None) -> Read:
    """Return the transfers among logs, or only those to our addresses."""
    logs, moves = [], []
    tokens, coin = asked.tokens, asked.coin
    for one in found:
        contract, topics = one.log.address, one.log.topics
        topic = topics[0] if topics else ""
        is_coin = coin is not None and contract == coin.contract
        if not is_coin:
            if contract not in tokens:
                raise Contradiction("a log is of another contract than those asked for")
            if topic != TRANSFER and not (coin and topic == coin.topic):
                raise Contradiction("a log has another topic than the one asked for")
        if ours is not None and (not topics or "0x" + topics[-1][-40:] not in ours):
            continue
        if coin and is_coin:
            if topic == coin.topic and (move := native_move(one, coin)):
                moves.append(move)
        elif topic == TRANSFER and (transfer := token_log(one)):
            logs.append(transfer)
    return Read(logs, list(ranked(moves)))


def token_log(one: Placed) -> TokenLog | None:
    """Return the transfer, or None for what only resembles one, or moves nothing anywhere."""
    log = one.log
    if len(log.topics) != TRANSFER_TOPICS or len(log.data) != HASH_SIZE:
        return None
    _, sender, recipient = log.topics
    if not (is_address(sender) and is_address(recipient) and (amount := number(log.data))):
        return None
    if address_of(sender) == address_of(recipient):
        return None
    if len(log.transaction_hash) != HASH_SIZE or len(log.block_hash) != HASH_SIZE:
        raise Garbled("a hash has the wrong shape")
    return TokenLog(
        contract=log.address,
        tx_hash=log.transaction_hash,
        log_index=one.log_index,
        block_number=one.block,
        block_hash=log.block_hash,
        sender=address_of(sender),
        recipient=address_of(recipient),
        amount=amount,
    )


def native_move(one: Placed, coin: Coin) -> PlacedMove | None:
    """Return the move that the chain itself logged, or None for what moves nothing."""
    log = one.log
    is_polygon = coin.topic == LOG_TRANSFER
    topics, words = (
        (LOG_TRANSFER_TOPICS, LOG_TRANSFER_WORDS) if is_polygon else (TRANSFER_TOPICS, 1)
    )
    if len(log.topics) != topics or len(log.data) != len("0x") + WORD_DIGITS * words:
        raise Garbled("a log of the native coin has not the shape of a transfer")
    if len(log.transaction_hash) != HASH_SIZE or len(log.block_hash) != HASH_SIZE:
        raise Garbled("a hash has the wrong shape")
    sender, recipient = log.topics[-2:]
    amount = number(log.data[:HASH_SIZE])
    if not (is_address(sender) and is_address(recipient)) or not amount or sender == recipient:
        return None
    move = NativeMove(
        tx_hash=log.transaction_hash,
        ordinal=0,
        sender=address_of(sender),
        recipient=address_of(recipient),
        amount=amount,
        log_index=one.log_index,
    )
    return PlacedMove(move=move, block_number=one.block, block_hash=log.block_hash)


def ranked(moves: Sequence[PlacedMove]) -> Iterator[PlacedMove]:
    """Number the moves of a transaction to one recipient, from 0."""
    seen: dict[tuple[TxHash, RawAddress], int] = {}
    for one in moves:
        key = (one.move.tx_hash, one.move.recipient)
        ordinal = seen[key] = seen.get(key, -1) + 1
        yield replace(one, move=replace(one.move, ordinal=ordinal)) if ordinal else one


def characters(logs: Sequence[WireLog]) -> str:
    """Return all that is to be hex of some logs."""
    texts: list[str] = []
    for log in logs:
        texts += (log.address, log.data, log.transaction_hash, log.block_hash)
        texts += log.topics
    return "".join(texts)


def is_address(topic: str) -> bool:
    """Tell whether a topic holds an address."""
    return len(topic) == HASH_SIZE and topic.startswith(PADDING)


def address_of(topic: str) -> RawAddress:
    """Return the address that a topic holds."""
    return RawAddress("0x" + topic[-40:])


@lru_cache(maxsize=4096)  # few different ones, again and again
def place(text: str) -> BlockNumber:
    """Return a height, or a place in a block."""
    return BlockNumber(quantity(text))
