"""What holds whatever happens, in whatever order: the machine's invariants by their numbers.

I6 is about rows that are written together; the tests of the store and of flows hold it.
"""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ctrip.core.acts import has_come_for_good
from ctrip.core.changes import Change, RefundAsked, TransferLost, TransferSeen
from ctrip.core.events import OF_FLAG, OF_STATUS, EventType
from ctrip.core.facts import is_final
from ctrip.core.machine import EDGES, advance, next_status
from ctrip.core.payment import Payment, Status, Transfer
from tests.core.histories import BLOCKS, World, chaos, happen, payments, worlds
from tests.support.builders import a_payment, run

MANY = settings(max_examples=250, deadline=None)


@MANY
@given(payments, chaos)
def test_a_status_moves_only_along_edges(payment: Payment, drawn: Sequence[Change]) -> None:  # I1
    for moment in happen(payment, drawn):
        path = [moment.before.status]
        for news, passed in zip(moment.news, moment.passed, strict=True):
            if passed.status is not path[-1]:
                path.append(passed.status)
                assert news == OF_STATUS[passed.status]
        assert path[-1] is moment.after.status
        assert all(b in EDGES[a] for a, b in pairwise(path))


@MANY
@given(payments, chaos)
def test_what_was_received_is_the_sum_of_the_live_transfers(
    payment: Payment, drawn: Sequence[Change]
) -> None:  # I2
    ledger: dict[object, tuple[str, int]] = {}  # kept beside the machine, by simpler rules
    for moment in happen(payment, drawn):
        match moment.change:
            case TransferSeen(t) if t.key.asset == payment.asset:
                ledger[t.key] = (t.block_hash, t.amount)
            case TransferLost(key, block_hash) if ledger.get(key, ("", 0))[0] == block_hash:
                del ledger[key]
        assert moment.after.amount_received == sum(amount for _, amount in ledger.values())


@MANY
@given(payments, chaos)
def test_final_money_stays(payment: Payment, drawn: Sequence[Change]) -> None:  # I3
    for moment in happen(payment, drawn):
        final = {t for t in moment.before.transfers if is_final(moment.before, t)}
        assert {wherever(t) for t in final} <= {wherever(t) for t in moment.after.live()}
        if moment.before.status is Status.SETTLED and not isinstance(moment.change, TransferLost):
            assert moment.after.status is Status.SETTLED


def wherever(transfer: Transfer) -> Transfer:
    """Return a transfer as it came, whether or not its money was moved on."""
    return replace(transfer, swept_in=None, swept_by=None)


@MANY
@given(payments, chaos)
def test_news_is_made_by_a_step_a_flag_or_money_and_by_nothing_else(
    payment: Payment, drawn: Sequence[Change]
) -> None:  # I4
    for moment in happen(payment, drawn):
        due: set[EventType] = {OF_FLAG[f] for f in moment.after.flags - moment.before.flags}
        fresh = set(moment.after.live()) - set(moment.before.live())
        known = {t.key for t in moment.before.live()}
        came = [t for t in fresh if t.key not in known]
        if moment.after.status is not moment.before.status:
            due.add(OF_STATUS[moment.after.status])
        if any(t.key.asset != payment.asset for t in came):
            due.add(EventType.UNEXPECTED_TRANSFER)
        if came and moment.before.status is Status.FAILED:
            due.add(EventType.UNEXPECTED_TRANSFER)
        if paid_out(moment.after) - paid_out(moment.before):
            due.add(EventType.REFUNDED)
        assert due <= set(moment.news)
        assert len(set(moment.news)) == len(moment.news)
        if not due and not came:
            assert moment.news == ()


@MANY
@given(payments, chaos)
def test_the_same_change_twice_is_one_change(
    payment: Payment, drawn: Sequence[Change]
) -> None:  # I5
    for moment in happen(payment, drawn):
        again = advance(moment.after, moment.change)
        assert again.events == ()
        assert again.payment == moment.after


@MANY
@given(payments, chaos)
def test_sequence_counts_the_news_without_a_hole(
    payment: Payment, drawn: Sequence[Change]
) -> None:  # I7
    moments = list(happen(payment, drawn))
    told_at = [passed.sequence for moment in moments for passed in moment.passed]
    assert told_at == list(range(2, 2 + len(told_at)))
    if moments:
        assert moments[-1].after.sequence == 1 + len(told_at)


@MANY
@given(payments, chaos)
def test_money_counts_once_however_often_it_is_mined(
    payment: Payment, drawn: Sequence[Change]
) -> None:  # I8
    for moment in happen(payment, drawn):
        keys = [t.key for t in moment.after.transfers]
        assert len(keys) == len(set(keys))


