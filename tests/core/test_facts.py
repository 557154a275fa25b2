"""What a payment remembers: money that only balances show, time given back, second opinions."""

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrip.core.changes import BalanceRead, ChainStood, Change, HeadMoved, TransferVouched
from ctrip.core.events import EventType
from ctrip.core.ids import NATIVE, Amount, BlockNumber, ChainName
from ctrip.core.payment import Flag, Payment, Source, Status
from tests.support.builders import (
    CHAIN,
    CREATED,
    DEADLINE,
    IN_TIME,
    OTHER_ASSET,
    WINDOW_END,
    a_header,
    a_payment,
    a_token_payment,
    a_transfer,
    after,
    clock,
    head,
    lost,
    seen,
    told,
)

ELSEWHERE = ChainName("elsewhere")
MINUTE = timedelta(minutes=1)


def holds(balance: int, block: int, **changes: object) -> BalanceRead:
    """Return what was read of the address at a final block."""
    read = {"chain": CHAIN, "asset": NATIVE, "balance": Amount(balance), "block": a_header(block)}
    return BalanceRead(**(read | changes))  # type: ignore[arg-type]  # fields by name


def by_balance(payment: Payment) -> list[tuple[int, int]]:
    """Return amount and block of what only balances show."""
    ours = (t for t in payment.live() if t.source is Source.BALANCE)
    return [(t.amount, t.block_number) for t in ours]


def test_a_balance_beyond_the_record_is_money() -> None:
    payment = after(a_payment(), head(30, 20), holds(100, 20))
    assert (payment.amount_received, payment.status) == (100, Status.SETTLED)
    assert by_balance(payment) == [(100, 20)]


def test_a_balance_counts_only_what_is_beyond_the_record() -> None:
    payment = after(a_payment(), seen(a_transfer(1, 30, block=10)), head(30, 20), holds(100, 20))
    assert by_balance(payment) == [(70, 20)]
    assert payment.amount_received == 100


def test_money_above_the_block_of_a_balance_does_not_explain_it() -> None:
    payment = after(a_payment(), seen(a_transfer(1, 30, block=25)), head(30, 20), holds(70, 20))
    assert payment.amount_received == 100


@pytest.mark.parametrize(("moved", "beyond"), [(-100, 70), (-60, 30), (-30, 0), (10, 0)])
def test_what_we_moved_ourselves_is_taken_into_account(moved: int, beyond: int) -> None:
    payment = after(a_payment(), seen(a_transfer(1, 100)), head(30, 20), holds(70, 20, moved=moved))
    assert payment.amount_received == 100 + beyond


@pytest.mark.parametrize("balance", [0, 29, 30])
def test_a_balance_that_is_not_higher_than_the_record_is_nothing(balance: int) -> None:
    payment = after(a_payment(), seen(a_transfer(1, 30)), head(30, 20))
    assert after(payment, holds(balance, 20)) == payment


def test_money_that_a_reorg_took_explains_no_balance() -> None:
    gone = a_transfer(1, 30)
    payment = after(a_payment(), seen(gone), lost(gone), head(30, 20), holds(30, 20))
    assert (payment.amount_received, by_balance(payment)) == (30, [(30, 20)])


def test_a_transaction_that_is_found_later_takes_the_place_of_a_balance() -> None:
    payment = after(a_payment(), head(30, 20), holds(100, 20), seen(a_transfer(1, 60, block=15)))
    assert by_balance(payment) == [(40, 20)]
    assert (payment.amount_received, payment.status) == (100, Status.SETTLED)


def test_a_balance_that_was_explained_is_not_seen_again() -> None:
    explained = after(a_payment(), head(30, 20), holds(100, 20), seen(a_transfer(1, 100, block=15)))
    assert after(explained, holds(100, 20)) == explained
    assert by_balance(explained) == []


def test_a_transaction_above_the_block_of_a_balance_is_other_money() -> None:
    payment = after(a_payment(), head(30, 20), holds(100, 20), seen(a_transfer(1, 60, block=21)))
    assert (payment.amount_received, payment.flags) == (160, frozenset({Flag.OVERPAID}))


