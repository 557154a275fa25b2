"""`ctrip listen`: posts the events of a running gateway to a URL of the developer's machine.

What it sends is what a webhook is: the same body, byte for byte, and the same signatures,
under a secret that is made for the run. It reads the gateway's stream of events and keeps
its place there, so that nothing is left out while the gateway is away. A receiver that is
down is said, and the event is over: a developer wants to see the next one.

Private addresses may be dialled, because the machine is the developer's own.
"""

import asyncio
import signal
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Final

from msgspec import Struct, json

from ctrip import logs
from ctrip.client.aio import AsyncClient
from ctrip.client.models import Page
from ctrip.clock import Clock, SystemClock
from ctrip.core.endpoints import pattern_fault
from ctrip.core.errors import ConfigError, OutageError
from ctrip.flows.supervise import backoff_seconds
from ctrip.settings import Log, Secret
from ctrip.webhooks.client import Delivered, NoAnswer, Outcome, WebhookClient, Why
from ctrip.webhooks.guard import Guard
from ctrip.webhooks.signing import Signer, make_secret, secret_fault

OWN_NETWORKS: Final = (
    "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
)  # fmt: skip
WAIT_SECONDS: Final = 20.0  # that the gateway may keep us waiting; proxies give up after 30
GAP_SECONDS: Final = 0.5  # between two looks, if the gateway does not keep us waiting
AWAY_SECONDS_MAX: Final = 3.0  # between looks for a gateway that is away: somebody sits there
ANSWER_SECONDS_MAX: Final = 30.0  # a debugger may hold the receiver
RETRY_SECONDS: Final = 1.0

WORDS: Final[dict[Why, str]] = {
    "timeout": "did not answer in time",
    "dns": "its name has no address",
    "connect": "nobody listens there",
    "tls": "its certificate is not trusted (--skip-verify does not ask)",
    "blocked": "the address may not be dialled",
    "closed": "hung up without an answer",
    "protocol": "its answer is not HTTP",
    "url": "not a URL that can be dialled",
}


class Plan(Struct, frozen=True, kw_only=True):
    """What was typed."""

    forward_to: str
    api: str
    key: Secret
    event_types: Sequence[str]
    since: int | None  # a place in the stream; None: what happens from now on
    secret: Secret
    retries: int
    skip_verify: bool
    as_json: bool


class _Reference(Struct, frozen=True):
    """As much of an event's data as a line shows."""

    id: str | None = None


class _Event(Struct, frozen=True):
    """As much of an event as a line shows."""

    id: str
    type: str
    data: _Reference


class Forwarded(Struct, frozen=True, kw_only=True):
    """One event and what the receiver said to it, as --json prints it."""

    at: datetime
    type: str
    event_id: str
    payment_id: str | None
    status: int | None
    why: Why | None  # there is no status
    milliseconds: int
    tries: int


def planned(plan: Plan) -> Plan:
    """Return a plan that can be done, or raise what is wrong with it."""
    url = plan.forward_to if "://" in plan.forward_to else f"http://{plan.forward_to}"
    if fault := Guard(OWN_NETWORKS).check_url(url):
        raise ConfigError(f"--forward-to: {fault}")
    if plan.secret and (fault := secret_fault(plan.secret.reveal())):
        raise ConfigError(f"--secret: {fault}")
    patterns = [part for given in plan.event_types for part in given.split(",") if part]
    if faults := [fault for pattern in patterns if (fault := pattern_fault(pattern))]:
        raise ConfigError("\n".join(f"--events: {fault}" for fault in faults))
    return Plan(
        forward_to=url,
        api=plan.api,
        key=plan.key,
        event_types=patterns,
        since=plan.since,
        secret=plan.secret or Secret(make_secret("hmac")),
        retries=plan.retries,
        skip_verify=plan.skip_verify,
        as_json=plan.as_json,
    )


async def listen(plan: Plan, say: Callable[[str], None], tell: Callable[[str], None]) -> None:
    """Forward until Ctrl-C. `say` prints results, `tell` what a person should know besides."""
    plan = planned(plan)
    logs.configure(Log(level="error", format="text"), [plan.key, plan.secret])
    if task := asyncio.current_task():
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with AsyncExitStack() as stack:
        client = AsyncClient(plan.api, plan.key.reveal(), waits=())
        stack.push_async_callback(client.close)
        webhooks = WebhookClient(
            Guard(OWN_NETWORKS), timeout_seconds=ANSWER_SECONDS_MAX, tls=tls_of(plan)
        )
        stack.push_async_callback(webhooks.close)
        listener = Listener(plan, client, webhooks, SystemClock(), say, tell)
        try:
            await listener.run()
        except asyncio.CancelledError:  # Ctrl-C is how it ends
            tell(listener.farewell())


