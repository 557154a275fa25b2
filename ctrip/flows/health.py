"""What works and what does not, part by part, for /health/ready and /metrics.

Tasks report here in memory; nothing here is needed to go on after a crash. One red part
says so without turning the others red.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from ctrip.chain.client import EndpointState
from ctrip.clock import Clock
from ctrip.core.blocks import Header
from ctrip.core.chains import Chain
from ctrip.core.endpoints import FAILED_TOO_LONG, GONE
from ctrip.core.errors import OutageError
from ctrip.core.ids import BlockHash, BlockNumber, ChainName
from ctrip.core.payment import Settles
from ctrip.core.scan import patience
from ctrip.flows.budget import Budget
from ctrip.store import endpoints, queue, reconciliations, refunds, sweeps
from ctrip.store.pool import Pool, connection

SILENCE_SECONDS_MAX: Final = 60.0  # since a chain was last read to its head
OVERDUE_MAX: Final = timedelta(minutes=5)  # of the oldest delivery that is due
REASONS_MAX: Final = 5  # why money does not move, of the sweeps, and refunds, that wait longest
BACKLOG_COUNTED_MAX: Final = 10_000  # deliveries; beyond it the count says "at least"


class Sight(Struct, frozen=True, kw_only=True):
    """A chain as it was last seen."""

    head: BlockNumber
    read: BlockNumber
    at: datetime
    tip: BlockHash
    tip_since: datetime  # by our clock
    rests: bool  # nothing may be paid, so it is looked at seldom


class Told(Struct, frozen=True, kw_only=True):
    """What the process that watches a chain tells the others of it."""

    sight: Sight | None
    fault: str


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of one part. `why` is for an operator."""

    ok: bool
    why: str = ""
    head: int | None = None
    read: int | None = None
    lag_blocks: int | None = None
    seen_seconds_ago: int | None = None
    watched_elsewhere: bool = False
    deliveries_due: int | None = None
    deliveries_waiting: int | None = None
    modes: dict[ChainName, Settles] = {}
    sweeps_open: int | None = None
    sweeps_stuck: int | None = None
    differences: int | None = None  # that `ctrip audit` found last
    refunds_open: int | None = None
    calls_today: int | None = None
    warning: str = ""  # works, and should be looked at
    endpoints: list[EndpointState] = []


