"""A transaction of ours, by what endpoints say of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ctrip.core.ids import Amount, BlockNumber
from ctrip.core.outgoing import Outcome
from ctrip.core.sending import (
    REPRICE_AFTER,
    Next,
    Offer,
    Sending,
    SendingState,
    absorb,
    moves_of,
    next_step,
)
from tests.support.builders import CREATED, tx_hash
from tests.support.sweeping import (
    DEPOSIT,
    PRICE,
    TREASURY,
    a_sending,
    a_version,
    in_pool,
    mined,
    unknown,
)

DOUBT: Final = timedelta(minutes=15)
SENT: Final = a_sending(state=SendingState.SENT, sent_at=CREATED)
TWO_VERSIONS: Final = replace(SENT, versions=(a_version(1, value=100), a_version(2, value=90)))


def told(
    sending: Sending,
    outcomes: Sequence[Outcome],
    *,
    nonce: int = 0,
    finalized: int = 0,
    minutes: float = 1,
) -> Sending:
    return absorb(
        sending,
        outcomes,
        nonce=nonce,
        finalized=BlockNumber(finalized),
        now=CREATED + timedelta(minutes=minutes),
        doubt=DOUBT,
    )


def test_it_is_mined_where_its_receipt_says() -> None:
    after = told(SENT, [mined(block=10, fee=5)], nonce=1)
    assert (after.state, after.block_number, after.fee) == (SendingState.MINED, 10, 5)
    assert (after.final, after.tx_hash) == (False, tx_hash(1))
    assert told(after, [mined(block=10, fee=5)], nonce=1, finalized=10).final


def test_one_that_failed_has_cost_its_fee_and_moved_nothing() -> None:
    after = told(SENT, [mined(succeeded=False)], nonce=1)
    assert after.state is SendingState.FAILED
    assert after.fee == 21_000
    assert moves_of(after) == []


def test_whichever_version_is_mined_says_how_much_coin_moved() -> None:
    after = told(TWO_VERSIONS, [unknown(1), mined(2)], nonce=1)
    assert (after.amount, after.tx_hash) == (90, tx_hash(2))
    assert [(move.address, move.amount) for move in moves_of(after)] == [
        (DEPOSIT, -90),
        (TREASURY, 90),
    ]


def test_a_reorg_takes_back_all_that_its_block_said() -> None:
    there = told(SENT, [mined()], nonce=1)
    gone = told(there, [unknown()], nonce=0)
    assert gone == replace(SENT, amount=gone.amount)
    assert next_step(gone, [unknown()], now=CREATED) is Next.BROADCAST


def test_it_is_mined_again_in_another_block() -> None:
    there = told(SENT, [mined(block=10)], nonce=1)
    assert told(there, [mined(block=12)], nonce=1).block_number == 12


def test_a_nonce_that_somebody_else_used_is_doubted_for_as_long_as_finality_takes() -> None:
    doubted = told(SENT, [unknown()], nonce=1, minutes=1)
    assert doubted.state is SendingState.SENT
    assert next_step(doubted, [unknown()], now=CREATED) is Next.WAIT
    assert told(doubted, [unknown()], nonce=1, minutes=15.9).state is SendingState.SENT
    taken = told(doubted, [unknown()], nonce=1, minutes=16)
    assert (taken.state, taken.final) == (SendingState.TAKEN, True)


def test_a_doubt_ends_with_the_receipt_or_with_a_lower_nonce() -> None:
    doubted = told(SENT, [unknown()], nonce=1)
    assert told(doubted, [mined()], nonce=1).doubted_at is None
    assert told(doubted, [in_pool()], nonce=0).doubted_at is None


def test_what_no_node_has_is_shown_again_and_what_one_has_is_waited_for() -> None:
    for sending in (a_sending(), SENT):
        assert next_step(sending, [unknown()], now=CREATED) is Next.BROADCAST
        assert next_step(sending, [in_pool()], now=CREATED) is Next.WAIT


def test_a_version_that_came_back_signed_is_shown_though_a_node_has_an_older_one() -> None:
    exported = replace(TWO_VERSIONS, exported=Offer(Amount(90), PRICE))
    older, both = [in_pool(1), unknown(2)], [in_pool(1), in_pool(2)]
    assert next_step(exported, older, now=CREATED) is Next.BROADCAST
    assert next_step(exported, both, now=CREATED) is Next.WAIT
    assert next_step(TWO_VERSIONS, older, now=CREATED) is Next.WAIT, "signed here, and shown then"


@pytest.mark.parametrize("said", [in_pool(), unknown()])
def test_what_is_not_mined_for_long_may_offer_too_little(said: Outcome) -> None:
    """Whether pools keep it or have let it go."""
    at = CREATED + REPRICE_AFTER
    assert next_step(SENT, [said], now=at) is not Next.REPRICE
    assert next_step(SENT, [said], now=at + timedelta(seconds=1)) is Next.REPRICE


@pytest.mark.parametrize("state", [SendingState.VOID, SendingState.TAKEN])
def test_what_is_over_is_not_followed(state: SendingState) -> None:
    sending = a_sending(state=state)
    assert told(sending, [mined()], nonce=5, minutes=100) == sending
    assert next_step(sending, [unknown()], now=CREATED) is Next.WAIT


outcomes = st.sampled_from(
    [mined(1, 8), mined(1, 9), mined(1, 9, succeeded=False), in_pool(1), unknown(1)]
)


@given(st.lists(st.tuples(outcomes, st.integers(0, 2), st.floats(0, 40)), max_size=8))
def test_the_last_word_counts_however_it_came_about(
    said: list[tuple[Outcome, int, float]],
) -> None:
    sending = SENT
    for outcome, nonce, minutes in said:
        before = sending
        sending = told(sending, [outcome], nonce=nonce, minutes=minutes)
        assert told(sending, [outcome], nonce=nonce, minutes=minutes) == sending, "twice is once"
        if before.state is SendingState.TAKEN:
            assert sending == before
        elif outcome.mined:
            assert sending.block_number == outcome.mined.block_number
        else:
            assert sending.block_number is None
            assert moves_of(sending) == []