def test_a_transaction_is_taken_from_balances_once_however_many_there_are() -> None:
    payment = after(a_payment(), head(40, 30), holds(50, 20), holds(100, 30))
    assert by_balance(payment) == [(50, 20), (50, 30)]
    found = after(payment, seen(a_transfer(1, 70, block=15)))
    assert found.amount_received == 100


def test_a_balance_of_another_asset_or_chain_is_explained_by_its_own_alone() -> None:
    other_asset = holds(5, 20, asset=OTHER_ASSET)
    other_chain = holds(7, 20, chain=ELSEWHERE)
    payment = after(a_payment(), head(30, 20), holds(100, 20), other_asset, other_chain)
    payment = after(payment, seen(a_transfer(1, 100, block=15)))
    assert sorted(by_balance(payment)) == [(5, 20), (7, 20)]
    assert payment.amount_received == 100


def test_what_was_lost_and_is_found_again_explains_a_balance_too() -> None:
    """Its block was replaced, and the block that has it now was not shown at first."""
    old, new = a_transfer(1, 100, block=10, branch="b"), a_transfer(1, 100, block=15)
    payment = after(a_payment(), seen(old), lost(old), head(30, 20), holds(100, 20))
    found = after(payment, seen(new))
    assert (found.amount_received, by_balance(found)) == (100, [])


def test_an_older_balance_that_counts_after_a_newer_one_is_the_same_money() -> None:
    """Two processes, or two flows, may notice it at two blocks and write in any order."""
    payment = after(a_payment(), head(40, 30), holds(100, 30))
    assert after(payment, holds(100, 20)) == payment


@given(
    amounts=st.lists(st.integers(1, 60), min_size=1, max_size=3),
    reads=st.lists(st.integers(10, 20), min_size=1, max_size=3),
    data=st.data(),
)
def test_balances_and_transactions_in_any_order_count_once(
    amounts: list[int], reads: list[int], data: st.DataObject
) -> None:
    """The last read sees all of it, so all of it counts, whoever says so first."""
    money = [a_transfer(n, amount, block=10 + n) for n, amount in enumerate(amounts)]

    def there(block: int) -> int:
        return sum(t.amount for t in money if t.block_number <= block)

    balances = [holds(there(block), block) for block in [*reads, 20]]
    changes: list[Change] = [*balances, *map(seen, data.draw(st.lists(st.sampled_from(money))))]
    shuffled = data.draw(st.permutations(changes))
    payment = after(a_payment(), head(40, 30), *shuffled)
    assert payment.amount_received == sum(amounts)


def test_every_order_of_a_balance_a_find_a_loss_and_a_find_ends_alike() -> None:
    old, new = a_transfer(1, 100, block=10, branch="b"), a_transfer(1, 100, block=15)
    changes: list[Change] = [seen(new), holds(100, 20), holds(100, 18)]
    for order in permutations(changes):
        payment = after(a_payment(), seen(old), lost(old), head(30, 20), *order)
        assert (payment.amount_received, by_balance(payment)) == (100, []), order


def test_native_coin_for_a_token_payment_is_announced_and_not_counted() -> None:
    payment = a_token_payment()
    assert told(payment, head(30, 20), holds(5, 20)) == [EventType.UNEXPECTED_TRANSFER]
    now = after(payment, head(30, 20), holds(5, 20))
    assert (now.flags, now.amount_received) == (frozenset({Flag.WRONG_TOKEN}), 0)


def test_a_balance_on_another_chain_is_announced_and_not_counted() -> None:
    other = holds(100, 90, chain=ELSEWHERE)
    now = after(a_payment(), head(30, 20), other)
    assert (now.status, now.flags, now.amount_received) == (
        Status.PENDING,
        frozenset({Flag.WRONG_TOKEN}),
        0,
    )
    assert now.head == 30, "another chain's blocks say nothing of how deep ours is"
    assert told(a_payment(), head(30, 20), other, other) == [EventType.UNEXPECTED_TRANSFER]


