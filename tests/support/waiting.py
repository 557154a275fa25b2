"""The one way in which a test waits for what another process does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

LOOK_SECONDS: Final = 0.02

T = TypeVar("T")


async def until(what: str, look: Callable[[], Awaitable[T]], *, seconds: float = 10.0) -> T:
    """Look again and again until there is something true to see, and return it."""
    last: T | None = None
    try:
        async with asyncio.timeout(seconds):
            while not (last := await look()):  # noqa: ASYNC110  other processes set no event
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}; last seen: {last!r}") from None
    return last
