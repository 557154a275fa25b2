"""The bytes of an answer, in memory that is used again.

Answers are megabytes, many a second while catching up. Memory of that size is taken from
the system and given back each time, and its first touch costs more than reading into it.
The socket is read straight into it, and what is parsed is a view of it: nothing is copied.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

KEPT_BYTES_MAX: Final = 2**22  # of one body: ten full blocks of Ethereum are 2 MB
KEPT_MAX: Final = 3  # bodies: as many as are read at once
ROOM_BYTES: Final = 2**16  # to read into while nobody knows how much will come


class Body:
    """An answer as it comes in: what lies between `start` and `end` of its memory."""

    def __init__(self) -> None:
        self.start = 0
        self.end = 0
        self.memory = bytearray()

    @property
    def size(self) -> int:
        return self.end - self.start

    def room(self, size: int = ROOM_BYTES) -> memoryview:
        """Return memory behind what came, of this many bytes at least."""
        if (needed := self.end + size) > len(self.memory):
            # Not extended: a view of what there was may still be in somebody's hands.
            grown = bytearray(needed + needed // 4)
            grown[: self.end] = self.memory[: self.end]
            self.memory = grown
        return memoryview(self.memory)[self.end :]

    def add(self, piece: bytes) -> None:
        """Append what did not come straight into the room."""
        with self.room(len(piece)) as room:
            room[: len(piece)] = piece
        self.end += len(piece)

    @contextmanager
    def view(self) -> Iterator[memoryview]:
        """Lend the bytes."""
        with memoryview(self.memory) as whole, whole[self.start : self.end] as part:
            yield part

    def is_worth_keeping(self) -> bool:
        return len(self.memory) <= KEPT_BYTES_MAX

    def clear(self) -> None:
        self.start = self.end = 0


class Bodies:
    """Bodies to read into."""

    def __init__(self) -> None:
        self._spare: list[Body] = []

    @contextmanager
    def one(self) -> Iterator[Body]:
        """Lend one that nobody else reads into."""
        body = self._spare.pop() if self._spare else Body()
        body.clear()
        try:
            yield body
        finally:
            if body.is_worth_keeping() and len(self._spare) < KEPT_MAX:
                self._spare.append(body)
