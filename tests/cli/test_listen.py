"""`ctrip listen`: what reaches the developer's receiver, and what he reads of it."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from ctrip.cli import listen
from ctrip.cli.listen import Forwarded, Listener, Plan, line_of, planned
from ctrip.client.aio import AsyncClient
from ctrip.client.talk import Denied
from ctrip.clock import SystemClock
from ctrip.core.errors import ConfigError
from ctrip.server import http_server
from ctrip.settings import Secret
from ctrip.store.pool import Pool
from ctrip.web.site import build
from ctrip.webhooks.client import WebhookClient
from ctrip.webhooks.guard import Guard
from tests.support.builders import CREATED
from tests.support.certificates import a_certificate
from tests.support.gateway import CTRIP
from tests.support.ports import free_port
from tests.support.receiver import Receiver, receiver, reset, verify
from tests.web.shop import Shop, open_shop

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  of these tests
WAIT_SECONDS_MAX: Final = 15.0


@pytest.fixture
async def shop(pool: Pool) -> AsyncIterator[Shop]:
    async with open_shop(pool) as shop:
        yield shop
        shop.parts.tidings.stop()  # nobody is kept waiting for news at the end


@pytest.fixture
async def own() -> AsyncIterator[Receiver]:
    """The developer's receiver."""
    async with receiver() as it:
        yield it


def a_plan(
    api: str = "http://127.0.0.1:8080", key: str = "", forward_to: str = "localhost", **asked: Any
) -> Plan:
    """Return a plan that forwards everything there ever was."""
    plan = Plan(
        forward_to=forward_to,
        api=api,
        key=Secret(key),
        event_types=(),
        since=0,
        secret=Secret(SECRET),
        retries=0,
        skip_verify=False,
        as_json=True,
    )
    return replace(plan, **asked)


class Running:
    """A listener at work, and what it says."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[str] = asyncio.Queue()
        self.notes: asyncio.Queue[str] = asyncio.Queue()

    async def line(self) -> str:
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            return await self.lines.get()

    async def note(self) -> str:
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            return await self.notes.get()

    async def forwarded(self, count: int) -> list[dict[str, Any]]:
        return [json.loads(await self.line()) for _ in range(count)]


@asynccontextmanager
async def listening(plan: Plan) -> AsyncIterator[Running]:
    """Forward until the end of the block."""
    plan = planned(plan)
    client = AsyncClient(plan.api, plan.key.reveal(), waits=())
    webhooks = WebhookClient(Guard(listen.OWN_NETWORKS), timeout_seconds=5, tls=listen.tls_of(plan))
    it = Running()
    say, tell = it.lines.put_nowait, it.notes.put_nowait
    task = asyncio.create_task(Listener(plan, client, webhooks, SystemClock(), say, tell).run())
    try:
        yield it
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await client.close()
        await webhooks.close()


@asynccontextmanager
async def served(shop: Shop, port: int) -> AsyncIterator[None]:
    """Serve the shop's site on this port, as a gateway does that was restarted."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        server = http_server(build(shop.parts))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield
        server.should_exit = True
        await serving


async def test_each_event_is_posted_as_a_webhook_is(shop: Shop, own: Receiver) -> None:
    async with listening(a_plan(shop.url, shop.key, own.url)) as it:
        assert json.loads(await it.line()) == {"forward_to": own.url, "secret": SECRET}
        payments = [await shop.create(order_id=order) for order in ("A-1", "Käse")]
        done = await it.forwarded(2)
    received = await own.wait_for(2)
    news = [verify(one, SECRET) for one in received]
    assert {one["data"]["id"] for one in news} == {payment["id"] for payment in payments}
    assert [one.headers["webhook-id"] for one in received] == [one["id"] for one in news]
    assert [one["event_id"] for one in done] == [one["id"] for one in news]
    assert [one["payment_id"] for one in done] == [one["data"]["id"] for one in news]
    assert {(one["type"], one["status"], one["tries"]) for one in done} == {
        ("payment.created", 200, 1)
    }
    stream = await shop.get("/api/v1/events?after=0")
    assert all(one.body in stream.body for one in received), "the bytes are those of the stream"


async def test_from_now_on_means_that_what_was_is_not_sent(shop: Shop, own: Receiver) -> None:
    await shop.create()
    async with listening(a_plan(shop.url, shop.key, own.url, since=None)) as it:
        await it.line()
        later = await shop.create()
        (done,) = await it.forwarded(1)
    assert done["payment_id"] == later["id"]
    assert len(own.received) == 1


async def test_only_the_types_that_were_named_are_sent(shop: Shop, own: Receiver) -> None:
    await shop.create()
    plan = a_plan(shop.url, shop.key, own.url, event_types=["payment.paid,webhook.*"])
    async with listening(plan) as nothing:
        await nothing.line()
        async with listening(replace(plan, event_types=["payment.*"])) as it:
            await it.line()
            await it.forwarded(1)
        assert nothing.lines.empty()
    assert len(own.received) == 1


