"""A refund: a part of a payment's money, on its way from the payout wallet to an address.

The payout wallet has what the operator puts there, and refunds are paid out of that alone. As
with a sweep (core/sweep.py), the state is read off its sendings, which are facts, and what to do
next off the state and what the chain says now. Nothing is done here.

    queued ──► sent ──► mined ──► final
      │ ▲       │
      │ └───────┤               its nonce went to a transaction that is none of ours
      └► stuck ◄┘               it would fail, or it did: tried again, ever more seldom
    failed                      it did fail for good, or could not be paid for too long

What failed never moved anything and never will: it may be asked for again.

Where another machine signs, nobody here knows what became of a signature: somebody may have shown
it to a node by other means. So a refund that was exported keeps its nonce, however often it is
exported again, and of all that is ever signed for it one is mined at most. If that nonce went to a
transaction that is not known here, that may have been the refund itself: it is stuck until somebody
says which transaction it was, and nothing is ever paid with a second nonce on a guess.

What always holds (tests cite these):

    R1  a state moves only along EDGES
    R2  at most one sending of a refund is under way or in a block
    R3  what is sent, and what its gas may cost, are never more than what the payout wallet has
    R4  once exported it has one nonce, unless the transaction that took it is known to be another
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.books import until_in_order
from ctrip.core.changes import Refunded, RefundFailed
from ctrip.core.errors import InvariantError
from ctrip.core.fees import Price, cost
from ctrip.core.ids import NATIVE, Amount, Asset, ChainName, KeyId, PaymentId, RawAddress, RefundId
from ctrip.core.sending import Purpose, Sending, SendingState
from ctrip.core.sweep import LOOK_AGAIN, Send, Stick, Wait, latest, patience


class RefundState(StrEnum):
    """How far it has come."""

    QUEUED = "queued"
    SENT = "sent"
    MINED = "mined"
    FINAL = "final"
    STUCK = "stuck"
    FAILED = "failed"


S = RefundState
EDGES: Final[Mapping[RefundState, frozenset[RefundState]]] = {
    S.QUEUED: frozenset({S.SENT, S.STUCK, S.FAILED}),
    S.SENT: frozenset({S.MINED, S.FINAL, S.QUEUED, S.STUCK, S.FAILED}),
    S.MINED: frozenset({S.FINAL, S.SENT, S.STUCK, S.FAILED}),
    S.FINAL: frozenset(),
    S.STUCK: frozenset({S.QUEUED, S.SENT, S.MINED, S.FINAL, S.FAILED}),
    S.FAILED: frozenset(),
}
ENDED: Final = frozenset({S.FINAL, S.FAILED})
WAITS: Final = frozenset({S.QUEUED, S.STUCK})  # for us to do something

TRIES_MAX: Final = 5  # of one that would fail, within half an hour; then whoever asked must look
WAIT_MAX: Final = timedelta(days=7)  # nobody expects money any more that was promised so long ago

NOT_EXPORTED: Final = "it waits for the next `ctrip sweep export`"
EXPORTED: Final = "it was exported, and its signature is waited for"
UNBACKED: Final = "a reorg took back what was to be refunded; it goes on if that is mined again"
MINED_AND_FAILED: Final = "its transaction was mined and failed; its gas is lost"


class Refund(Struct, frozen=True, kw_only=True):
    """Money that goes back, from the moment it was asked for."""

    id: RefundId
    chain: ChainName
    payment_id: PaymentId
    asset: Asset
    amount: Amount
    recipient: RawAddress
    asked_by: KeyId
    created_at: datetime
    due_at: datetime
    state: RefundState = S.QUEUED
    why: str = ""
    tries: int = 0
    ended_at: datetime | None = None


class View(Struct, frozen=True, kw_only=True):
    """What the chain says now, as far as it matters to a refund."""

    wallet: RawAddress  # that pays
    free: Amount  # of the asset there, not promised yet
    coin: Amount  # the same of coin
    backed: bool  # the payment still has what was promised out of it
    price: Price | None  # None: dearer than the operator lets gas be
    gas: int  # that it needs; 0 where `fails` says why it would fail
    fails: str = ""
    data_fee: Amount = Amount(0)  # what an OP-stack chain takes beside gas
    held: str = ""  # why nothing of this asset may move


Step = Wait | Stick | Send


def advance(refund: Refund, sendings: Sequence[Sending], *, now: datetime) -> Refund:
    """Bring a refund up to what its sendings say."""
    state = standing(refund, sendings)
    if state is refund.state:
        return refund
    if state not in EDGES[refund.state]:
        raise InvariantError(f"refund {refund.id}: {refund.state} -> {state}")
    return replace(
        refund,
        state=state,
        why=why_of(refund, state, sendings),
        due_at=now,
        ended_at=now if state in ENDED else None,
    )


def standing(refund: Refund, sendings: Sequence[Sending]) -> RefundState:
    """Read the state off the newest sending that still says anything."""
    if refund.state in ENDED:
        return refund.state
    paying = latest(sendings, Purpose.REFUND)
    if in_doubt(sendings):
        return S.STUCK
    if paying is None or paying.state is SendingState.UNSIGNED:
        return S.STUCK if refund.state is S.STUCK else S.QUEUED
    match paying.state:
        case SendingState.MINED:
            return S.FINAL if paying.final else S.MINED
        case SendingState.FAILED:
            return S.FAILED if paying.final else S.STUCK
        case _:
            return S.SENT


def why_of(refund: Refund, state: RefundState, sendings: Sequence[Sending]) -> str:
    """Say why a refund came to a state, if somebody should know."""
    if lost := in_doubt(sendings):
        return nonce_spent(refund, lost)
    return MINED_AND_FAILED if state in {S.STUCK, S.FAILED} else ""


def in_doubt(sendings: Sequence[Sending]) -> Sending | None:
    """Return the sending that was exported and whose nonce went to nobody knows what."""
    taken = [one for one in sendings if one.state is SendingState.TAKEN and one.exported]
    return taken[0] if taken else None


def nonce_spent(refund: Refund, lost: Sending) -> str:
    """Say what to do where an exported refund's nonce is spent by a transaction unknown here."""
    return (
        f"the nonce {lost.nonce} of {lost.sender} was used by a transaction that did not come"
        " back here, which may have paid it: import that, or name its hash with"
        f" `ctrip sweep used {refund.id} --by 0x…`"
    )


