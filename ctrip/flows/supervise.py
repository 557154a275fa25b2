"""The only endless loop: run one pass after another, and decide what a failure means.

    OutageError      the outside is down: wait, longer each time, and try again
    InvariantError   our reasoning is wrong: stop this task for good, others go on
    anything else    a fault of our own: said aloud, then treated like an outage, because
                     a pass that failed has written nothing

A failing task turns its entry in health red; the next good pass turns it green.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

from ctrip import logs
from ctrip.core.errors import InvariantError, OutageError
from ctrip.flows.health import Health

WAIT_SECONDS_MAX: Final = 30.0  # between tries while the outside is down
WAIT_SECONDS_MIN: Final = 0.5

log = logs.get("ctrip.supervise")


async def every(
    seconds: float | Callable[[], float],
    run_once: Callable[[], Awaitable[bool]],
    *,
    task: str,
    health: Health,
    nudge: asyncio.Event | None = None,
) -> None:
    """Run passes for ever, `seconds` apart, at once after a nudge or when a pass asks for more."""
    failures = 0
    while True:
        try:
            more = await run_once()
        except InvariantError as error:
            log.exception("task stopped", task=task)
            health.fails(task, f"stopped: {error}")
            return
        except OutageError as error:
            if not failures:
                log.warning("task waits", task=task, why=str(error))
            health.fails(task, str(error))
        except Exception:  # a pass that failed wrote nothing, so the next may try
            log.exception("task failed", task=task)
            health.fails(task, "failed in a way it should not; the log has the details")
        else:
            if failures:
                log.info("task works again", task=task)
            failures = 0
            health.works(task)
            if not more:
                await pause(seconds() if callable(seconds) else seconds, nudge)
            continue
        failures += 1
        await asyncio.sleep(backoff_seconds(failures))


def then(
    run_once: Callable[[], Awaitable[bool]], wake: Callable[[], None]
) -> Callable[[], Awaitable[bool]]:
    """Return passes after each of which another duty looks whether there is something for it."""

    async def run_and_wake() -> bool:
        more = await run_once()
        wake()
        return more

    return run_and_wake


def backoff_seconds(failures: int) -> float:
    """Return how long to wait after so many failures in a row; with jitter, so tasks spread."""
    longest = min(WAIT_SECONDS_MAX, WAIT_SECONDS_MIN * 2.0 ** min(failures, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311  spreads load, keeps no secret


async def pause(seconds: float, nudge: asyncio.Event | None) -> None:
    """Wait, but not through a nudge."""
    if nudge is None:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await nudge.wait()
    except TimeoutError:
        pass
    nudge.clear()