class Health:
    """The board that tasks write on."""

    def __init__(
        self,
        clock: Clock,
        chains: Sequence[Chain],
        endpoints: Mapping[ChainName, Callable[[], Sequence[EndpointState]]] | None = None,
    ) -> None:
        self._clock = clock
        self._chains = {chain.name: chain for chain in chains}
        self._endpoints = endpoints or {}
        self._budgets = {chain.name: Budget(chain) for chain in chains}
        self._faults: dict[str, str] = {}
        self._warnings: dict[str, str] = {}
        self._sights: dict[ChainName, Sight] = {}
        self._elsewhere: set[ChainName] = set()  # chains that another process watches
        self._since = clock.now()
        self.all_seen = asyncio.Event()  # every chain was read once

    def fails(self, task: str, why: str) -> None:
        """Note that a task cannot do its work, and why."""
        self._faults[task] = why

    def works(self, task: str) -> None:
        """Note that a task does its work."""
        self._faults.pop(task, None)

    def warns(self, about: str, what: str) -> None:
        """Note what could be better about money that moves; nothing: all is well again."""
        self._warnings[about] = what

    def saw(
        self, chain: ChainName, *, head: Header, read: BlockNumber, rests: bool = False
    ) -> None:
        """Note how far a chain has come and how far it was read."""
        now, before = self._clock.now(), self._sights.get(chain)
        self._budgets[chain].count(self._states(chain), now)
        stands = before is not None and before.tip == head.hash
        since = before.tip_since if before is not None and stands else now
        self._sights[chain] = Sight(
            head=head.number, read=read, at=now, tip=head.hash, tip_since=since, rests=rests
        )
        self._look_around()

    def watches(self, chain: ChainName) -> None:
        """Note that this process watches a chain from now on."""
        self._elsewhere.discard(chain)
        self.works(watching(chain))

    def report(self, chain: ChainName) -> Told:
        """Return what other processes may know of a chain that this one watches."""
        return Told(sight=self._sights.get(chain), fault=self._faults.get(watching(chain), ""))

    def heard(self, chain: ChainName, told: Told) -> None:
        """Note how a chain is by the word of the process that watches it."""
        self._elsewhere.add(chain)
        if told.sight:
            self._sights[chain] = told.sight
        if told.fault:
            self.fails(watching(chain), told.fault)
        else:
            self.works(watching(chain))
        self._look_around()

    def is_failing(self, chain: ChainName) -> bool:
        """Tell whether a chain cannot be read."""
        return watching(chain) in self._faults

    def _look_around(self) -> None:
        if len(self._sights) == len(self._chains):
            self.all_seen.set()

    def sights(self) -> dict[ChainName, Sight]:
        """Return every chain as it was last seen."""
        return dict(self._sights)

    def chain(self, name: ChainName) -> Part:
        """Judge one chain."""
        now = self._clock.now()
        fault = self._faults.get(watching(name), "")
        sight = self._sights.get(name)
        if sight is None:
            waiting = fault or "not read yet"
            return Part(ok=False, why=waiting, endpoints=self._states(name))
        still = (now - sight.tip_since).total_seconds()
        chain = self._chains[name]
        pause = chain.idle_interval_seconds if sight.rests else 0.0
        if (now - sight.at).total_seconds() > SILENCE_SECONDS_MAX + pause:
            fault = fault or "no news from its endpoints"
        if still > patience(chain) + pause:
            fault = fault or f"no endpoint has shown a new block for {still:.0f} seconds"
        return Part(
            ok=not fault,
            why=fault,
            endpoints=self._states(name),
            calls_today=self._budgets[name].today if name in self._endpoints else None,
            warning=self._budgets[name].warning,
            head=sight.head,
            read=sight.read,
            lag_blocks=max(0, sight.head - sight.read),
            seen_seconds_ago=int((now - sight.at).total_seconds()),
            watched_elsewhere=name in self._elsewhere,
        )

    def _states(self, name: ChainName) -> list[EndpointState]:
        states = self._endpoints.get(name)
        return list(states()) if states else []

    async def parts(self, pool: Pool) -> dict[str, Part | dict[ChainName, Part]]:
        """Judge everything."""
        now = self._clock.now()
        chains = {name: self.chain(name) for name in self._chains}
        watches = {watching(name) for name in chains}
        others = {
            task: Part(ok=False, why=why)
            for task, why in self._faults.items()
            if task not in watches
        }
        try:
            async with connection(pool) as conn:
                backlog = await queue.backlog(conn, now=now, count_max=BACKLOG_COUNTED_MAX)
                ended = await endpoints.disabled_for(conn, [FAILED_TOO_LONG, GONE])
                money = await sweeps.summary(conn, reasons_max=REASONS_MAX)
                compared = await reconciliations.find_all(conn)
                back = await refunds.summary(conn, reasons_max=REASONS_MAX)
        except OutageError as outage:
            down = Part(ok=False, why=str(outage))
            return {"database": down, "chains": chains, **others}
        sent = sending(backlog, ended, now)
        modes = {name: chain.settlement.mode for name, chain in self._chains.items()}
        return {
            "database": Part(ok=True),
            "chains": chains,
            "outbox": sent,
            "settlement": settling(modes, money, back, self._warnings),
            "books": kept(list(compared.values())),
            **others,
        }


def watching(chain: ChainName) -> str:
    """Return the name of the task that watches a chain."""
    return f"watch {chain}"


def settling(
    modes: dict[ChainName, Settles],
    money: sweeps.Summary,
    back: refunds.Summary,
    warnings: Mapping[str, str],
) -> Part:
    """Judge settlement. Money that does not move is said; it stops nothing else."""
    told = [f"{about}: {what}" for about, what in warnings.items() if what]
    return Part(
        ok=True,
        modes=modes,
        sweeps_open=money.open,
        sweeps_stuck=money.stuck,
        refunds_open=back.open,
        warning="; ".join([*money.reasons, *back.reasons, *told]),
    )


def kept(compared: Sequence[reconciliations.Reconciled]) -> Part:
    """Judge the books. A difference holds what it concerns, and payments go on."""
    return Part(
        ok=True,
        differences=sum(one.differences for one in compared),
        warning="; ".join(f"{one.chain}: {one.summary}" for one in compared if one.summary),
    )


def sending(backlog: queue.Backlog, ended: Sequence[endpoints.Endpoint], now: datetime) -> Part:
    """Judge the outbox. A receiver that was given up is its owner's trouble, and is said."""
    overdue = backlog.next is not None and now - backlog.next > OVERDUE_MAX
    given_up = [f"endpoint {one.id} is disabled: {one.disabled_reason}" for one in ended]
    return Part(
        ok=not overdue,
        why="deliveries are overdue" if overdue else "",
        warning="; ".join(given_up),
        deliveries_due=backlog.due,
        deliveries_waiting=backlog.waiting,
    )
