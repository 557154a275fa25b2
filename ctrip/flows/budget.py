"""How many calls a chain's endpoints were sent today, held against what an operator allows.

Plans of RPC providers end at so many calls a day. Reaching the number stops nothing: an
unwatched chain costs more than a bill. It is said once a day in the log, and by health.
"""

from collections.abc import Sequence
from datetime import date, datetime

from ctrip import logs
from ctrip.chain.client import EndpointState
from ctrip.core.chains import Chain

log = logs.get("ctrip.budget")


class Budget:
    """One chain's calls since midnight UTC; those of an earlier process are not known."""

    def __init__(self, chain: Chain) -> None:
        self.today = 0
        self._chain = chain
        self._day: date | None = None
        self._before = 0  # calls of the days before
        self._told = False

    @property
    def warning(self) -> str:
        """What to tell an operator, or nothing."""
        most = self._chain.daily_calls_max
        if not most or self.today <= most:
            return ""
        return f"{self.today} calls today; daily_calls_max is {most}"

    def count(self, endpoints: Sequence[EndpointState], now: datetime) -> None:
        """Take note of the calls so far."""
        total = sum(endpoint.calls for endpoint in endpoints)
        if self._day != now.date():
            self._before = total if self._day else 0
            self._day, self._told = now.date(), False
        self.today = total - self._before
        if self.warning and not self._told:
            log.warning("call budget spent", chain=self._chain.name, why=self.warning)
            self._told = True
