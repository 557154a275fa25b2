"""A sweep's next step, and the state that its sendings put it in."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ctrip.core.errors import InvariantError
from ctrip.core.fees import Price, cost
from ctrip.core.ids import NATIVE, Amount, Asset
from ctrip.core.sending import Purpose, Sending, SendingState
from ctrip.core.sweep import (
    EDGES,
    TRY_AGAIN_MAX,
    TRY_AGAIN_MIN,
    Drop,
    Fuel,
    Rule,
    Send,
    Stick,
    SweepState,
    Wait,
    advance,
    after,
    next_step,
    patience,
)
from tests.support.builders import CREATED
from tests.support.sweeping import GWEI, PRICE, TOKEN, a_sending, a_sweep, a_view

S = SweepState
P = SendingState
ANY: Final = Rule()
COIN: Final = a_sweep(NATIVE)
OF_TOKEN: Final = a_sweep(TOKEN)
NO_COIN: Final = Amount(0)


def fuel(state: SendingState = P.MINED, minutes: float = 0) -> Sending:
    at = CREATED + timedelta(minutes=minutes)
    return a_sending(Purpose.FUEL, state=state, created_at=at)


def move(state: SendingState = P.SENT, minutes: float = 1, *, final: bool = False) -> Sending:
    at = CREATED + timedelta(minutes=minutes)
    return a_sending(state=state, created_at=at, final=final)


@pytest.mark.parametrize(
    ("sendings", "state"),
    [
        ([], S.QUEUED),
        ([fuel(P.SIGNED)], S.QUEUED),
        ([fuel()], S.FUELLED),
        ([fuel(), move(P.UNSIGNED)], S.FUELLED),
        ([fuel(), move(P.SIGNED)], S.SENT),
        ([fuel(P.TAKEN)], S.QUEUED),
        ([move(P.SENT)], S.SENT),
        ([move(P.TAKEN)], S.QUEUED),
    ],
)
def test_the_state_is_read_off_the_sendings(sendings: Sequence[Sending], state: SweepState) -> None:
    assert advance(OF_TOKEN, sendings, now=CREATED).state is state


def test_it_goes_all_the_way_and_back_where_a_reorg_takes_it() -> None:
    sweep, seen = OF_TOKEN, []
    for sendings in (
        [fuel()],
        [fuel(P.SENT)],
        [fuel()],
        [fuel(), move()],
        [fuel(), move(P.MINED)],
        [fuel(), move()],
        [fuel(), move(P.MINED, final=True)],
    ):
        sweep = advance(sweep, sendings, now=CREATED)
        seen.append(sweep.state)
    assert seen == [S.FUELLED, S.QUEUED, S.FUELLED, S.SENT, S.MINED, S.SENT, S.FINAL]
    assert (sweep.ended_at, sweep.amount) == (CREATED, 100)
    assert advance(sweep, [], now=CREATED) == sweep, "what is final stays so"


def test_one_whose_transaction_failed_is_stuck_and_tried_again_ever_more_seldom() -> None:
    stuck = advance(advance(COIN, [move()], now=CREATED), [move(P.FAILED)], now=CREATED)
    assert (stuck.state, stuck.tries) == (S.STUCK, 1)
    assert "failed" in stuck.why
    assert stuck.due_at == CREATED + TRY_AGAIN_MIN
    assert advance(stuck, [move(P.FAILED), move(minutes=2)], now=CREATED).state is S.SENT
    assert patience(1) == 2 * TRY_AGAIN_MIN
    assert patience(50) == TRY_AGAIN_MAX


def test_an_edge_that_is_not_in_the_table_stops_the_task() -> None:
    with pytest.raises(InvariantError, match="queued -> mined"):  # W1
        advance(COIN, [move(P.MINED)], now=CREATED)


def test_coin_pays_for_its_own_way() -> None:
    """All that is offered is paid, a quarter more than gas costs, so that nothing stays behind."""
    offered = Price(5 * GWEI, 5 * GWEI)
    step = next_step(COIN, [], a_view(going_rate=4 * GWEI), ANY)
    assert step == Send(Amount(10**18 - 21_000 * 5 * GWEI), 21_000, offered)
    legacy = a_view(price=Price(4 * GWEI, None), going_rate=4 * GWEI)
    step = next_step(COIN, [], legacy, ANY)
    assert step == Send(Amount(10**18 - 21_000 * 4 * GWEI), 21_000, Price(4 * GWEI, None))


def test_a_rollup_takes_its_own_fee_beside_the_gas() -> None:
    step = next_step(COIN, [], a_view(data_fee=Amount(7), going_rate=8 * GWEI), ANY)
    assert step == Send(
        Amount(10**18 - 21_000 * 10 * GWEI - 7), 21_000, Price(10 * GWEI, 10 * GWEI)
    )


def test_a_token_goes_when_there_is_coin_for_it() -> None:
    step = next_step(OF_TOKEN, [], a_view(gas=60_000), ANY)
    assert step == Send(Amount(10**18), 60_000, PRICE)


def test_a_token_is_topped_up_with_what_it_lacks_and_no_more() -> None:
    view = a_view(gas=60_000, coin=Amount(5), data_fee=Amount(9))
    assert next_step(OF_TOKEN, [], view, ANY) == Fuel(Amount(600_000 * GWEI + 4), PRICE)


@pytest.mark.parametrize("state", [P.SIGNED, P.SENT])
def test_it_is_topped_up_once_and_waits_for_it(state: SendingState) -> None:  # W3
    step = next_step(OF_TOKEN, [fuel(state)], a_view(coin=NO_COIN), ANY)
    assert step == Wait("its gas is on the way")


def test_gas_that_became_dearer_is_paid_with_what_the_top_up_is_worth_or_waited_out() -> None:
    had = cost(PRICE, 60_000)
    view = a_view(gas=60_000, coin=had, price=Price(12 * GWEI, GWEI), going_rate=9 * GWEI)
    assert next_step(OF_TOKEN, [fuel()], view, ANY) == Send(Amount(10**18), 60_000, PRICE)
    dear = replace(view, price=Price(400 * GWEI, GWEI), going_rate=200 * GWEI)
    step = next_step(OF_TOKEN, [fuel()], dear, ANY)
    assert isinstance(step, Wait)
    assert "goes on when gas is cheaper" in step.why


def test_an_empty_gas_wallet_is_named_with_what_it_needs() -> None:
    step = next_step(OF_TOKEN, [], a_view(gas=60_000, coin=NO_COIN, purse=Amount(3)), ANY)
    assert isinstance(step, Wait)
    assert (
        step.why == f"the gas wallet can spend 3 wei and {810_000 * GWEI} are needed: send it coin"
    )


@pytest.mark.parametrize(
    ("changes", "rule", "why"),
    [
        ({"price": None}, ANY, "gas_price_max_gwei"),
        ({}, Rule(amount_min=Amount(10**19)), "sweep_min"),
        ({"balance": Amount(10**15)}, Rule(fee_percent_max=10), "fee_percent_max"),
        ({"balance": Amount(10**14)}, ANY, "fee_percent_max"),
        ({"held": "I04"}, ANY, "until the books are in order: I04"),
    ],
)
def test_what_is_not_worth_it_now_waits_and_says_why(
    changes: dict[str, object], rule: Rule, why: str
) -> None:
    step = next_step(COIN, [], a_view(**changes), rule)
    assert isinstance(step, Wait)
    assert why in step.why


def test_a_transaction_that_keeps_failing_is_not_paid_for_for_ever() -> None:
    failed = [move(P.FAILED, minutes=n) for n in range(3)]
    step = next_step(replace(COIN, state=S.STUCK, tries=3), failed, a_view(), ANY)
    assert isinstance(step, Stick)
    assert "ctrip sweep retry" in step.why
    again = next_step(replace(COIN, state=S.STUCK, tries=0), failed, a_view(), ANY)
    assert isinstance(again, Send), "somebody asked for it"


def test_a_top_up_that_failed_is_sent_again_but_not_for_ever() -> None:
    view = a_view(gas=60_000, coin=NO_COIN)
    assert isinstance(next_step(OF_TOKEN, [fuel(P.FAILED)], view, ANY), Fuel)
    failed = [fuel(P.FAILED, minutes=n) for n in range(3)]
    assert next_step(OF_TOKEN, failed, view, ANY) == Stick("its top-up failed 3 times")


def test_what_would_fail_is_stuck_with_the_contracts_own_words() -> None:
    step = next_step(OF_TOKEN, [], a_view(fails="blacklisted"), ANY)
    assert step == Stick("it would fail: blacklisted")


def test_money_that_is_not_there_is_an_alarm_and_one_that_was_taken_back_is_dropped() -> None:
    gone = next_step(COIN, [], a_view(balance=NO_COIN), ANY)
    assert isinstance(gone, Stick)
    assert isinstance(next_step(COIN, [], a_view(recorded=NO_COIN), ANY), Drop)


@pytest.mark.parametrize("step", [Wait("x"), Stick("x"), Drop("x")])
@pytest.mark.parametrize("state", [S.QUEUED, S.FUELLED, S.STUCK])
def test_what_is_decided_moves_along_an_edge(step: Wait | Stick | Drop, state: SweepState) -> None:
    before = replace(COIN, state=state)
    now_is = after(before, step, now=CREATED)
    assert now_is.state is state or now_is.state in EDGES[state]  # W1
    assert now_is.why == "x"
    assert (now_is.ended_at is not None) == (now_is.state is S.DROPPED)


amounts = st.integers(0, 10**18).map(Amount)
prices = st.integers(1, 1_000 * GWEI)


@given(
    asset=st.sampled_from([NATIVE, TOKEN]),
    sendings=st.sampled_from([(), (fuel(),), (fuel(P.SENT),), (fuel(P.TAKEN),)]),
    coin=amounts,
    balance=amounts,
    data_fee=st.integers(0, 10**15).map(Amount),
    gas=st.integers(21_000, 200_000),
    offer=prices,
    going=prices,
    purse=amounts,
)
def test_nothing_is_spent_that_is_not_there(  # W4  # noqa: PLR0913  all that matters to it
    *, asset: Asset, sendings: Sequence[Sending], coin: int, balance: int, data_fee: int, gas: int,
    offer: int, going: int, purse: int,
) -> None:  # fmt: skip
    sweep = a_sweep(asset)
    view = a_view(
        coin=coin,
        balance=coin if asset == NATIVE else balance,
        data_fee=data_fee,
        gas=gas,
        price=Price(offer, 1),
        going_rate=going,
        purse=purse,
    )
    match next_step(sweep, sendings, view, ANY):
        case Send(amount, used, price):
            paid = cost(price, used) + data_fee
            assert paid + (amount if asset == NATIVE else 0) <= coin
            assert amount <= view.balance
            assert price.priority_fee is None or price.priority_fee <= price.max_fee
        case Fuel(value, price):
            assert value + cost(price, view.fuel_gas) <= purse
            assert value + coin == cost(price, gas) + data_fee
            assert not [one for one in sendings if one.state is not P.TAKEN]  # W3
        case Wait(why) | Stick(why) | Drop(why):
            assert why
