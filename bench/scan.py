"""Reading blocks: how fast, beside web3 and beside a bare download; how steady, over many.

The blocks come from a stub node on this machine (bench/stub_node.py). The readers
(bench/readers.py) take turns, so that a machine that slows down slows all; what counts is
the median of the ratios of each turn. The rest of what watching costs a machine is in
bench/catch_up.py and bench/apply_many.py, and printed here.
"""

import asyncio
from collections.abc import Sequence
from statistics import median
from typing import Final, NamedTuple

import uvloop

from bench import apply_many, catch_up
from bench.readers import Side, Took, WithAiohttp, WithCtrip, WithWeb3, side
from bench.stub_blocks import Shape
from bench.stub_node import node

ROUNDS: Final = 15
WARM_UPS: Final = 2  # rounds that are not counted
BLOCKS: Final = 240  # of a turn
BLOCKS_WEB3: Final = 10  # it takes as long for these as the others for theirs
FIRST: Final = 100  # height; the node keeps what follows ready


class Round(NamedTuple):
    """One turn of each, in seconds a block."""

    ours: Took
    bare: Took
    web3: Took


async def main() -> None:
    """Print every figure about reading."""
    await asyncio.to_thread(read)
    await catch_up.measure()
    await apply_many.measure()


def read() -> None:
    """Let the readers take turns."""
    with (
        node(Shape()) as stub,
        side(WithCtrip, stub.url, tuned=True) as ours,
        side(WithAiohttp, stub.url, tuned=False) as bare,
        side(WithWeb3, stub.url, tuned=False) as web3,
    ):
        rounds = [
            Round(
                turn(ours, BLOCKS),
                turn(bare, BLOCKS),
                turn(web3, BLOCKS_WEB3),
            )
            for _ in range(WARM_UPS + ROUNDS)
        ][WARM_UPS:]
    report(rounds)


def turn(reader: Side, blocks: int) -> Took:
    """Return what one block cost one reader."""
    seconds, cpu_seconds = reader.read(FIRST, FIRST + blocks - 1)
    return Took(seconds / blocks, cpu_seconds / blocks)


def report(rounds: Sequence[Round]) -> None:
    """Print the medians, and those of the ratios."""
    for name, all_took in (
        ("ctrip", [one.ours for one in rounds]),
        ("aiohttp, the same bytes", [one.bare for one in rounds]),
        ("web3 get_block", [one.web3 for one in rounds]),
    ):
        seconds = median(took.seconds for took in all_took)
        cpu = median(took.cpu_seconds for took in all_took)
        print(f"{name}: {1 / seconds:.0f} blocks/s, {cpu * 1e3:.2f} ms CPU a block")
    over_web3 = median(one.web3.seconds / one.ours.seconds for one in rounds)
    of_bare = median(one.bare.seconds / one.ours.seconds for one in rounds)
    print(
        f"scan: {over_web3:.0f} times as fast as web3, {of_bare:.2f} of a bare download "
        f"(medians of {len(rounds)} rounds of {BLOCKS} blocks)"
    )


if __name__ == "__main__":
    uvloop.run(main())