def paid_out(payment: Payment) -> set[object]:
    return {back.id for back in payment.refunds if back.told}


@MANY
@given(payments, chaos)
def test_no_more_is_given_back_than_came_for_good(
    payment: Payment, drawn: Sequence[Change]
) -> None:  # I9
    for moment in happen(payment, drawn):
        if isinstance(moment.change, RefundAsked) and moment.after != moment.before:
            here = [t for t in moment.after.own() if has_come_for_good(moment.after, t)]
            assert moment.after.amount_given_back <= sum(t.amount for t in here)
        assert moment.after.amount_refunded <= moment.after.amount_given_back


@MANY
@given(payments, chaos)
def test_a_refund_is_announced_once(payment: Payment, drawn: Sequence[Change]) -> None:  # I10
    moments = list(happen(payment, drawn))
    news = [kind for moment in moments for kind in moment.news]
    asked = {m.change.refund_id for m in moments if isinstance(m.change, RefundAsked)}
    assert news.count(EventType.REFUNDED) <= len(asked)


@MANY
@given(payments, chaos)
def test_a_payment_rests_where_the_facts_put_it(payment: Payment, drawn: Sequence[Change]) -> None:
    for moment in happen(payment, drawn):
        assert next_status(moment.after) is moment.after.status


@MANY
@given(payments, chaos)
def test_a_payment_stands_in_a_block_exactly_while_it_is_covered(
    payment: Payment, drawn: Sequence[Change]
) -> None:
    standing = {Status.DETECTED, Status.CONFIRMED, Status.PAID, Status.SETTLED}
    for moment in happen(payment, drawn):
        stands = moment.after.detected_in_block is not None
        assert stands is (moment.after.status in standing)
        shipped = {Status.PAID, Status.SETTLED}
        if moment.after.status in shipped and moment.before.status not in shipped:
            assert moment.after.confirmations >= payment.confirmations_required


@MANY
@given(payments, chaos)
def test_a_pass_that_repeats_each_change_tells_nothing_twice(
    payment: Payment, drawn: Sequence[Change]
) -> None:  # I5
    once = [moment.change for moment in happen(payment, drawn)]
    twice = [change for change in once for _ in range(2)]
    assert run(payment, *twice) == run(payment, *once)


@MANY
@given(payments, worlds, st.data())
def test_the_order_of_transfers_decides_nothing(
    payment: Payment, world: World, data: st.DataObject
) -> None:
    *transfers, head = world.at_once()
    shuffled = data.draw(st.permutations(transfers))
    one, other = (run(payment, *order, head)[0] for order in (transfers, shuffled))
    assert (one.status, one.flags) == (other.status, other.flags)
    assert (one.amount_received, one.detected_in_block) == (
        other.amount_received, other.detected_in_block,
    )  # fmt: skip


@MANY
@given(payments, worlds)
def test_catching_up_tells_what_watching_told_in_the_same_order(
    payment: Payment, world: World
) -> None:
    # As long as no money comes once the payment is final. One that watched tells of `settled`
    # first and of that money then; one that catches up learns last what is final.
    at_once, news = run(payment, *world.at_once())
    since = at_once.detected_in_block
    if since is not None:
        assume(all(t.block_number <= since + world.lag for t in world.transfers))
    watched, told_live = run(payment, *world.block_by_block())
    assert [e.type for e in news] == [e.type for e in told_live]
    assert at_once == watched


@MANY
@given(payments, worlds)
def test_catching_up_tells_all_that_watching_told_and_ends_where_it_ended(
    payment: Payment, world: World
) -> None:
    at_once, news = run(payment, *world.at_once())
    watched, told_live = run(payment, *world.block_by_block())
    assert sorted(e.type for e in news) == sorted(e.type for e in told_live)
    assert at_once == watched


@MANY
@given(payments, worlds)
def test_reading_a_block_again_says_nothing_new(payment: Payment, world: World) -> None:
    told_live = run(payment, *world.block_by_block())
    read_again = [c for change in world.block_by_block() for c in (change, change)]
    assert run(payment, *read_again) == told_live


@MANY
@given(worlds)
def test_a_reorg_that_mines_everything_again_ends_where_it_began(world: World) -> None:
    unconfirmed = a_payment(confirmations_required=BLOCKS + 1)
    seen = [TransferSeen(t) for t in world.transfers]
    lost = [TransferLost(t.key, t.block_hash) for t in world.transfers]
    one, other = run(unconfirmed, *seen)[0], run(unconfirmed, *seen, *lost, *seen)[0]
    assert other == replace(one, sequence=other.sequence)
