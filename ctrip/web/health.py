"""Is it alive, does it work, and how much: /health, /health/ready, /metrics.

Liveness asks nothing of the database, or a database that is away would have the process
killed, which helps nobody. Readiness has one entry for each part.
"""

from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct, json
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from ctrip.core.ids import ChainName
from ctrip.flows.health import Health, Part
from ctrip.store.pool import Pool
from ctrip.web.auth import Caller
from ctrip.web.operation import Operation

# What is known of each endpoint; the number in its label is its place in chains.yaml.
RPC_FIGURES: Final = {
    "ok": "1 if the endpoint is believed",
    "calls": "JSON-RPC calls since the start",
    "requests": "HTTP requests that carried them",
    "bytes_received": "bytes of answers",
    "seconds": "spent waiting for answers",
    "faults": "answers that were none",
    "inconsistencies": "answers that could not be true",
}


class Alive(Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Struct, frozen=True):
    """Whether all parts work, and each of them."""

    status: Literal["ok", "failing"]
    parts: dict[str, Part | dict[ChainName, Part]]


ALIVE: Final = json.encode(Alive())


class HealthPages:
    """What an orchestrator and an operator look at. No key is needed; nothing secret is shown."""

    def __init__(self, health: Health, pool: Pool) -> None:
        self._health = health
        self._pool = pool

    def operations(self) -> list[Operation]:
        """Return what orchestrators ask; anybody may."""
        return [
            Operation(
                method="GET",
                path="/health",
                page=self.alive,
                name="is_alive",
                says="Tell whether the process answers.",
                scope=None,
                gives=Alive,
            ),
            Operation(
                method="GET",
                path="/health/ready",
                page=self.ready,
                name="is_ready",
                says="Judge every part; 503 if one does not work.",
                scope=None,
                gives=Readiness,
                gives_too={503: Readiness},
            ),
            Operation(
                method="GET",
                path="/metrics",
                page=self.metrics,
                name="get_metrics",
                says="Show the same as numbers, for Prometheus.",
                scope=None,
                gives=str,
                media_type="text/plain",
            ),
        ]

    async def alive(self, _request: Request, _caller: Caller) -> Response:
        """Answer."""
        return Response(ALIVE, media_type="application/json")

    async def ready(self, _request: Request, _caller: Caller) -> Response:
        """Judge every part; 503 if one is red."""
        parts = await self._health.parts(self._pool)
        ok = all(part.ok for part in flat(parts.values()))
        body = Readiness("ok" if ok else "failing", parts)
        return Response(json.encode(body), 200 if ok else 503, media_type="application/json")

    async def metrics(self, _request: Request, _caller: Caller) -> Response:
        """Show the same as numbers, for Prometheus."""
        registry = CollectorRegistry()
        up = Gauge("ctrip_part_up", "1 if the part works", ["part"], registry=registry)
        head = Gauge("ctrip_chain_head", "newest block seen", ["chain"], registry=registry)
        read = Gauge("ctrip_chain_read", "newest block written", ["chain"], registry=registry)
        waiting = Gauge(
            "ctrip_deliveries_waiting", "webhooks not yet delivered, up to 10000", registry=registry
        )
        books = Gauge(
            "ctrip_books_differences", "found by the last audit of each chain", registry=registry
        )
        sweeps = Gauge("ctrip_sweeps", "sweeps that have not ended", ["state"], registry=registry)
        refunds = Gauge("ctrip_refunds", "refunds that have not ended", registry=registry)
        rpc = {
            field: Gauge(f"ctrip_rpc_{field}", what, ["chain", "endpoint"], registry=registry)
            for field, what in RPC_FIGURES.items()
        }
        for name, part in (await self._health.parts(self._pool)).items():
            for chain, of_chain in part.items() if isinstance(part, dict) else ():
                up.labels(f"chain {chain}").set(of_chain.ok)
                head.labels(chain).set(of_chain.head or 0)
                read.labels(chain).set(of_chain.read or 0)
                for place, endpoint in enumerate(of_chain.endpoints, start=1):
                    for field, gauge in rpc.items():
                        gauge.labels(chain, str(place)).set(getattr(endpoint, field))
            if isinstance(part, Part):
                up.labels(name).set(part.ok)
                if part.deliveries_waiting is not None:
                    waiting.set(part.deliveries_waiting)
                if part.differences is not None:
                    books.set(part.differences)
                if part.refunds_open is not None:
                    refunds.set(part.refunds_open)
                if part.sweeps_open is not None:
                    sweeps.labels("open").set(part.sweeps_open)
                    sweeps.labels("stuck").set(part.sweeps_stuck or 0)
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")


def flat(parts: Iterable[Part | dict[ChainName, Part]]) -> Iterable[Part]:
    """Yield every part, those of chains included."""
    for part in parts:
        if isinstance(part, Part):
            yield part
        else:
            yield from part.values()
