"""Where one sender process at a time lives, is killed and begins again.

async with a_slot(folder) as slot:
    await slot.begin(orders)
    slot.kill()
    life = await slot.ended()
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Final
from uuid import UUID

from msgspec import Struct, json
from msgspec.structs import replace

from tests.support.sender_process import POINTS, Orders

COMMAND: Final = (sys.executable, "-m", "tests.support.sender_process")
ROOT: Final = Path(__file__).parents[2]
END_SECONDS_MAX: Final = 15.0


class Life(Struct, frozen=True):
    """What a process wrote until it ended."""

    diary: tuple[str, ...]
    exit_code: int | None  # below 0: the signal that ended it; None: it lives

    def last_point(self) -> str:
        """Return the last point that it had come to."""
        reached = (line.split(" ")[0] for line in reversed(self.diary))
        return next((point for point in reached if point in POINTS), "starting")

    def claims(self) -> list[UUID]:
        """Return the ids of its claims, of which it may not know what they gave."""
        return [UUID(line.split(" ")[1]) for line in self.diary if line.startswith("claim ")]

    def claimed(self) -> int:
        """Return how many deliveries it knew it had claimed, ever."""
        return sum(int(line.split(" ")[1]) for line in self.diary if line.startswith("claimed "))

    def written(self) -> int:
        """Return how many of these it knew that it had written down, ended or not."""
        return sum(written for written, _ in self.completions())

    def given_back(self) -> int:
        """Return how many of these it knew that it had given back unsent."""
        return sum(int(line.split(" ")[1]) for line in self.diary if line.startswith("released "))

    def completions(self) -> list[tuple[int, int]]:
        """Return how many deliveries it completed of how many it tried to, each time."""
        lines = (line.split(" ") for line in self.diary if line.startswith("completed "))
        return [(int(written), int(tried)) for _, written, _, tried in lines]


class Slot:
    """One process after another."""

    def __init__(self, folder: Path, nursery: asyncio.subprocess.Process) -> None:
        self._folder = folder
        self._nursery = nursery
        self._numbers = count(1)
        self._diary = folder
        self.pid: int | None = None

    async def begin(self, orders: Orders) -> None:
        """Start a process."""
        self._diary = self._folder / f"{next(self._numbers)}"
        self._diary.touch()
        assert self._nursery.stdin
        self._nursery.stdin.write(json.encode(replace(orders, diary=str(self._diary))) + b"\n")
        self.pid = int(await self._heard())

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send the process a signal."""
        assert self.pid
        os.kill(self.pid, number)

    def so_far(self) -> Life:
        """Return what the living process wrote."""
        return Life(tuple(self._diary.read_text().splitlines()), None)

    async def ended(self) -> Life:
        """Wait for the end of the process, and return its life."""
        try:
            exit_code = int(await self._heard())
        except TimeoutError:
            raise AssertionError(f"it lives on: {self.so_far().diary[-20:]}") from None
        self.pid = None
        return replace(self.so_far(), exit_code=exit_code)

    async def close(self) -> None:
        if self.pid:
            self.kill()
            await self.ended()
        assert self._nursery.stdin
        self._nursery.stdin.close()
        await self._nursery.wait()

    async def _heard(self) -> bytes:
        assert self._nursery.stdout
        async with asyncio.timeout(END_SECONDS_MAX):
            line = await self._nursery.stdout.readline()
        assert line, "the nursery died"
        return line


@asynccontextmanager
async def a_slot(folder: Path) -> AsyncIterator[Slot]:
    """Lend a slot whose diaries are in a folder."""
    folder.mkdir()  # noqa: ASYNC240  a folder is made at once
    nursery = await asyncio.create_subprocess_exec(
        *COMMAND, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    slot = Slot(folder, nursery)
    try:
        yield slot
    finally:
        await slot.close()
