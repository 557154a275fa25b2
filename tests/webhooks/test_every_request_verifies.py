"""Every request that the sender makes verifies, as the libraries of Standard Webhooks say."""

import asyncio
from base64 import b64encode
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import pytest
from msgspec import json
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from ctrip.clock import SystemClock
from ctrip.core.endpoints import EndpointId, Format
from ctrip.core.events import created
from ctrip.core.signature import content_of
from ctrip.flows.deliver import Sender
from ctrip.flows.endpoints import Endpoints
from ctrip.flows.receivers import Receivers
from ctrip.flows.register import New, Unfit
from ctrip.flows.stops import Stops
from ctrip.settings import Secret, Webhooks
from ctrip.store import endpoints as store_endpoints
from ctrip.store import outbox, payments
from ctrip.store.endpoints import Wish
from ctrip.store.pool import Pool, connection, transaction
from ctrip.webhooks.client import WebhookClient
from ctrip.webhooks.guard import Guard
from ctrip.webhooks.seal import Sealer
from ctrip.webhooks.signing import verify_v1a
from tests.store.rows import WALLET, fresh
from tests.support.builders import run, seen
from tests.support.node_verifier import Sent, faults_of
from tests.support.receiver import Received, Receiver, receiver
from tests.support.receivers_on_record import has_receiver

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  (published, in Standard Webhooks)
KEY: Final = "k" * 64
SETTINGS: Final = Webhooks(secret=Secret(SECRET), secrets_key=Secret(KEY))
LOOPBACK: Final = Guard(("127.0.0.0/8",))
OURS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature", "x-webhook-signature")


class Gateway:
    """A sender with the endpoints that it sends to."""

    def __init__(self, pool: Pool, client: WebhookClient, shop: Receiver) -> None:
        self.pool = pool
        self.shop = shop
        self.clock = SystemClock()
        stops = Stops()
        self.endpoints = Endpoints(pool, LOOPBACK, SETTINGS, self.clock, asyncio.Event(), stops)
        self.sender = Sender(
            pool,
            client,
            Receivers(pool, SETTINGS, self.clock),
            self.clock,
            asyncio.Event(),
            lease=timedelta(seconds=30),
            spawn=asyncio.create_task,
            stops=stops,
        )

    async def open(self, name: str, **asked: Any) -> tuple[EndpointId, str]:
        made, key = await self.endpoints.create(New(url=f"{self.shop.url}/{name}", **asked))
        return made.id, key

    async def pay(self, webhook_url: str | None = None) -> None:
        """Promise the events of a payment."""
        payment = fresh(webhook_url=webhook_url, description="Käse für 10 €", order_id="№ 7")
        news = [created(payment), *run(payment, seen())[1]]
        async with transaction(self.pool) as conn:
            await payments.insert(conn, [payment], wallet=WALLET)
            if webhook_url:
                await store_endpoints.add_sites(conn, [webhook_url], now=self.clock.now())
            await outbox.append(conn, news, now=self.clock.now())

    async def send(self) -> Mapping[str, Sequence[Received]]:
        """Send everything; return what came, by the last word of its path."""
        async with connection(self.pool) as conn:
            while await conn.fetchval("SELECT count(*) FROM deliveries"):
                await self.sender.run_once()
                await self.sender.settled()
        came = defaultdict(list)
        for received in self.shop.received:
            came[received.path.rpartition("/")[2]].append(received)
        return came


@asynccontextmanager
async def a_gateway(pool: Pool) -> AsyncIterator[Gateway]:
    client = WebhookClient(LOOPBACK, timeout_seconds=10)
    async with receiver() as shop:
        yield Gateway(pool, client, shop)
        await client.close()  # first, or the receiver waits for its connections


@pytest.fixture
async def gateway(pool: Pool) -> AsyncIterator[Gateway]:
    async with a_gateway(pool) as gateway:
        yield gateway


def refusals(came: Sequence[Received], key: str) -> list[str]:
    """Return what receivers in two languages, who know one key, have against these requests."""
    faults = []
    for one in came:
        try:
            Webhook(as_key(key)).verify(one.body, dict(one.headers))
        except WebhookVerificationError as fault:
            faults.append(str(fault))
    batch = [Sent({k.lower(): v for k, v in one.headers.items()}, one.body, key) for one in came]
    return faults + [fault for fault in faults_of(batch) if fault]


def as_key(secret: str) -> str:
    """Return a secret as the library wants it: plain text in base64."""
    return secret if secret.startswith("whsec_") else b64encode(secret.encode()).decode()


