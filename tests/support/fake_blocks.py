"""What a FakeChain is made of: transactions, mined blocks, and what a node shows of them."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip.chain.client import InconsistentChain, Ours
from ctrip.core.blocks import (
    Block,
    Header,
    Holding,
    NativeCall,
    NativeMove,
    Opinion,
    Receipt,
    TokenLog,
)
from ctrip.core.ids import NATIVE, Amount, Asset, RawAddress, TxHash
from ctrip.core.matching import recipients
from ctrip.core.transaction import Moved, Transaction

CONTRACT: Final = RawAddress("0x" + "c0" * 20)
PAYER: Final = RawAddress("0x" + "fa" * 20)
FEE: Final = 1  # wei, that each transaction costs its sender


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
    is_silent: bool = False  # its data names no recipient: its contract has stored them

    @property
    def named(self) -> set[RawAddress]:
        """The addresses in its data."""
        if self.is_silent:
            return set()
        return {move.recipient for move in self.moves} | {move.recipient for move in self.inner}

    @property
    def sender(self) -> RawAddress:
        return self.call.sender if self.call else next((m.sender for m in self.moves), PAYER)


class Mined(Struct, frozen=True):
    """A block as the chain knows it."""

    header: Header
    txs: tuple[Tx, ...] = ()

    @property
    def named(self) -> set[RawAddress]:
        """The addresses in the data of its transactions."""
        return set[RawAddress]().union(*(tx.named for tx in self.txs))


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


async def only_ours(blocks: Sequence[Block], ours: Ours) -> list[Block]:
    """Return blocks with what they offer to our addresses."""
    whose = await ours(recipients(blocks))
    return [without_others(block, whose) for block in blocks]


async def glanced(
    blocks: Sequence[Mined], tokens: Collection[RawAddress], hidden: Collection[TxHash], ours: Ours
) -> list[Block]:
    """Return blocks with what they offer to us, and their logs only where somebody names us."""
    read = []
    for mined in blocks:
        names_ours = bool(await ours(mined.named))
        block = seen(mined, tokens if names_ours else (), hidden)
        owes_logs = bool(tokens) and not names_ours
        read.append(replace(block, names_ours=names_ours, owes_logs=owes_logs))
    return await only_ours(read, ours)


def without_others(block: Block, ours: Collection[RawAddress]) -> Block:
    """Return what a block offers to these addresses."""
    return replace(
        block,
        calls=tuple(call for call in block.calls if call.recipient in ours),
        logs=tuple(log for log in block.logs if log.recipient in ours),
    )


def held(blocks: Sequence[Mined]) -> Counter[Holding]:
    """Add up what came to each address, less what went from it."""
    sums: Counter[Holding] = Counter()
    for tx in (tx for mined in blocks for tx in mined.txs):
        sums[Holding(NATIVE, tx.sender)] -= FEE
        if tx.fails:
            continue
        for move in (*calls_of(tx), *moves_of(tx)):
            sums[Holding(move.asset, move.recipient)] += move.amount
            sums[Holding(move.asset, move.sender)] -= move.amount
        for inner in tx.inner:
            sums[Holding(NATIVE, inner.recipient)] += inner.amount
    return sums


def opinion(why: str) -> Opinion:
    """Return that a second endpoint agrees, or why not."""
    labels = ("fake, endpoint 1 of 2", "fake, endpoint 2 of 2")
    return Opinion(agrees=not why, first=labels[0], second=labels[1], why=why)


def receipts(blocks: Sequence[Mined], tx_hashes: Sequence[TxHash]) -> list[Receipt]:
    """Return what became of transactions, all of which must be in blocks."""
    mined = {tx.hash: (tx, block) for block in blocks for tx in block.txs}
    if not mined.keys() >= set(tx_hashes):
        raise InconsistentChain("fake: a receipt is missing or is of another transaction")
    return [
        Receipt(tx_hash=tx.hash, block_hash=block.header.hash, succeeded=not tx.fails)
        for tx, block in (mined[tx_hash] for tx_hash in tx_hashes)
    ]


def looked_up(blocks: Sequence[Mined], pool: Sequence[Tx], tx_hash: TxHash) -> Transaction | None:
    """Return what is known of a transaction, in a block or not."""
    mined = [(tx, block.header) for block in blocks for tx in block.txs]
    known = [*mined, *((tx, None) for tx in pool)]
    return next((told(tx, block) for tx, block in known if tx.hash == tx_hash), None)


def told(tx: Tx, block: Header | None) -> Transaction:
    """Return what a node tells of a transaction by its hash; of calls within it, nothing."""
    offered, tokens = tuple(calls_of(tx)), tuple(moves_of(tx))
    succeeded = block is not None and not tx.fails
    return Transaction(
        tx_hash=tx.hash,
        sender=offered[0].sender if offered else PAYER,
        recipient=(offered or tokens)[0].recipient if offered or tokens else None,
        calls=bool(tokens or tx.inner),
        offered=offered,
        nonce=0,
        sender_nonce=0 if block is None else None,
        block=block,
        succeeded=succeeded,
        moved=(*offered, *tokens) if succeeded else (),
    )


def forwarded(tx_hash: TxHash, payouts: Sequence[tuple[RawAddress, int]]) -> Tx:
    """Return a transaction whose contract sends native coin on."""
    rank, inner = Counter[RawAddress](), []
    for to, amount in payouts:
        rank[to] += 1
        inner.append(
            NativeMove(
                tx_hash=tx_hash,
                ordinal=rank[to],
                sender=CONTRACT,
                recipient=to,
                amount=Amount(amount),
            )
        )
    return Tx(tx_hash, inner=tuple(inner))


def calls_of(tx: Tx) -> Iterator[Moved]:
    """Yield the coin that a transaction itself carries."""
    if tx.call:
        call = tx.call
        yield Moved(asset=NATIVE, sender=call.sender, recipient=call.recipient, amount=call.amount)


def moves_of(tx: Tx) -> Iterator[Moved]:
    """Yield the tokens that a transaction moves."""
    for move in tx.moves:
        if move.amount:
            yield Moved(
                asset=Asset(move.contract),
                sender=move.sender,
                recipient=move.recipient,
                amount=Amount(move.amount),
            )


def digest(*parts: object) -> str:
    """Return 32 bytes of hex that depend on the parts alone."""
    return "0x" + sha256(repr(parts).encode()).hexdigest()
