"""Reading blocks: how fast, beside web3 and beside a bare download; how steady, over many.

The blocks come from a stub node on this machine (bench/stub_node.py). The readers
(bench/readers.py) take turns, so that a machine that slows down slows all; what counts is
the median of the ratios of each turn. The rest of what watching costs a machine is in
bench/catch_up.py and bench/apply_many.py, and printed here.

aiohttp reads in three ways: block by block, as who has no batches would; in ctrip's batches;
and in those in a process that keeps large memory as ctrip's does. Elsewhere it is chance
whether that is given back, and if it is, its first touch is half of a download.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
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
ALONE: Final = ("aiohttp block by block", "aiohttp in batches", "aiohttp keeping its memory")
FIRST: Final = 100  # height; the node keeps what follows ready


class Round(NamedTuple):
    """One turn of each, in seconds a block."""

    ours: Took
    single: Took
    bare: Took
    tuned: Took
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
        side(partial(WithAiohttp, batch=1), stub.url, tuned=False) as single,
        side(WithAiohttp, stub.url, tuned=False) as bare,
        side(WithAiohttp, stub.url, tuned=True) as tuned,
        side(WithWeb3, stub.url, tuned=False) as web3,
    ):
        rounds = [
            Round(
                turn(ours, BLOCKS),
                turn(single, BLOCKS),
                turn(bare, BLOCKS),
                turn(tuned, BLOCKS),
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
    names = ("ctrip", *ALONE, "web3 get_block")
    sides = dict(zip(names, zip(*rounds, strict=True), strict=True))
    for name, all_took in sides.items():
        seconds = median(took.seconds for took in all_took)
        cpu = median(took.cpu_seconds for took in all_took)
        print(f"{name}: {1 / seconds:.0f} blocks/s, {cpu * 1e3:.2f} ms CPU a block")
    times = {
        name: median(
            took.seconds / ours.seconds for took, ours in zip(all_took, sides["ctrip"], strict=True)
        )
        for name, all_took in sides.items()
    }
    alone = ", ".join(f"{times[name]:.2f} of {name}" for name in ALONE)
    print(
        f"scan: {times['web3 get_block']:.0f} times as fast as web3, {alone} "
        f"(medians of {len(rounds)} rounds of {BLOCKS} blocks)"
    )


if __name__ == "__main__":
    uvloop.run(main())
