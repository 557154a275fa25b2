"""A sweep: one asset of one deposit address, on its way to the treasury.

Its state is read off its sendings (core/sending.py), which are facts; what to do next, off the
state and what the chain says now. Nothing is done here.

    queued ──► fuelled ──► sent ──► mined ──► final
      │           │         │
      └──────► stuck ◄──────┘       it would fail, or it did: tried again, ever more seldom
      └──► dropped                  there is nothing left to move

Coin pays for its own sweep out of what it moves. A token needs coin on its address, which comes
from the gas wallet, once for each sweep: what the top-up was worth in gas must do, however long
it takes until gas is that cheap again. What is worth less than it costs waits, and says so.

What always holds (tests cite these):

    W1  a state moves only along EDGES
    W2  at most one sending of a sweep that moves its money is under way or mined
    W3  at most one top-up of a sweep is under way, or mined and not failed
    W4  what is sent, and what its gas may cost, are never more than what the address holds
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.books import until_in_order
from ctrip.core.errors import InvariantError
from ctrip.core.fees import Price, cost
from ctrip.core.ids import NATIVE, Amount, Asset, ChainName, PaymentId, RawAddress, SweepId
from ctrip.core.sending import ON_CHAIN, UNDER_WAY, Purpose, Sending, SendingState


class SweepState(StrEnum):
    """How far it has come."""

    QUEUED = "queued"
    FUELLED = "fuelled"  # its gas has arrived
    SENT = "sent"
    MINED = "mined"
    FINAL = "final"
    STUCK = "stuck"
    DROPPED = "dropped"


S = SweepState
EDGES: Final[Mapping[SweepState, frozenset[SweepState]]] = {
    S.QUEUED: frozenset({S.FUELLED, S.SENT, S.STUCK, S.DROPPED}),
    S.FUELLED: frozenset({S.QUEUED, S.SENT, S.STUCK, S.DROPPED}),
    S.SENT: frozenset({S.MINED, S.FINAL, S.QUEUED, S.FUELLED, S.STUCK}),
    S.MINED: frozenset({S.FINAL, S.SENT, S.STUCK}),
    S.FINAL: frozenset(),
    S.STUCK: frozenset({S.QUEUED, S.FUELLED, S.SENT, S.MINED, S.FINAL, S.DROPPED}),
    S.DROPPED: frozenset(),
}
ENDED: Final = frozenset({S.FINAL, S.DROPPED})
WAITS: Final = frozenset({S.QUEUED, S.FUELLED, S.STUCK})  # for us to do something

FAILURES_MAX: Final = 3  # transactions that cost gas and moved nothing, before somebody is asked
LOOK_AGAIN: Final = timedelta(seconds=30)  # at gas prices and at balances
HEADROOM: Final = 4  # a quarter more than gas costs: two full blocks' worth of rising (EIP-1559)
TRY_AGAIN_MIN: Final = timedelta(minutes=1)  # after what failed or would fail
TRY_AGAIN_MAX: Final = timedelta(hours=1)


class Sweep(Struct, frozen=True, kw_only=True):
    """One asset of one address, from the moment it was planned."""

    id: SweepId
    chain: ChainName
    payment_id: PaymentId
    address: RawAddress
    derivation_index: int
    asset: Asset
    created_at: datetime
    due_at: datetime
    state: SweepState = S.QUEUED
    amount: Amount | None = None
    why: str = ""
    tries: int = 0
    in_company: bool = False  # it waits for others to go with, until it is due
    ended_at: datetime | None = None


class Rule(Struct, frozen=True, kw_only=True):
    """What an operator asks of sweeps of an asset."""

    amount_min: Amount = Amount(0)  # of what is worth moving
    fee_percent_max: float = 100.0  # of coin that is moved


class View(Struct, frozen=True, kw_only=True):
    """What the chain says now, as far as it matters to a sweep."""

    balance: Amount  # of the asset, on the address
    coin: Amount  # on the address
    recorded: Amount  # of it, that came and was not taken back
    price: Price | None  # None: dearer than the operator lets gas be
    going_rate: int  # wei a unit of gas that a block takes now
    gas: int  # that the sweep needs; 0 where `fails` says why it would fail
    fails: str = ""
    data_fee: Amount = Amount(0)  # what an OP-stack chain takes beside gas
    fuel_gas: int = 0  # that a top-up needs
    purse: Amount = Amount(0)  # what the gas wallet can spend
    held: str = ""  # why nothing of this asset may move


class Wait(Struct, frozen=True):
    """Do nothing now; look again later."""

    why: str


class Stick(Struct, frozen=True):
    """It would fail. Somebody should know; try again later."""

    why: str


class Drop(Struct, frozen=True):
    """There is nothing to move any more."""

    why: str


class Fuel(Struct, frozen=True):
    """Send coin to the address, out of the gas wallet."""

    value: Amount
    price: Price


class Send(Struct, frozen=True):
    """Send the asset to the treasury."""

    amount: Amount
    gas: int
    price: Price


Step = Wait | Stick | Drop | Fuel | Send


def advance(sweep: Sweep, sendings: Sequence[Sending], *, now: datetime) -> Sweep:
    """Bring a sweep up to what its sendings say."""
    state = standing(sweep, sendings)
    if state is sweep.state:
        return sweep
    if state not in EDGES[sweep.state]:
        raise InvariantError(f"sweep {sweep.id}: {sweep.state} -> {state}")
    moved = latest(sendings, Purpose.SWEEP)
    failed = state is S.STUCK
    return replace(
        sweep,
        state=state,
        amount=moved.amount if moved else sweep.amount,
        why="its transaction was mined and failed; its gas is lost" if failed else "",
        tries=sweep.tries + failed,
        in_company=False,
        due_at=now + patience(sweep.tries) if failed else now,
        ended_at=now if state in ENDED else None,
    )


def standing(sweep: Sweep, sendings: Sequence[Sending]) -> SweepState:
    """Read the state off the newest sendings that still say anything."""
    if sweep.state in ENDED:
        return sweep.state
    moving, fuel = latest(sendings, Purpose.SWEEP), latest(sendings, Purpose.FUEL)
    if moving and moving.state is SendingState.MINED:
        return S.FINAL if moving.final else S.MINED
    if moving and moving.state in UNDER_WAY - {SendingState.UNSIGNED}:
        return S.SENT
    if moving and moving.state is SendingState.FAILED and sweep.state in {S.SENT, S.MINED}:
        return S.STUCK
    if sweep.state is S.STUCK:
        return S.STUCK
    return S.FUELLED if fuel and fuel.state is SendingState.MINED else S.QUEUED


def latest(sendings: Sequence[Sending], purpose: Purpose) -> Sending | None:
    """Return the newest sending for a purpose that was not given up and whose nonce it has."""
    left = [one for one in sendings if one.purpose is purpose and one.state in UNDER_WAY | ON_CHAIN]
    return max(left, key=lambda one: one.created_at, default=None)


def failures(sendings: Sequence[Sending], purpose: Purpose) -> int:
    """Return how many sendings for a purpose were mined and failed."""
    return sum(one.purpose is purpose and one.state is SendingState.FAILED for one in sendings)


def next_step(sweep: Sweep, sendings: Sequence[Sending], view: View, rule: Rule) -> Step:
    """Decide what to do for a sweep that waits for us."""
    if view.held:
        return Wait(until_in_order(view.held))
    if view.recorded == 0:
        return Drop("a reorg took back what was to be moved")
    if view.balance == 0:
        return Stick("nothing is on the address; if it was moved by hand, drop this sweep")
    if view.balance < rule.amount_min:
        return Wait(f"{view.balance} is less than the {rule.amount_min} of sweep_min")
    if view.fails:
        return Stick(f"it would fail: {view.fails}")
    if sweep.tries >= FAILURES_MAX and failures(sendings, Purpose.SWEEP) >= FAILURES_MAX:
        return Stick(
            f"its transaction failed {FAILURES_MAX} times; `ctrip sweep retry` tries again"
        )
    if view.price is None:
        return Wait("gas costs more than gas_price_max_gwei; it goes on when that falls")
    if sweep.asset == NATIVE:
        return move_coin(view, view.price, rule)
    return move_token(sendings, view, view.price)


def move_coin(view: View, price: Price, rule: Rule) -> Step:
    """Move all coin but what moving it costs.

    What is set aside for gas and not used stays on the address for good. So the block's maker
    gets all that is offered, and no more is offered than some blocks may ask for.
    """
    offered = min(price.max_fee, view.going_rate + view.going_rate // HEADROOM)
    price = Price(offered, None if price.priority_fee is None else offered)
    fee = cost(price, view.gas) + view.data_fee
    if fee * 100 > view.balance * rule.fee_percent_max:
        return Wait(
            f"to move {view.balance} wei may cost {fee}, more than {rule.fee_percent_max:g} % of it"
            " (fee_percent_max); it goes on when gas is cheaper"
        )
    if fee >= view.balance:
        return Wait(f"to move {view.balance} wei may cost {fee}, which is more")
    return Send(Amount(view.balance - fee), view.gas, price)


def move_token(sendings: Sequence[Sending], view: View, price: Price) -> Step:
    """Move all of a token, once there is coin for it on the address."""
    need = Amount(cost(price, view.gas) + view.data_fee)
    if view.coin >= need:
        return Send(view.balance, view.gas, price)
    fuel = latest(sendings, Purpose.FUEL)
    if failures(sendings, Purpose.FUEL) >= FAILURES_MAX:
        return Stick(f"its top-up failed {FAILURES_MAX} times")
    if fuel is None or fuel.state is SendingState.FAILED:
        value = Amount(need - view.coin)
        whole = value + cost(price, view.fuel_gas)
        if whole > view.purse:
            return Wait(
                f"the gas wallet can spend {view.purse} wei and {whole} are needed: send it coin"
            )
        return Fuel(value, price)
    if fuel.state in UNDER_WAY:
        return Wait("its gas is on the way")
    affordable = (view.coin - view.data_fee) // view.gas
    if affordable < view.going_rate:
        return Wait(
            f"gas costs {view.going_rate} wei, and its top-up is worth {max(0, affordable)};"
            " it goes on when gas is cheaper, or when coin is sent to the address"
        )
    tip = price.priority_fee
    return Send(
        view.balance, view.gas, Price(affordable, None if tip is None else min(tip, affordable))
    )


def after(sweep: Sweep, step: Step, *, now: datetime) -> Sweep:
    """Note what was decided, where nothing is sent."""
    sweep = replace(sweep, in_company=False)
    match step:
        case Wait(why):
            waits = S.QUEUED if sweep.state is S.STUCK else sweep.state
            return replace(sweep, state=waits, why=why, due_at=now + LOOK_AGAIN)
        case Stick(why):
            return replace(
                sweep,
                state=S.STUCK,
                why=why,
                tries=sweep.tries + 1,
                due_at=now + patience(sweep.tries),
            )
        case Drop(why):
            return replace(sweep, state=S.DROPPED, why=why, ended_at=now)
        case Fuel() | Send():
            return going(sweep, now=now)


def going(sweep: Sweep, *, now: datetime) -> Sweep:
    """Return a sweep for which something is sent: it waits for nothing."""
    return replace(sweep, why="", due_at=now, in_company=False)


def patience(tries: int) -> timedelta:
    """Return how long to wait after so many tries that did not move the money."""
    return min(TRY_AGAIN_MAX, TRY_AGAIN_MIN * 2.0 ** min(tries, 10))