def may_be_paid(refund: Refund, sendings: Sequence[Sending]) -> bool:
    """Tell whether a transaction may be made for a refund, which has none that could be mined."""
    has_one = latest(sendings, Purpose.REFUND) is not None or in_doubt(sendings) is not None
    return refund.state in WAITS and not has_one


def news_of(refund: Refund, sendings: Sequence[Sending]) -> Refunded | RefundFailed:
    """Return what a payment is to be told of its refund. To be told twice changes nothing."""
    if refund.state is S.FAILED:
        return RefundFailed(refund.id)
    paying = latest(sendings, Purpose.REFUND)
    if paying is None or paying.state is not SendingState.MINED:
        return Refunded(refund_id=refund.id, tx_hash=None, block_number=None)
    return Refunded(refund_id=refund.id, tx_hash=paying.tx_hash, block_number=paying.block_number)


def next_step(refund: Refund, view: View) -> Step:
    """Decide what to do for a refund that waits for us."""
    if why := held_back(view.held, backed=view.backed):
        return Wait(why)
    if view.free < refund.amount:
        return Wait(
            f"the payout wallet {view.wallet} can spend {view.free} of {refund.asset} and"
            f" {refund.amount} are needed: send it more"
        )
    if view.fails:
        return Stick(f"it would fail: {view.fails}")
    if view.price is None:
        return Wait("gas costs more than gas_price_max_gwei; it goes on when that falls")
    need = cost(view.price, view.gas) + view.data_fee
    need += refund.amount if refund.asset == NATIVE else 0
    if view.coin < need:
        return Wait(
            f"the payout wallet {view.wallet} can spend {view.coin} wei and {need} are needed,"
            " gas included: send it coin"
        )
    return Send(refund.amount, view.gas, view.price)


def held_back(held: str, *, backed: bool) -> str:
    """Say why nothing may be paid now, whatever it costs; "" if it may."""
    if held:
        return until_in_order(held)
    return "" if backed else UNBACKED


def after(refund: Refund, step: Wait | Stick, *, now: datetime) -> Refund:
    """Note what was decided, where nothing is sent."""
    match step:
        case Wait(why) if now - refund.created_at < WAIT_MAX:
            return replace(refund, state=S.QUEUED, why=why, due_at=now + LOOK_AGAIN)
        case Stick(why) if refund.tries + 1 < TRIES_MAX:
            due_at = now + patience(refund.tries)
            return replace(refund, state=S.STUCK, why=why, tries=refund.tries + 1, due_at=due_at)
        case Wait(why):
            return replace(
                refund,
                state=S.FAILED,
                why=f"it waited for {WAIT_MAX.days} days: {why}",
                ended_at=now,
            )
        case Stick(why):
            return replace(refund, state=S.FAILED, why=why, ended_at=now)