def test_money_on_another_chain_is_never_final_by_the_blocks_of_ours() -> None:
    there = a_transfer(1, 100, block=10, chain=ELSEWHERE)
    payment = after(a_payment(), seen(there), head(30, 20), lost(there))
    assert (payment.flags, list(payment.live())) == (frozenset({Flag.REORGED}), [])


def test_the_head_of_another_chain_confirms_nothing() -> None:
    heads = BlockNumber(500), BlockNumber(400), BlockNumber(400)
    payment = after(a_payment(), seen(), HeadMoved(ELSEWHERE, *heads))
    assert (payment.status, payment.confirmations) == (Status.DETECTED, 1)


def test_a_balance_read_after_the_deadline_is_late() -> None:
    late = a_payment(expires_at=IN_TIME - timedelta(seconds=1), watched_until=WINDOW_END)
    now = after(late, head(30, 20), holds(100, 20))
    assert now.flags == {Flag.LATE}
    found = after(now, seen(a_transfer(1, 100, block=15, block_time=CREATED)))
    assert (found.flags, found.status) == (frozenset(), Status.SETTLED)


def test_a_standstill_moves_both_deadlines_by_its_length() -> None:
    payment = after(a_payment(), ChainStood(CHAIN, IN_TIME, IN_TIME + 10 * MINUTE))
    assert payment.expires_at == DEADLINE + 10 * MINUTE
    assert payment.watched_until == WINDOW_END + 10 * MINUTE
    assert payment.extended_seconds == 600


def test_a_standstill_counts_from_the_payments_birth() -> None:
    stood = ChainStood(CHAIN, CREATED - 60 * MINUTE, CREATED + MINUTE)
    assert after(a_payment(), stood).extended_seconds == 60


def test_the_same_standstill_twice_or_in_two_halves_is_given_back_once() -> None:
    half, whole = (ChainStood(CHAIN, IN_TIME, IN_TIME + n * MINUTE) for n in (5, 10))
    assert after(a_payment(), half, half, whole, whole).extended_seconds == 600


@pytest.mark.parametrize(
    "stood",
    [
        ChainStood(ELSEWHERE, IN_TIME, DEADLINE),
        ChainStood(CHAIN, DEADLINE, DEADLINE + MINUTE),
        ChainStood(CHAIN, IN_TIME, IN_TIME),
    ],
    ids=["of another chain", "that began at the deadline", "of no length"],
)
def test_a_standstill_that_took_nothing_gives_nothing(stood: ChainStood) -> None:
    assert after(a_payment(), stood) == a_payment()


def test_a_deadline_that_has_passed_does_not_come_back() -> None:
    lapsed = after(a_payment(), clock(DEADLINE))
    assert after(lapsed, ChainStood(CHAIN, IN_TIME, DEADLINE + MINUTE)) == lapsed


def test_much_money_waits_for_a_second_opinion() -> None:
    payment = after(a_payment(needs_vouching=True), seen(), head(30))
    assert payment.status is Status.DETECTED
    money = a_transfer()
    vouched = after(payment, TransferVouched(money.key, money.block_hash))
    assert vouched.status is Status.PAID


def test_an_opinion_of_another_block_vouches_for_nothing() -> None:
    payment = after(a_payment(needs_vouching=True), seen(), head(30))
    moved = a_transfer(branch="b")
    assert after(payment, TransferVouched(moved.key, moved.block_hash)) == payment


def test_an_opinion_is_lost_with_the_block_it_was_about() -> None:
    money, moved = a_transfer(), a_transfer(branch="b")
    payment = after(
        a_payment(needs_vouching=True),
        seen(money),
        TransferVouched(money.key, money.block_hash),
        seen(moved),
        head(30),
    )
    assert payment.status is Status.DETECTED


def test_naming_the_transaction_behind_a_balance_is_no_news() -> None:
    changes = (head(30, 20), holds(250, 20))
    payment = after(a_payment(), *changes)
    assert told(a_payment(), *changes)[-1] is EventType.OVERPAID
    assert told(payment, seen(a_transfer(1, 250, block=12))) == []
    assert told(payment, seen(a_transfer(1, 251, block=12))) == [EventType.OVERPAID]