def tls_of(plan: Plan) -> ssl.SSLContext | None:
    """Return how certificates are looked at; None is as always."""
    if not plan.skip_verify:
        return None
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Listener:
    """Reads one gateway's stream and posts what it holds to one URL."""

    def __init__(
        self,
        plan: Plan,
        client: AsyncClient,
        webhooks: WebhookClient,
        clock: Clock,
        say: Callable[[str], None],
        tell: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._client = client
        self._webhooks = webhooks
        self._clock = clock
        self._say = say
        self._tell = tell
        self._signer = Signer([plan.secret])
        self._failures = 0  # of the gateway, in a row
        self.after = plan.since  # everything up to here was forwarded
        self.stops = False

    async def run(self) -> None:
        """Forward events until somebody says that it stops."""
        while self.after is None and not self.stops:
            page = await self._patiently(self._client.end_of_events)
            self.after = page.next_after if page else None
        self._say(ready(self._plan))
        loop = asyncio.get_running_loop()
        while not self.stops:
            asked_at = loop.time()
            page = await self._patiently(self._next)
            if page:
                await self._forward(page)
            if page and not page.data and not page.has_more:
                await asyncio.sleep(max(0, GAP_SECONDS - (loop.time() - asked_at)))

    def farewell(self) -> str:
        """Say how to go on later without a gap."""
        return "Stopped." + ("" if self.after is None else f" Go on with --since {self.after}.")

    async def _next(self) -> Page:
        return await self._client.events(
            self.after or 0, types=self._plan.event_types, wait_seconds=WAIT_SECONDS
        )

    async def _patiently(self, ask: Callable[[], Awaitable[Page]]) -> Page | None:
        """Ask the gateway; None if it is away, after a while."""
        try:
            page = await ask()
        except OutageError as error:
            if not self._failures:
                self._tell(f"{error}; waiting for it")
            self._failures += 1
            await asyncio.sleep(min(AWAY_SECONDS_MAX, backoff_seconds(self._failures)))
            return None
        if self._failures:
            self._tell("The gateway is back.")
        self._failures = 0
        return page

    async def _forward(self, page: Page) -> None:
        for body in page.data:
            forwarded = await self._post(bytes(body))
            shown = json.encode(forwarded).decode() if self._plan.as_json else line_of(forwarded)
            self._say(shown)
        self.after = page.next_after

    async def _post(self, body: bytes) -> Forwarded:
        event = json.decode(body, type=_Event)
        outcome, tries = await self._try(event.id, body), 1
        while not isinstance(outcome, Delivered) and tries <= self._plan.retries:
            await asyncio.sleep(RETRY_SECONDS)
            outcome, tries = await self._try(event.id, body), tries + 1
        return Forwarded(
            at=self._clock.now(),
            type=event.type,
            event_id=event.id,
            payment_id=event.data.id,
            status=None if isinstance(outcome, NoAnswer) else outcome.status,
            why=outcome.why if isinstance(outcome, NoAnswer) else None,
            milliseconds=outcome.milliseconds,
            tries=tries,
        )

    async def _try(self, event_id: str, body: bytes) -> Outcome:
        headers = self._signer.headers(event_id, int(self._clock.now().timestamp()), body)
        return await self._webhooks.post(self._plan.forward_to, body, headers)


class _Ready(Struct, frozen=True, kw_only=True):
    """What --json prints first."""

    forward_to: str
    secret: str


def ready(plan: Plan) -> str:
    """Say that it begins, and what its receiver verifies with."""
    secret = plan.secret.reveal()
    if plan.as_json:
        return json.encode(_Ready(forward_to=plan.forward_to, secret=secret)).decode()
    return f"Ready. Your webhook signing secret is {secret} (^C ends)"


def line_of(done: Forwarded) -> str:
    """Return the line of one event."""
    at = f"{done.at.astimezone():%H:%M:%S}"
    answer = str(done.status) if done.why is None else f"{done.why} ({WORDS[done.why]})"
    tries = f" after {done.tries} tries" if done.tries > 1 else ""
    of = f" {done.payment_id}" if done.payment_id else ""
    return f"{at}  {done.type}  {done.event_id}{of}  {answer}  {done.milliseconds} ms{tries}"
