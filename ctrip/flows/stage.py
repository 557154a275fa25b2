"""Where test cases are played: a gateway of `ctrip dev` has a stage, others have none.

A payment that names a case is written like any other; then its case is played beside the
requests. Whoever plays is brought from outside, because it does what no gateway may: it
moves money, and the chain.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol

from ctrip.core.errors import RequestError
from ctrip.core.payment import Payment
from ctrip.core.plays import SWEPT, Case
from ctrip.store import payments
from ctrip.store.pool import Pool, connection

Look = Callable[[], Awaitable[Payment]]  # at the payment as it is now
Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]

PLAYS_MAX: Final = 100  # under way; beyond it somebody is testing something else


class NoStage(RequestError):
    """No test case can be played here, or not now."""

    code = "test_case_not_possible"


class Player(Protocol):
    """Who plays."""

    @property
    def sweeps(self) -> bool:
        """Tell whether money goes to a treasury here."""
        ...

    async def play(self, case: Case, payment: Payment, look: Look) -> None:
        """Let happen what the case says; faults are logged, because nobody waits for it."""
        ...


class Stage:
    """The plays of one process."""

    def __init__(self, pool: Pool, player: Player | None, spawn: Spawn) -> None:
        self._pool = pool
        self._player = player
        self._spawn = spawn
        self._under_way: set[asyncio.Task[None]] = set()

    def require(self, case: Case) -> None:
        """Raise NoStage unless a case can be played."""
        if self._player is None:
            raise NoStage("test_case: only gateways of `ctrip dev` play test cases")
        if case in SWEPT and not self._player.sweeps:
            raise NoStage(f"test_case: {case} is played by `ctrip dev --sweep`")
        if len(self._under_way) >= PLAYS_MAX:
            raise NoStage(
                f"test_case: {PLAYS_MAX} cases are being played; wait until some are over"
            )

    def perform(self, case: Case, payment: Payment) -> None:
        """Begin to play; nobody waits for the end."""

        async def look() -> Payment:
            async with connection(self._pool) as conn:
                return await payments.find(conn, payment.id) or payment

        if self._player:
            task = self._spawn(self._player.play(case, payment, look))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Stop playing."""
        for task in list(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
