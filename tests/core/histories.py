"""What may happen to a payment, drawn at random, and the chain that it happens on.

`chaos` is any change in any order: duplicates, losses, moves to other blocks, stale heads.
`worlds` are chains as they are: transfers in blocks, read to the end, nothing reversed.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from hypothesis import strategies as st
from msgspec import Struct

from ctrip.core.acts import RefundTooLarge, WrongState
from ctrip.core.changes import (
    Accepted,
    Cancelled,
    ChainStood,
    Change,
    Extended,
    RefundFailed,
    TransferLost,
    TransferSeen,
    TransferSwept,
)
from ctrip.core.ids import BlockNumber
from ctrip.core.machine import advance
from ctrip.core.payment import Payment, Settles, Transfer
from tests.support.builders import (
    CHAIN,
    CREATED,
    DEADLINE,
    IN_TIME,
    TOO_LATE,
    WINDOW_END,
    a_payment,
    a_transfer,
    an_other_transfer,
    clock,
    head,
    tx_hash,
)
from tests.support.refunding import asked_back, paid_back, refund_id

TRANSACTIONS: Final = 5  # few, so that they meet each other
BLOCKS: Final = 12
TIMES: Final = (CREATED, IN_TIME, DEADLINE, TOO_LATE, WINDOW_END)
LONGER: Final = (IN_TIME, DEADLINE, TOO_LATE, WINDOW_END)  # deadlines that the shop may name
AMOUNTS: Final = (1, 30, 60, 100, 150)  # of a transaction by its number; 100 are asked for

refund_numbers = st.integers(1, 3)
payments = st.builds(
    a_payment,
    accepts_late=st.booleans(),
    confirmations_required=st.integers(1, 4),
    settles=st.sampled_from(Settles),
)


def any_transfer() -> st.SearchStrategy[Transfer]:
    def build(n: int, block: int, branch: str, *, late: bool, other: bool) -> Transfer:
        make = an_other_transfer if other else a_transfer
        time = TOO_LATE if late else IN_TIME
        return make(n, AMOUNTS[n], block, branch=branch, block_time=time)

    return st.builds(
        build,
        st.integers(0, TRANSACTIONS - 1),
        st.integers(1, BLOCKS),
        st.sampled_from(["", "b"]),
        late=st.booleans(),
        other=st.sampled_from([False, False, True]),
    )


changes: st.SearchStrategy[Change] = st.one_of(
    any_transfer().map(TransferSeen),
    any_transfer().map(TransferSeen),
    any_transfer().map(lambda t: TransferLost(t.key, t.block_hash)),
    st.builds(
        lambda t, block: TransferSwept(t.key, block, None if block is None else tx_hash(block)),
        any_transfer(),
        st.none() | st.integers(1, BLOCKS).map(BlockNumber),
    ),
    # Finality lags by a few blocks, or stands still; a head may be of an older block.
    st.builds(
        lambda n, lag: head(n, max(0, n - lag)), st.integers(0, BLOCKS + 8), st.integers(3, 20)
    ),
    st.sampled_from(TIMES).map(clock),
    st.just(Cancelled()),
    st.just(Accepted()),
    st.sampled_from(LONGER).map(Extended),
    st.builds(asked_back, refund_numbers, st.none() | st.sampled_from(AMOUNTS)),
    st.builds(paid_back, refund_numbers, st.none() | st.integers(1, BLOCKS)),
    refund_numbers.map(refund_id).map(RefundFailed),
    st.builds(
        lambda at, minutes: ChainStood(CHAIN, at, at + timedelta(minutes=minutes)),
        st.sampled_from(TIMES),
        st.integers(1, 30),
    ),
)
chaos = st.lists(changes, max_size=40)


class Moment(Struct, frozen=True):
    """One change of a history that the machine took, with what it made."""

    before: Payment
    change: Change
    after: Payment
    news: tuple[str, ...]
    passed: tuple[Payment, ...]  # as it was at each piece of news


def happen(payment: Payment, drawn: Sequence[Change]) -> Iterator[Moment]:
    """Yield the moments of a history, without what a watcher and an API would not let happen.

    A watcher takes back and moves no final money (the machine refuses it, which is tested
    beside its examples), and the API answers 409 where a payment is in the wrong state, or has
    not so much to give back.
    """
    for change in drawn:
        if reverses_final(payment, change):
            continue
        try:
            step = advance(payment, change)
        except (WrongState, RefundTooLarge):
            continue
        yield Moment(
            payment,
            change,
            step.payment,
            tuple(event.type for event in step.events),
            tuple(event.payment for event in step.events),
        )
        payment = step.payment


def reverses_final(payment: Payment, change: Change) -> bool:
    final = {t.key: t for t in payment.live() if t.block_number <= payment.finalized}
    if isinstance(change, TransferSeen):
        return final.get(change.transfer.key, change.transfer) != change.transfer
    if isinstance(change, TransferLost):
        return change.key in final and final[change.key].block_hash == change.block_hash
    return False


class World(Struct, frozen=True):
    """A chain on which nothing was reversed."""

    transfers: tuple[Transfer, ...]  # by block
    last: int
    lag: int  # blocks from the head to the final one

    def at_once(self) -> list[Change]:
        """Return what a watcher tells that reads everything in one window."""
        return [*map(TransferSeen, self.transfers), head(self.last, self.final(self.last))]

    def block_by_block(self) -> list[Change]:
        """Return what a watcher tells that reads each block when it is new."""
        told: list[Change] = []
        for block in range(1, self.last + 1):
            told += [TransferSeen(t) for t in self.transfers if t.block_number == block]
            told.append(head(block, self.final(block)))
        return told

    def final(self, block: int) -> int:
        return max(0, block - self.lag)


def a_world(places: Sequence[tuple[int, int, bool]], last: int, lag: int) -> World:
    """Build a chain from (amount, block, is another asset) of each transfer."""
    transfers = [
        (an_other_transfer if other else a_transfer)(n, amount, block)
        for n, (amount, block, other) in enumerate(places)
    ]
    return World(tuple(sorted(transfers, key=lambda t: t.block_number)), last, lag)


worlds = st.builds(
    a_world,
    st.lists(
        st.tuples(st.sampled_from(AMOUNTS), st.integers(1, BLOCKS), st.booleans()), max_size=6
    ),
    st.integers(BLOCKS, BLOCKS + 8),
    st.integers(0, 10),
)
