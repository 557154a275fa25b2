"""What a FakeChain is made of: transactions, mined blocks, and what a node shows of them."""

from collections.abc import Collection
from hashlib import sha256
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.blocks import Block, Header, NativeCall, NativeMove, TokenLog
from ctrip.core.ids import Amount, RawAddress, TxHash

PAYER: Final = RawAddress("0x" + "fa" * 20)


class Move(Struct, frozen=True):
    """Tokens going from one address to another."""

    contract: RawAddress
    recipient: RawAddress
    amount: int
    sender: RawAddress = PAYER


class Tx(Struct, frozen=True):
    """A transaction: native coin, its own or what a contract forwards, or token transfers."""

    hash: TxHash
    call: NativeCall | None = None
    inner: tuple[NativeMove, ...] = ()
    moves: tuple[Move, ...] = ()
    fails: bool = False


class Mined(Struct, frozen=True):
    """A block as the chain knows it."""

    header: Header
    txs: tuple[Tx, ...] = ()


def seen(mined: Mined, tokens: Collection[RawAddress], hidden: Collection[TxHash] = ()) -> Block:
    """Return what a node shows of a block; every log takes a number, also those not asked for."""
    moves = [(tx, move) for tx in mined.txs if not tx.fails for move in tx.moves]
    return Block(
        header=mined.header,
        calls=tuple(tx.call for tx in mined.txs if tx.call),
        logs=tuple(
            TokenLog(
                contract=move.contract,
                tx_hash=tx.hash,
                log_index=index,
                block_number=mined.header.number,
                block_hash=mined.header.hash,
                sender=move.sender,
                recipient=move.recipient,
                amount=Amount(move.amount),
            )
            for index, (tx, move) in enumerate(moves)
            if move.contract in tokens and move.amount and tx.hash not in hidden
        ),
    )


def without_others(block: Block, ours: Collection[RawAddress]) -> Block:
    """Return what a block offers to these addresses."""
    return replace(
        block,
        calls=tuple(call for call in block.calls if call.recipient in ours),
        logs=tuple(log for log in block.logs if log.recipient in ours),
    )


def digest(*parts: object) -> str:
    """Return 32 bytes of hex that depend on the parts alone."""
    return "0x" + sha256(repr(parts).encode()).hexdigest()