async def test_a_receiver_that_is_down_is_told_and_the_next_event_is_sent(
    shop: Shop, own: Receiver
) -> None:
    await shop.create()
    await shop.create()
    own.answers(reset, 200)
    async with listening(a_plan(shop.url, shop.key, own.url)) as it:
        await it.line()
        first, second = await it.forwarded(2)
    assert (first["status"], first["why"]) == (None, "closed")
    assert (second["status"], second["why"]) == (200, None)
    async with listening(a_plan(shop.url, shop.key, f"127.0.0.1:{free_port()}/x")) as it:
        await it.line()
        assert [one["why"] for one in await it.forwarded(2)] == ["connect", "connect"]


async def test_retries_are_made_if_they_are_asked_for(
    shop: Shop, own: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "RETRY_SECONDS", 0)
    await shop.create()
    own.answers(500, 503, 200)
    async with listening(a_plan(shop.url, shop.key, own.url, retries=2)) as it:
        await it.line()
        (done,) = await it.forwarded(1)
    assert (done["status"], done["tries"]) == (200, 3)
    assert len({one.headers["webhook-id"] for one in own.received}) == 1


async def test_a_gateway_that_restarts_is_waited_for_and_nothing_is_skipped(
    shop: Shop, own: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "AWAY_SECONDS_MAX", 0.05)
    port = free_port()
    plan = a_plan(f"http://127.0.0.1:{port}", shop.key, own.url, since=None)
    async with listening(plan) as it:
        assert "waiting for it" in await it.note()
        async with served(shop, port):
            assert await it.note() == "The gateway is back."
            await it.line()
            before = await shop.create()
            (done,) = await it.forwarded(1)
            assert done["payment_id"] == before["id"]
        assert "waiting for it" in await it.note()
        meanwhile = [(await shop.create())["id"] for _ in range(3)]
        async with served(shop, port):
            done_since = await it.forwarded(3)
            assert {one["payment_id"] for one in done_since} == set(meanwhile)
            assert await it.note() == "The gateway is back."
            assert len(own.received) == 4
            assert it.notes.empty()


async def test_a_gateway_that_refuses_ends_it_with_its_sentence(shop: Shop, own: Receiver) -> None:
    plan = planned(a_plan(shop.url, "ctrip_wrong", own.url))
    with pytest.raises(Denied, match="This API key is not valid"):
        await listen.listen(plan, lambda _: None, lambda _: None)


async def test_a_certificate_of_ones_own_is_taken_if_it_is_asked_for(
    shop: Shop, tmp_path: Path
) -> None:
    tls = a_certificate("shop.test", tmp_path).shown
    await shop.create()
    async with receiver(tls=tls) as own:
        for skip_verify, why in ((False, "tls"), (True, None)):
            plan = a_plan(shop.url, shop.key, own.url, skip_verify=skip_verify)
            async with listening(plan) as it:
                await it.line()
                (done,) = await it.forwarded(1)
            assert done["why"] == why


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ({"forward_to": "ftp://127.0.0.1"}, "--forward-to: Webhook URL must start with https://"),
        ({"forward_to": "http://169.254.169.254/"}, "--forward-to: .*not public"),
        ({"forward_to": "http://1.1.1.1/"}, "--forward-to: .*must use https"),
        ({"secret": Secret("short")}, "--secret: must hold at least 16 bytes"),
        ({"event_types": ["payment.*,nothing.*"]}, "--events: there are no events of type"),
    ],
)
def test_what_cannot_be_done_is_told_before_it_begins(asked: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        planned(a_plan(**asked))


@pytest.mark.parametrize(
    "url", ["localhost:9000/hooks", "http://[::1]:9000/", "192.168.1.9:9000", "https://a.example/"]
)
def test_the_developers_own_addresses_are_allowed(url: str) -> None:
    plan = planned(a_plan(forward_to=url, secret=Secret("")))
    assert plan.forward_to.startswith("http")
    assert plan.secret.reveal().startswith("whsec_")


def test_a_line_says_what_became_of_an_event() -> None:
    done = Forwarded(
        at=CREATED,
        type="payment.paid",
        event_id="evt_1",
        payment_id="p-1",
        status=204,
        why=None,
        milliseconds=12,
        tries=1,
    )
    assert line_of(done).endswith("  payment.paid  evt_1 p-1  204  12 ms")
    down = replace(done, status=None, why="connect", tries=3, payment_id=None)
    assert line_of(down).endswith("  evt_1  connect (nobody listens there)  12 ms after 3 tries")


async def test_as_a_command_it_ends_with_ctrl_c_and_needs_no_configuration(
    shop: Shop, own: Receiver, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        CTRIP, "listen", "--forward-to", own.url, "--api", shop.url, "--since", "0",
        cwd=tmp_path,
        env={"CTRIP_API_KEY": shop.key, "CTRIP_LISTEN_SECRET": SECRET, "PATH": sys.prefix},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    assert process.stderr
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        ready = (await process.stdout.readline()).decode()
        assert SECRET in ready
        await shop.create()
        line = (await process.stdout.readline()).decode()
        assert "payment.created  evt_" in line
        assert "  200  " in line
        process.send_signal(signal.SIGINT)
        said = (await process.stderr.read()).decode()
        assert await process.wait() == 0
    assert said.startswith("Stopped. Go on with --since ")
    verify((await own.wait_for(1))[0], SECRET)
