"""A refund's next step, and the state that its sendings put it in."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ctrip.core.changes import Refunded, RefundFailed
from ctrip.core.errors import InvariantError
from ctrip.core.fees import cost
from ctrip.core.ids import NATIVE, Amount, BlockNumber
from ctrip.core.refund import (
    EDGES,
    ENDED,
    TRIES_MAX,
    WAIT_MAX,
    RefundState,
    advance,
    after,
    may_be_paid,
    news_of,
    next_step,
)
from ctrip.core.sending import Offer, Purpose, Sending, SendingState
from ctrip.core.sweep import LOOK_AGAIN, Send, Stick, Wait, patience
from tests.support.builders import CREATED, tx_hash
from tests.support.refunding import a_refund, a_refund_view
from tests.support.sweeping import PRICE, TOKEN, a_sending

S = RefundState
P = SendingState
GAS: Final = cost(PRICE, 21_000)
STATES: Final = [*P]


def paying(
    state: SendingState = P.SENT,
    minutes: float = 0,
    *,
    final: bool = False,
    exported: bool = False,
) -> Sending:
    at = CREATED + timedelta(minutes=minutes)
    in_block: dict[str, Any] = {"exported": Offer(Amount(100), PRICE) if exported else None}
    if state in {P.MINED, P.FAILED}:
        in_block |= {"tx_hash": tx_hash(1), "block_number": BlockNumber(10)}
    return a_sending(Purpose.REFUND, state=state, created_at=at, final=final, **in_block)


@pytest.mark.parametrize(
    ("sendings", "state", "tells"),
    [
        ([], S.QUEUED, "nothing"),
        ([paying(P.SIGNED)], S.SENT, "nothing"),
        ([paying(P.SENT)], S.SENT, "nothing"),
        ([paying(P.TAKEN)], S.QUEUED, "nothing"),
        ([paying(P.TAKEN), paying(P.SENT, 1)], S.SENT, "nothing"),
        ([paying(P.UNSIGNED, exported=True)], S.QUEUED, "nothing"),
        ([paying(P.TAKEN, exported=True)], S.STUCK, "nothing"),
        ([paying(P.VOID, exported=True)], S.QUEUED, "nothing"),
    ],
)
def test_the_state_is_read_off_the_sendings(
    sendings: Sequence[Sending], state: RefundState, tells: str
) -> None:
    refund = advance(a_refund(), sendings, now=CREATED)
    assert refund.state is state
    told = news_of(refund, sendings)
    assert isinstance(told, Refunded)
    assert (told.block_number is None) is (tells == "nothing")


def test_it_goes_all_the_way_and_back_where_a_reorg_takes_it() -> None:
    refund, seen = a_refund(), []
    for sending in (
        paying(),
        paying(P.MINED),
        paying(),
        paying(P.FAILED),
        paying(),
        paying(P.MINED, final=True),
    ):
        refund = advance(refund, [sending], now=CREATED)
        told = news_of(refund, [sending])
        assert isinstance(told, Refunded)
        seen.append((refund.state, told.block_number))
    assert seen == [
        (S.SENT, None), (S.MINED, 10), (S.SENT, None), (S.STUCK, None), (S.SENT, None),
        (S.FINAL, 10),
    ]  # fmt: skip
    assert refund.ended_at == CREATED


def test_what_failed_in_a_final_block_is_over() -> None:
    sent = advance(a_refund(), [paying()], now=CREATED)
    over = advance(sent, [paying(P.FAILED, final=True)], now=CREATED)
    assert (over.state, over.ended_at) == (S.FAILED, CREATED)
    assert "was mined and failed" in over.why
    assert news_of(over, [paying(P.FAILED, final=True)]) == RefundFailed(over.id)


@given(
    drawn=st.lists(st.tuples(st.sampled_from(STATES), st.booleans()), max_size=12),
    exported=st.booleans(),
)
def test_a_state_moves_only_along_edges(
    drawn: Sequence[tuple[SendingState, bool]], *, exported: bool
) -> None:  # R1
    refund = a_refund()
    for state, final in drawn:
        before = refund
        sent = [paying(state, final=final, exported=exported)]
        try:
            refund = advance(refund, sent, now=CREATED)
        except InvariantError:
            continue  # not one that the follower tells; nothing has changed
        assert refund.state is before.state or refund.state in EDGES[before.state]
        assert (refund.ended_at is not None) is (refund.state in ENDED)


@pytest.mark.parametrize("state", [s for s in STATES if s is not P.VOID])
def test_no_other_transaction_pays_what_was_exported(state: SendingState) -> None:  # R4
    sent = a_refund(state=S.SENT)
    refund = advance(sent, [paying(state, exported=True)], now=CREATED)
    assert not may_be_paid(refund, [paying(state, exported=True)])
    void = [paying(P.VOID, exported=True)]
    assert may_be_paid(a_refund(), void)
    assert may_be_paid(a_refund(), [paying(P.TAKEN)]), "signed here, and every hash is known"


def test_a_nonce_that_was_lost_is_told_with_what_to_do_and_found_again() -> None:
    waits = a_refund(state=S.QUEUED)
    lost = advance(waits, [paying(P.TAKEN, exported=True)], now=CREATED)
    assert lost.state is S.STUCK
    assert f"ctrip sweep used {lost.id} --by" in lost.why
    back = advance(lost, [paying(P.SIGNED, exported=True)], now=CREATED)
    assert (back.state, back.why) == (S.SENT, "")


def test_what_is_over_stays_as_it_is() -> None:
    for state in ENDED:
        over = a_refund(state=state, ended_at=CREATED)
        assert advance(over, [paying()], now=CREATED) == over


def test_coin_is_sent_when_its_gas_can_be_paid_beside_it() -> None:  # R3
    enough = Amount(100 + GAS)
    rich = a_refund_view(free=enough, coin=enough)
    assert next_step(a_refund(), rich) == Send(Amount(100), 21_000, PRICE)
    poor = next_step(a_refund(), replace(rich, free=Amount(enough - 1), coin=Amount(enough - 1)))
    assert isinstance(poor, Wait)
    assert "send it coin" in poor.why


def test_a_token_is_sent_when_there_is_coin_for_gas_and_for_data() -> None:  # R3
    refund = a_refund(asset=TOKEN)
    rich = a_refund_view(free=Amount(100), coin=Amount(GAS + 5), data_fee=Amount(5))
    assert next_step(refund, rich) == Send(Amount(100), 21_000, PRICE)
    assert isinstance(next_step(refund, replace(rich, data_fee=Amount(6))), Wait)


@pytest.mark.parametrize(
    ("view", "asset", "says"),
    [
        ({"held": "audit"}, NATIVE, "until the books are in order: audit"),
        ({"backed": False}, NATIVE, "a reorg took back"),
        ({"free": Amount(99)}, TOKEN, "can spend 99 of 0x"),
        ({"price": None}, NATIVE, "gas_price_max_gwei"),
        ({"free": Amount(99), "fails": "x"}, TOKEN, "send it more"),
    ],
)
def test_what_it_waits_for_is_said(view: dict[str, Any], asset: Any, says: str) -> None:
    step = next_step(a_refund(asset=asset), a_refund_view(**view))
    assert isinstance(step, Wait)
    assert says in step.why


def test_what_would_fail_is_tried_ever_more_seldom_and_given_up() -> None:
    refund, waits = a_refund(), []
    step = next_step(refund, a_refund_view(fails="blacklisted"))
    assert isinstance(step, Stick)
    for _ in range(TRIES_MAX - 1):
        refund = after(refund, step, now=CREATED)
        assert refund.state is S.STUCK
        waits.append(refund.due_at - CREATED)
    assert waits == [patience(n) for n in range(TRIES_MAX - 1)]
    refund = after(refund, step, now=CREATED)
    assert (refund.state, refund.ended_at) == (S.FAILED, CREATED)
    assert refund.why == "it would fail: blacklisted"


def test_what_cannot_be_paid_waits_and_not_for_ever() -> None:
    step = Wait("send it coin")
    late = CREATED + WAIT_MAX
    waits = after(a_refund(state=S.STUCK), step, now=late - LOOK_AGAIN)
    assert (waits.state, waits.due_at, waits.why) == (S.QUEUED, late, "send it coin")
    over = after(waits, step, now=late)
    assert (over.state, over.why) == (S.FAILED, "it waited for 7 days: send it coin")
