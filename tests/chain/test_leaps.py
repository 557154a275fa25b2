"""When the tags are asked for, on chains where what is final moves by leaps."""

import pytest

from ctrip.chain.tips import Leaps

EPOCH = 32  # blocks


@pytest.mark.parametrize("late", [0, 1, 2])
def test_what_leaps_is_asked_for_when_the_next_leap_is_due(late: int) -> None:
    leaps, asked_at, at, known = Leaps(), [], 0, 0
    for block in range(40 * EPOCH):
        if block - at < leaps.blocks:
            continue
        at, final = block, (block - late) // EPOCH * EPOCH
        asked_at.append(block)
        if final == known:
            leaps.stayed()
        else:
            leaps.moved(final - known)
        known = final
    settled = [block for block in asked_at if block >= 20 * EPOCH]
    assert len(settled) <= 1.5 * 20 + 1, "three questions for two leaps"
    assert {n * EPOCH + late for n in range(21, 40)} <= set(settled), "and none is seen late"


def test_one_leap_after_a_standstill_does_not_keep_what_moves_steadily_away() -> None:
    leaps = Leaps()
    leaps.moved(1)
    leaps.moved(40)
    leaps.moved(1)
    assert leaps.blocks == 1
    leaps.stayed()
    leaps.moved(40)
    leaps.moved(1)
    assert leaps.blocks == 1
