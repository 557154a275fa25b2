"""A batch, and what each of its sweeps sees of it."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import pytest
from msgspec.structs import replace

from ctrip.core.ids import Amount, BlockNumber, RawAddress, SweepId
from ctrip.core.outgoing import Mined, Note, Outcome
from ctrip.core.sending import (
    Move,
    Part,
    Purpose,
    Sending,
    SendingState,
    absorb,
    as_seen_by,
    moves_of,
)
from ctrip.core.sweep import SweepState, advance
from tests.support.builders import CREATED
from tests.support.sweeping import GAS_WALLET, TOKEN, TREASURY, a_sending, a_sweep, mined, unknown

CONTRACT: Final = RawAddress("0x" + "ba" * 20)
ONE: Final = RawAddress("0x" + "01" * 20)
TWO: Final = RawAddress("0x" + "02" * 20)
SWEEPS: Final = (SweepId(UUID(int=1)), SweepId(UUID(int=2)))
RAN: Final = Note(CONTRACT, None)
BATCH: Final = a_sending(
    Purpose.BATCH,
    state=SendingState.SENT,
    sender=GAS_WALLET,
    derivation_index=None,
    sweep_id=None,
    asset=TOKEN,
    amount=Amount(30),
    recipient=CONTRACT,
    beneficiary=TREASURY,
    data="0x01",
    parts=(
        Part(sweep_id=SWEEPS[0], address=ONE, derivation_index=1, amount=Amount(10), nonce=0),
        Part(sweep_id=SWEEPS[1], address=TWO, derivation_index=2, amount=Amount(20), nonce=None),
    ),
)


def told(batch: Sending, outcome: Outcome, *, finalized: int = 0) -> Sending:
    return absorb(
        batch,
        [outcome],
        nonce=1 if outcome.mined else 0,
        finalized=BlockNumber(finalized),
        now=CREATED,
        doubt=timedelta(minutes=15),
    )


def with_notes(*notes: Note, succeeded: bool = True) -> Outcome:
    outcome = mined(block=10, succeeded=succeeded)
    assert isinstance(outcome.mined, Mined)
    return replace(outcome, mined=replace(outcome.mined, notes=notes))


def test_what_was_not_kept_was_moved() -> None:
    after = told(BATCH, with_notes(Note(CONTRACT, TWO), RAN))
    assert [part.kept for part in after.parts] == [False, True]
    assert moves_of(after) == [Move(ONE, TOKEN, -10), Move(TREASURY, TOKEN, 10)]


def test_all_of_it_moves_to_the_treasury_at_once() -> None:
    after = told(BATCH, with_notes(RAN))
    assert moves_of(after) == [
        *(Move(ONE, TOKEN, -10), Move(TWO, TOKEN, -20), Move(TREASURY, TOKEN, 30))
    ]


@pytest.mark.parametrize("notes", [(), (Note(TWO, None),)], ids=["nobody", "another contract"])
def test_a_call_that_our_contract_did_not_answer_has_moved_nothing(notes: tuple[Note, ...]) -> None:
    after = told(BATCH, with_notes(*notes))
    assert all(part.kept for part in after.parts)
    assert moves_of(after) == []


def test_what_another_contract_says_was_kept_was_not() -> None:
    after = told(BATCH, with_notes(Note(RawAddress(TOKEN), ONE), RAN))
    assert not any(part.kept for part in after.parts)


def test_a_sweep_sees_its_part_of_a_batch_as_a_sending_of_its_own() -> None:
    seen = as_seen_by(SWEEPS[1], BATCH)
    assert (seen.purpose, seen.sweep_id, seen.sender) == (Purpose.SWEEP, SWEEPS[1], TWO)
    assert (seen.amount, seen.derivation_index, seen.state) == (20, 2, SendingState.SENT)
    own = a_sending(sweep_id=SWEEPS[0])
    assert as_seen_by(SWEEPS[0], own) is own
    assert BATCH.sweep_ids == {*SWEEPS}


def test_that_a_part_moved_nothing_is_believed_once_that_is_final() -> None:
    kept = told(BATCH, with_notes(Note(CONTRACT, TWO), RAN))
    assert as_seen_by(SWEEPS[0], kept).state is SendingState.MINED
    assert as_seen_by(SWEEPS[1], kept).state is SendingState.SENT
    final = told(kept, with_notes(Note(CONTRACT, TWO), RAN), finalized=10)
    assert as_seen_by(SWEEPS[1], final).state is SendingState.FAILED


def test_a_batch_that_failed_as_a_whole_is_believed_once_that_is_final() -> None:
    failed = told(BATCH, with_notes(succeeded=False))
    assert moves_of(failed) == []
    assert as_seen_by(SWEEPS[0], failed).state is SendingState.SENT
    final = told(failed, with_notes(succeeded=False), finalized=10)
    assert as_seen_by(SWEEPS[0], final).state is SendingState.FAILED


def test_a_reorg_takes_back_what_was_kept_too() -> None:
    kept = told(BATCH, with_notes(Note(CONTRACT, TWO), RAN))
    back = told(kept, unknown())
    assert back.state is SendingState.SENT
    assert not any(part.kept for part in back.parts)
    assert moves_of(back) == []


def test_a_batch_whose_nonce_another_took_lets_its_sweeps_begin_anew() -> None:
    taken = replace(BATCH, state=SendingState.TAKEN, final=True)
    sweep = a_sweep(TOKEN, id=SWEEPS[0], state=SweepState.SENT)
    assert advance(sweep, [as_seen_by(SWEEPS[0], taken)], now=CREATED).state is SweepState.QUEUED


def test_a_sweep_goes_its_way_by_a_batch_as_by_a_sending_of_its_own() -> None:
    def then(batch: Sending, sweep_id: SweepId, state: SweepState) -> SweepState:
        sweep = a_sweep(TOKEN, id=sweep_id, state=state)
        return advance(sweep, [as_seen_by(sweep_id, batch)], now=CREATED).state

    some = with_notes(Note(CONTRACT, TWO), RAN)
    assert then(BATCH, SWEEPS[0], SweepState.QUEUED) is SweepState.SENT
    now = told(BATCH, some)
    assert then(now, SWEEPS[0], SweepState.SENT) is SweepState.MINED
    assert then(now, SWEEPS[1], SweepState.SENT) is SweepState.SENT
    now = told(now, some, finalized=10)
    assert then(now, SWEEPS[0], SweepState.MINED) is SweepState.FINAL
    assert then(now, SWEEPS[1], SweepState.SENT) is SweepState.STUCK