def vouched_for(one: Received, public: str) -> bool:
    """Verify as the specification says for ed25519; the libraries know no such keys."""
    content = content_of(one.headers["webhook-id"], int(one.headers["webhook-timestamp"]), one.body)
    entries = one.headers["webhook-signature"].split(" ")
    return any(verify_v1a(public, content, e[4:]) for e in entries if e.startswith("v1a,"))


async def test_every_kind_of_receiver_can_verify_what_it_gets(gateway: Gateway) -> None:
    await has_receiver(gateway.pool, f"{gateway.shop.url}/config")
    tried, plain = await gateway.open("plain")
    _, thin = await gateway.open("thin", format=Format.THIN)
    _, own = await gateway.open("own", secret=Secret("a plain text secret, not base64"))
    await gateway.pay()
    await gateway.pay(f"{gateway.shop.url}/site")
    await gateway.endpoints.test(tried)
    came = await gateway.send()
    assert {name: len(all_of) for name, all_of in came.items()} == {
        "config": 4, "plain": 5, "thin": 4, "own": 4, "site": 2,
    }  # fmt: skip
    keys = {"config": SECRET, "site": SECRET, "plain": plain, "thin": thin}
    for name, key in keys.items():
        assert not refusals(came[name], key), name
        other = SECRET if key != SECRET else plain
        assert len(refusals(came[name], other)) == 2 * len(came[name])
    assert not refusals(came["own"], own)
    (data,) = {tuple(json.decode(one.body)["data"]) for one in came["thin"]}
    assert data == ("id",)
    assert "webhook.test" in {json.decode(one.body)["type"] for one in came["plain"]}


async def test_ed25519_verifies_with_the_public_key_alone(gateway: Gateway) -> None:
    _, public = await gateway.open("standard", signature="ed25519")
    _, other = await gateway.open("thin", signature="ed25519", format=Format.THIN)
    await gateway.pay()
    came = await gateway.send()
    assert len(came["standard"]) == len(came["thin"]) == 2
    assert all(vouched_for(one, public) for one in came["standard"])
    assert all(vouched_for(one, other) for one in came["thin"])
    assert not any(vouched_for(one, other) for one in came["standard"])
    assert not any("v1," in one.headers["webhook-signature"] for one in came["standard"])


@pytest.mark.parametrize("after", ["hmac", "ed25519"])
async def test_while_a_secret_is_rotated_either_one_verifies_alone(
    gateway: Gateway, after: Any
) -> None:
    one, old = await gateway.open("rotated")
    await gateway.pay()
    await gateway.send()
    new = await gateway.endpoints.rotate(one, signature=after)
    await gateway.pay()
    first, both = await halves(gateway)
    assert not refusals(first, old)
    assert not refusals(both, old)
    assert knows(both, new)
    assert not knows(first, new)
    await gateway.endpoints.rotate(one, overlap=timedelta(0))
    gateway.shop.received.clear()
    await gateway.pay()
    last = (await gateway.send())["rotated"]
    assert len(refusals(last, old)) == 2 * len(last), "what has expired signs no more"
    assert not knows(last, new)


async def halves(gateway: Gateway) -> tuple[Sequence[Received], Sequence[Received]]:
    came = (await gateway.send())["rotated"]
    assert len(came) == 4
    return came[:2], came[2:]


def knows(came: Sequence[Received], key: str) -> bool:
    """Tell whether a receiver that knows only this key takes all of these."""
    if key.startswith("whpk_"):
        return all(vouched_for(one, key) for one in came)
    return not refusals(came, key)


async def test_headers_of_an_owner_are_sent_and_never_over_ours(gateway: Gateway) -> None:
    headers = {"X-Shop": Secret("7"), "Authorization": Secret("Bearer of this")}
    one, key = await gateway.open("headers", headers=headers)
    for name in (*OURS, "Webhook-Signature", "content-type", "User-Agent", "Host"):
        with pytest.raises(Unfit):
            await gateway.open("refused", headers={name: Secret("v1,forged")})
    await gateway.pay()
    came = (await gateway.send())["headers"]
    assert len(came) == 2
    assert {(r.headers["X-Shop"], r.headers["Authorization"]) for r in came} == {
        ("7", "Bearer of this")
    }
    assert not refusals(came, key)
    gateway.shop.received.clear()
    forged = Sealer(Secret(KEY)).seal(json.encode(dict.fromkeys(OURS[:3], "forged")), owner=one)
    async with connection(gateway.pool) as conn:
        await store_endpoints.change(conn, one, Wish(headers=forged), now=gateway.clock.now())
    await gateway.pay()
    came = (await gateway.send())["headers"]
    assert not refusals(came, key), "not even if they were written into the database"
