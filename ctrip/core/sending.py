"""A transaction of ours on its way into a block.

A Sending is a place in its sender's line of nonces. Its bytes are on record before anybody is
shown them, so whatever happens only the same bytes are sent again, or a dearer version for the
same nonce: one of its versions is mined, and never two. What endpoints tell of it is a fact that
a reorg may take back until its block is final:

    signed ──► sent ──► mined | failed        failed: mined, and it did nothing but cost its fee
                 ▲         │
                 └──reorg──┘
    sent ──► taken                            the nonce went to a transaction that is none of ours

A nonce that seems to be taken is doubted for as long as finality takes: an endpoint may know of the
next nonce before it shows the receipt.

A batch moves what several sweeps are about, out of many addresses: the contract that it calls does
(core/batch.py). What could not be moved the contract names, and the rest it moved; a batch that was
carried out by nobody has moved nothing. Each sweep sees its part of it, as if that were a sending
of its own (as_seen_by).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.fees import Price
from ctrip.core.ids import (
    Amount,
    Asset,
    BlockHash,
    BlockNumber,
    ChainName,
    RawAddress,
    RefundId,
    SendingId,
    SweepId,
    TxHash,
)
from ctrip.core.outgoing import Mined, Outcome, Outgoing, Signed

REPRICE_AFTER: Final = timedelta(seconds=60)  # on its way without being mined


class Purpose(StrEnum):
    """What a sending is for."""

    FUEL = "fuel"  # coin for the gas of a token's sweep
    SWEEP = "sweep"
    REFUND = "refund"
    BATCH = "batch"  # many sweeps of one token


class SendingState(StrEnum):
    """How far it has come."""

    UNSIGNED = "unsigned"  # its nonce is reserved until it is signed elsewhere
    SIGNED = "signed"
    SENT = "sent"
    MINED = "mined"
    FAILED = "failed"
    TAKEN = "taken"
    VOID = "void"  # given up before anybody was shown it


UNDER_WAY: Final = frozenset({SendingState.UNSIGNED, SendingState.SIGNED, SendingState.SENT})
ON_CHAIN: Final = frozenset({SendingState.MINED, SendingState.FAILED})


class Version(Struct, frozen=True, kw_only=True):
    """The transaction at one price."""

    signed: Signed
    value: Amount  # wei
    price: Price
    created_at: datetime


class Offer(Struct, frozen=True):
    """What a version is to carry and to offer."""

    value: Amount  # wei
    price: Price


class Part(Struct, frozen=True, kw_only=True):
    """What a batch moves for one of its sweeps."""

    sweep_id: SweepId
    address: RawAddress
    derivation_index: int
    amount: Amount
    nonce: int | None  # of the address's authorization; None: it gave one before
    kept: bool = False  # the block that has the batch has it without this


class Sending(Struct, frozen=True, kw_only=True):
    """One transaction, whichever of its versions is mined."""

    id: SendingId
    chain: ChainName
    sender: RawAddress
    derivation_index: int | None  # None: the gas wallet, or the payout wallet
    nonce: int
    purpose: Purpose
    sweep_id: SweepId | None
    asset: Asset
    amount: Amount
    beneficiary: RawAddress
    recipient: RawAddress
    data: str
    gas: int
    created_at: datetime
    refund_id: RefundId | None = None
    state: SendingState = SendingState.SIGNED
    exported: Offer | None = None  # while it is signed elsewhere
    versions: tuple[Version, ...] = ()  # the newest last
    tx_hash: TxHash | None = None
    block_number: BlockNumber | None = None
    block_hash: BlockHash | None = None
    fee: Amount | None = None
    final: bool = False
    doubted_at: datetime | None = None
    sent_at: datetime | None = None
    parts: tuple[Part, ...] = ()  # of a batch

    @property
    def newest(self) -> Version:
        return self.versions[-1]

    @property
    def is_native(self) -> bool:
        return self.data == "0x"

    @property
    def sweep_ids(self) -> frozenset[SweepId]:
        own = frozenset() if self.sweep_id is None else frozenset({self.sweep_id})
        return own | {part.sweep_id for part in self.parts}


class Move(Struct, frozen=True):
    """What a transaction did to an address of ours."""

    address: RawAddress
    asset: Asset
    amount: int  # below 0: it went away


def outgoing(sending: Sending, chain_id: int, value: Amount, price: Price) -> Outgoing:
    """Return a version of a sending as it is to be signed."""
    return Outgoing(
        chain_id=chain_id,
        sender=sending.sender,
        nonce=sending.nonce,
        to=sending.recipient,
        value=value,
        data=sending.data,
        gas=sending.gas,
        max_fee=price.max_fee,
        priority_fee=price.priority_fee,
    )


def moves_of(sending: Sending) -> list[Move]:
    """Return what a sending has moved so far: nothing unless it is mined, and succeeded."""
    if sending.state is not SendingState.MINED:
        return []
    gone = {part.address: part.amount for part in sending.parts if not part.kept}
    if sending.purpose is not Purpose.BATCH:
        gone = {sending.sender: sending.amount}
    moves = [Move(address, sending.asset, -amount) for address, amount in gone.items()]
    came = Move(sending.beneficiary, sending.asset, sum(gone.values()))
    return [*moves, came] if moves else []


def as_seen_by(sweep_id: SweepId, sending: Sending) -> Sending:
    """Return a sending as one of its sweeps sees it.

    That a part of a batch moved nothing is believed once it is final: what is tried again then
    cannot meet the first try, in a block where that goes well.
    """
    part = next((part for part in sending.parts if part.sweep_id == sweep_id), None)
    if part is None:
        return sending
    state = sending.state
    if state is SendingState.FAILED or part.kept:
        state = SendingState.FAILED if sending.final else SendingState.SENT
    return replace(
        sending,
        purpose=Purpose.SWEEP,
        sweep_id=sweep_id,
        sender=part.address,
        derivation_index=part.derivation_index,
        amount=part.amount,
        state=state,
        parts=(part,),
    )


def absorb(
    sending: Sending,
    outcomes: Sequence[Outcome],
    *,
    nonce: int,
    finalized: BlockNumber,
    now: datetime,
    doubt: timedelta,
) -> Sending:
    """Record what endpoints say of its versions, and how far its sender's nonces have come.

    `nonce` is the next one of the sender, read before the outcomes were.
    """
    if sending.state not in UNDER_WAY | ON_CHAIN:
        return sending
    for outcome in outcomes:
        if (mined := outcome.mined) is not None:
            version = next(v for v in sending.versions if v.signed.tx_hash == outcome.tx_hash)
            return replace(
                sending,
                state=SendingState.MINED if mined.succeeded else SendingState.FAILED,
                amount=version.value if sending.is_native else sending.amount,
                tx_hash=outcome.tx_hash,
                block_number=mined.block_number,
                block_hash=mined.block_hash,
                fee=mined.fee,
                final=mined.block_number <= finalized,
                doubted_at=None,
                parts=settled(sending, mined),
            )
    if sending.state in ON_CHAIN:
        sending = replace(
            sending,
            state=SendingState.SENT,
            tx_hash=None,
            block_number=None,
            block_hash=None,
            fee=None,
            parts=tuple(replace(part, kept=False) for part in sending.parts),
        )
    if nonce <= sending.nonce:
        return replace(sending, doubted_at=None)
    since = sending.doubted_at or now
    if now - since < doubt:
        return replace(sending, doubted_at=since)
    return replace(sending, state=SendingState.TAKEN, doubted_at=since, final=True)


def settled(sending: Sending, mined: Mined) -> tuple[Part, ...]:
    """Return the parts of a batch as its contract says that they went.

    Where its contract is not, a call succeeds too, and nobody says anything.
    """
    said = {note.kept for note in mined.notes if note.contract == sending.recipient}
    ran = None in said
    return tuple(
        replace(part, kept=mined.succeeded and (not ran or part.address in said))
        for part in sending.parts
    )


class Next(StrEnum):
    """What to do for a sending."""

    WAIT = "wait"
    BROADCAST = "broadcast"  # its newest version, again or for the first time
    REPRICE = "reprice"  # sign a dearer version, if its price is why it is not mined


def next_step(sending: Sending, outcomes: Sequence[Outcome], *, now: datetime) -> Next:
    """Decide what to do for a sending that was brought up to date; outcomes are as its versions."""
    if sending.state not in {SendingState.SIGNED, SendingState.SENT} or sending.doubted_at:
        return Next.WAIT
    if now - sending.newest.created_at > REPRICE_AFTER:
        return Next.REPRICE
    # A dearer version that came back signed was shown to nobody yet, though an older one was.
    asked = outcomes[-1:] if sending.exported else outcomes
    return Next.WAIT if is_in_pool(asked) else Next.BROADCAST


def is_in_pool(outcomes: Sequence[Outcome]) -> bool:
    """Tell whether a node has one of the versions. Those that are outbid may be let go."""
    return any(outcome.known for outcome in outcomes)
