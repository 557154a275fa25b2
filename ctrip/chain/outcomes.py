"""What became of transactions of ours, from one endpoint.

A receipt alone is no inclusion: nodes give receipts of blocks that are still being built, or that
a reorg took. It counts if the endpoint has the very block that it names at its height. A
transaction that is in no block may be in a pool; one that nobody knows is to be sent again.

Before it counts as final a second endpoint is to show the same, in the same block. What it took as
a fee is not compared: not every node tells all parts of it.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from ctrip.chain.decode import (
    HEADERS,
    WORD,
    Contradiction,
    Garbled,
    WireReceipt,
    matching,
    quantity,
)
from ctrip.chain.decode import receipt as typed
from ctrip.chain.endpoint import Provider
from ctrip.chain.faults import Cure, cure_of_refusal
from ctrip.chain.receipts import RECEIPT, height_of
from ctrip.chain.tips import BY_NUMBER, header_of
from ctrip.chain.wire import Call, Reply, replies
from ctrip.core.batch import KEPT, SWEPT
from ctrip.core.ids import Amount, BlockHash, BlockNumber, RawAddress, TxHash
from ctrip.core.outgoing import Mined, Note, Outcome

BY_HASH: Final = "eth_getTransactionByHash"
ADDRESS_DIGITS: Final = 40  # hex digits; the last of a topic that is an address
SCALE: Final = 1_000_000  # of the operator's scalar, since Isthmus
SCALE_JOVIAN: Final = 100  # wei a unit of it, since Jovian

T = TypeVar("T")


class WireNote(Struct, frozen=True):
    """A log, as far as what a batch of sweeps says is in it."""

    address: str
    topics: list[str]


class WireCost(WireReceipt, frozen=True, rename="camel", kw_only=True):
    """A receipt with what the transaction cost. What is not on every chain may be missing."""

    logs: list[WireNote]
    gas_used: str
    effective_gas_price: str
    l1_fee: str | None = None  # of the OP stack, and Scroll
    operator_fee_scalar: str | None = None
    operator_fee_constant: str | None = None
    da_footprint_gas_scalar: str | None = None  # on OP chains since Jovian


class WireHash(Struct, frozen=True):
    """A transaction, as far as it proves that the endpoint knows it."""

    hash: str


COSTS: Final = replies(WireCost)
KNOWN: Final = replies(WireHash)


async def read(provider: Provider, tx_hashes: Sequence[TxHash]) -> list[Outcome]:
    """Return what an endpoint knows of each transaction, in order."""
    calls = [Call(RECEIPT, (tx_hash,)) for tx_hash in tx_hashes]
    said = [present(provider, RECEIPT, r) for r in await provider.ask(calls, COSTS)]
    mined = {
        tx_hash: mined_in(tx_hash, wire)
        for tx_hash, wire in zip(tx_hashes, said, strict=True)
        if wire is not None and wire.block_hash is not None
    }
    canonical = await _canonical(provider, {m.block_number for m in mined.values()})
    mined = {h: m for h, m in mined.items() if canonical.get(m.block_number) == m.block_hash}
    known = await _known(provider, [h for h in tx_hashes if h not in mined])
    return [Outcome(tx_hash=h, mined=mined.get(h), known=h in known) for h in tx_hashes]


async def differing(provider: Provider, seen: Sequence[Outcome]) -> list[str | None]:
    """Return what an endpoint shows otherwise than was seen of each that is in a block.

    Nothing if it shows the same; None if it has not come so far, and cannot say.
    """
    mined = [one.mined for one in seen if one.mined is not None]
    canonical = await _canonical(provider, {one.block_number for one in mined})
    calls = [Call(RECEIPT, (one.tx_hash,)) for one in seen]
    said = [present(provider, RECEIPT, r) for r in await provider.ask(calls, COSTS)]
    return [
        None if one.mined is None else difference(one.mined, one.tx_hash, wire, canonical)
        for one, wire in zip(seen, said, strict=True)
    ]


def difference(
    mined: Mined,
    tx_hash: TxHash,
    wire: WireCost | None,
    canonical: Mapping[BlockNumber, BlockHash],
) -> str | None:
    """Return what an endpoint shows otherwise of one transaction."""
    block = canonical.get(mined.block_number)
    if block is None:
        return None
    if block != mined.block_hash:
        return f"it has another block {mined.block_number}"
    if wire is None or wire.block_hash is None:
        return "it shows no receipt of the transaction"
    other = mined_in(tx_hash, wire)
    if other.block_hash != mined.block_hash:
        return "it shows the transaction in another block"
    if other.succeeded != mined.succeeded:
        return "it shows that the transaction " + ("succeeded" if other.succeeded else "failed")
    return "" if other.notes == mined.notes else "it shows other logs of the transaction"


async def _canonical(
    provider: Provider, heights: set[BlockNumber]
) -> Mapping[BlockNumber, BlockHash]:
    """Return the hashes of the blocks that an endpoint has at these heights."""
    calls = [Call(BY_NUMBER, (hex(height), False)) for height in sorted(heights)]
    headers = [header_of(provider, reply) for reply in await provider.ask(calls, HEADERS)]
    return {header.number: header.hash for header in headers if header}


async def _known(provider: Provider, tx_hashes: Sequence[TxHash]) -> set[TxHash]:
    """Return those that an endpoint knows."""
    calls = [Call(BY_HASH, (tx_hash,)) for tx_hash in tx_hashes]
    said = [present(provider, BY_HASH, r) for r in await provider.ask(calls, KNOWN)]
    found = zip(tx_hashes, said, strict=True)
    return {tx_hash for tx_hash, wire in found if wire and wire.hash.lower() == tx_hash}


def present(provider: Provider, method: str, reply: Reply[T]) -> T | None:
    """Return a result; None where the node says that it has none."""
    if reply.error and cure_of_refusal(reply.error, method) is not Cure.WAIT:
        raise provider.refused(method, reply.error)
    return reply.result


def mined_in(tx_hash: TxHash, wire: WireCost) -> Mined:
    """Return where a receipt says that a transaction is, and what it says that it cost."""
    receipt = typed(wire)
    if receipt.tx_hash != tx_hash:
        raise Contradiction("a receipt is of another transaction")
    gas = quantity(wire.gas_used)
    if not gas:
        raise Garbled("a transaction used no gas")
    fee = gas * quantity(wire.effective_gas_price) + optional(wire.l1_fee) + operator(wire, gas)
    return Mined(
        block_number=BlockNumber(height_of(wire)),
        block_hash=receipt.block_hash,
        succeeded=receipt.succeeded,
        gas_used=gas,
        fee=Amount(fee),
        notes=notes_in(wire.logs),
    )


def notes_in(logs: Sequence[WireNote]) -> tuple[Note, ...]:
    """Return what a batch of sweeps says."""
    notes = []
    for log in logs:
        contract = RawAddress(log.address.lower())
        match log.topics:
            case [name, deposit, _] if name.lower() == KEPT:
                kept = RawAddress("0x" + matching(WORD, deposit)[-ADDRESS_DIGITS:])
                notes.append(Note(contract, kept))
            case [name, _] if name.lower() == SWEPT:
                notes.append(Note(contract, None))
            case _:
                pass
    return tuple(notes)


def operator(wire: WireCost, gas: int) -> int:
    """Return what the operator of a rollup took."""
    scaled = gas * optional(wire.operator_fee_scalar)
    is_jovian = wire.da_footprint_gas_scalar is not None
    taken = scaled * SCALE_JOVIAN if is_jovian else scaled // SCALE
    return taken + optional(wire.operator_fee_constant)


def optional(text: str | None) -> int:
    """Return a number that not every chain names."""
    return quantity(text) if text is not None else 0
