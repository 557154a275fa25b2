"""Several questions at once, and no more than is good for either side."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

LANES: Final = 3  # batches in flight at one endpoint: hides its latency, bounds our memory

T = TypeVar("T")
R = TypeVar("R")


def cut(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Return the items in pieces of at most this size."""
    return [items[start : start + size] for start in range(0, len(items), size)]


async def few_at_once(
    question: Callable[[Sequence[T]], Awaitable[R]], pieces: Sequence[Sequence[T]]
) -> list[R]:
    """Ask about each piece, a few in flight: as one answer is worked on, others come in.

    After a fault no further question is begun; those under way are waited for.
    """
    if len(pieces) == 1:  # as most often: then nothing is gained by another task
        return [await question(pieces[0])]
    answers: dict[int, R] = {}
    faults: list[BaseException] = []
    left = iter(enumerate(pieces))

    async def lane() -> None:
        for place, piece in left:
            if faults:
                return
            try:
                answers[place] = await question(piece)
            except BaseException as fault:
                faults.append(fault)
                raise

    await asyncio.gather(*(lane() for _ in range(min(LANES, len(pieces)))), return_exceptions=True)
    if faults:
        raise faults[0]
    return [answers[place] for place in range(len(pieces))]


async def all_of(questions: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Ask at once; when some fail, wait for the others, and raise the first fault."""
    answers = await asyncio.gather(*questions, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]
