"""Which blocks to read next, and where two branches part."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrip.core.blocks import Block, Header
from ctrip.core.ids import BlockNumber
from ctrip.core.scan import (
    BLOCKS_PER_WINDOW_MAX,
    Window,
    continues,
    find_fork,
    plan,
    plan_reorg,
)
from tests.support.builders import a_block, a_cursor, a_head, a_header, block_hash

heights = st.integers(0, 500)
NEW: Final = "b"  # the branch that replaces the one we read


def a_window(first: int, last: int) -> Window:
    return Window(BlockNumber(first), BlockNumber(last), block_hash(first - 1))


def a_run(first: int, last: int) -> list[Block]:
    return [a_block(n) for n in range(first, last + 1)]


def test_reading_goes_on_after_the_cursor() -> None:
    assert plan(a_cursor(10), a_head(13)) == a_window(11, 13)


@pytest.mark.parametrize("head", [10, 9, 0])
def test_there_is_nothing_to_read_at_or_below_the_cursor(head: int) -> None:
    assert plan(a_cursor(10), a_head(head)) is None


@given(heights, heights)
def test_windows_lead_from_any_cursor_to_any_head_without_a_gap(start: int, head: int) -> None:
    cursor = a_cursor(start)
    read: list[int] = []
    while window := plan(cursor, a_head(head)):
        assert window.parent_hash == cursor.hash
        assert window.last - window.first < BLOCKS_PER_WINDOW_MAX
        read += range(window.first, window.last + 1)
        cursor = a_cursor(window.last)
    assert read == list(range(start + 1, head + 1))


@given(heights, heights, heights)
def test_what_replaces_dropped_blocks_reaches_as_far_as_we_had_read(
    fork: int, read: int, more: int
) -> None:
    read = max(read, fork)
    head = fork + more
    window = plan_reorg(a_cursor(read), a_head(head), a_header(fork))
    assert (window.first, window.parent_hash) == (fork + 1, block_hash(fork))
    assert window.last <= head
    assert window.last >= min(read, head)


def test_a_chain_that_ends_at_the_fork_has_nothing_to_read_yet() -> None:
    window = plan_reorg(a_cursor(12), a_head(10), a_header(10))
    assert window.last < window.first


@given(heights, st.integers(1, 40))
def test_children_of_each_other_continue_the_chain(first: int, count: int) -> None:
    assert continues(a_window(first, first + count - 1), a_run(first, first + count - 1))


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        a_run(11, 12),
        a_run(11, 14),
        a_run(10, 12),
        a_run(12, 14),
        [a_block(11), a_block(13), a_block(12)],
        [a_block(11), a_block(11), a_block(13)],
        [a_block(11), a_block(12, NEW), a_block(13)],
        [a_block(n, NEW) for n in (11, 12, 13)],
    ],
    ids=["none", "short", "long", "early", "late", "shuffled", "twice", "mixed", "other branch"],
)
def test_blocks_that_do_not_follow_are_refused(blocks: list[Block]) -> None:
    assert continues(a_window(11, 13), a_run(11, 13))
    assert not continues(a_window(11, 13), blocks)


def a_branch(fork: int, last: int) -> list[Header]:
    """The chain as it is now: ours up to the fork, then another."""
    ours = [a_header(n) for n in range(min(fork, last) + 1)]
    if fork >= last:
        return ours
    first = a_header(fork + 1, NEW, parent_branch="")
    return [*ours, first, *(a_header(n, NEW) for n in range(fork + 2, last + 1))]


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_the_fork_is_the_last_block_that_both_branches_hold(
    fork: int, read: int, last: int, kept_from: int
) -> None:
    ours = {BlockNumber(n): block_hash(n) for n in range(kept_from, max(fork, read) + 1)}
    shared = min(fork, last)
    found = find_fork(ours, a_branch(fork, last))
    assert found == (a_header(shared) if shared >= kept_from else None)


def test_chains_that_share_nothing_have_no_fork() -> None:
    ours = {BlockNumber(n): block_hash(n) for n in range(5)}
    assert find_fork(ours, [a_header(n, NEW) for n in range(5)]) is None
    assert find_fork({}, [a_header(1)]) is None
    assert find_fork(ours, []) is None


@given(st.permutations(range(8)))
def test_the_order_of_headers_does_not_matter(order: list[int]) -> None:
    ours = {BlockNumber(n): block_hash(n) for n in range(8)}
    branch = a_branch(4, 7)
    assert find_fork(ours, [branch[n] for n in order]) == a_header(4)
