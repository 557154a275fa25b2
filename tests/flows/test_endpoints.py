"""Secrets of endpoints: sealed where they are kept, rotated without a gap, told to nobody."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from ctrip.core.deliveries import Claim
from ctrip.core.endpoints import CONFIG, EndpointId
from ctrip.core.errors import RequestError
from ctrip.core.events import EventType
from ctrip.core.ids import EventId
from ctrip.flows.endpoints import SECRETS_LIVE_MAX, Endpoints
from ctrip.flows.keyring import SecretsKeyMissing
from ctrip.flows.receivers import Receivers
from ctrip.flows.register import Change, New, TooManySecrets, Unfit, WrongKind
from ctrip.flows.stops import Stops
from ctrip.settings import Secret, Webhooks
from ctrip.store import endpoints, outbox
from ctrip.store.pool import Pool, connection
from ctrip.webhooks.guard import Guard
from ctrip.webhooks.signing import SecretKind, Signer, make_secret
from tests.store.rows import written
from tests.support.builders import CREATED
from tests.support.clock import FakeClock
from tests.support.receivers_on_record import URL, has_receiver

SETTINGS = Webhooks(secrets_key=Secret("5ea1" * 16))
DAY = timedelta(hours=24)
HIDDEN = "a password of the receiver"


class Bench:
    """The flow, and the sender's view of what it wrote."""

    def __init__(self, pool: Pool, settings: Webhooks = SETTINGS) -> None:
        self.pool = pool
        self.clock = FakeClock(CREATED)
        self.news = asyncio.Event()
        self.flow = Endpoints(pool, Guard(), settings, self.clock, self.news, Stops())
        self.receivers = Receivers(pool, settings, self.clock)

    async def make(self, **asked: Any) -> tuple[EndpointId, str]:
        made, secret = await self.flow.create(New(url=URL, **asked))
        return made.id, secret

    async def signatures(self, endpoint_id: EndpointId) -> list[str]:
        """Return how an event for this endpoint is signed now, and with which headers."""
        async with connection(self.pool) as conn:
            row = await endpoints.find(conn, endpoint_id)
        assert row is not None
        receiver = await self.receivers.of(a_claim(endpoint_id, row))
        return entries(receiver.signer)

    async def headers(self, endpoint_id: EndpointId) -> dict[str, str]:
        async with connection(self.pool) as conn:
            row = await endpoints.find(conn, endpoint_id)
        assert row is not None
        return dict((await self.receivers.of(a_claim(endpoint_id, row))).headers)


def a_claim(endpoint_id: EndpointId, row: endpoints.Endpoint) -> Claim:
    return Claim(
        event_id=EventId("evt_1"),
        endpoint_id=endpoint_id,
        claim_id=uuid4(),
        attempts=1,
        faults=0,
        manual=False,
        payment_id=None,
        sequence=0,
        type=EventType.TEST,
        created_at=CREATED,
        body=b"{}",
        url=row.url,
        kind=row.kind,
        format=row.format,
        revision=row.revision,
        failures=row.failures,
    )


def entries(signer: Signer) -> list[str]:
    return signer.headers("evt_1", 1, b"{}")["webhook-signature"].split()


def by(*secrets: str) -> list[str]:
    return entries(Signer([Secret(text) for text in secrets]))


@pytest.fixture
async def bench(pool: Pool) -> Bench:
    await has_receiver(pool)
    return Bench(pool)


async def test_no_secret_is_readable_in_the_database(bench: Bench) -> None:
    own = make_secret("ed25519")
    _, told = await bench.make(headers={"X-Key": Secret(HIDDEN)})
    await bench.make(secret=Secret(own))
    async with connection(bench.pool) as conn:
        kept = await conn.fetch("SELECT sealed AS kept FROM endpoint_secrets")
        kept += await conn.fetch("SELECT headers FROM endpoints WHERE headers IS NOT NULL")
    assert len(kept) == 3
    for (sealed,) in kept:
        assert not any(text.encode() in sealed for text in (told, own, HIDDEN, told[6:], "X-Key"))


async def test_a_sender_signs_with_what_was_told_and_sends_the_headers(bench: Bench) -> None:
    id_, secret = await bench.make(headers={"X-Key": Secret(HIDDEN)})
    assert await bench.signatures(id_) == by(secret)
    assert await bench.headers(id_) == {"X-Key": HIDDEN}
    await bench.flow.change(id_, Change(headers={"X-Other": Secret("2")}))
    assert await bench.headers(id_) == {"X-Other": "2"}


async def test_both_secrets_sign_until_the_old_one_expires(bench: Bench) -> None:
    id_, old = await bench.make()
    assert await bench.signatures(id_) == by(old)
    new = await bench.flow.rotate(id_)
    assert await bench.signatures(id_) == by(new, old)
    bench.clock.move(seconds=DAY.total_seconds() - 1)
    assert await bench.signatures(id_) == by(new, old)
    bench.clock.move(seconds=1)
    assert await bench.signatures(id_) == by(new)


async def test_without_an_overlap_the_old_secrets_end_at_once(bench: Bench) -> None:
    id_, old = await bench.make()
    await bench.flow.rotate(id_)
    new = await bench.flow.rotate(id_, overlap=timedelta(0))
    assert old != new
    assert await bench.signatures(id_) == by(new)


async def test_a_longer_overlap_does_not_revive_what_was_to_end(bench: Bench) -> None:
    id_, leaked = await bench.make()
    new = await bench.flow.rotate(id_, overlap=timedelta(minutes=1))
    newer = await bench.flow.rotate(id_, overlap=timedelta(days=7))
    bench.clock.move(minutes=1)
    assert await bench.signatures(id_) == by(newer, new)
    assert leaked not in (new, newer)


async def test_a_rotation_keeps_the_kind_unless_another_is_asked_for(bench: Bench) -> None:
    id_, public = await bench.make(signature="ed25519")
    assert public.startswith("whpk_")
    asked: list[tuple[SecretKind | None, str]]
    asked = [(None, "whpk_"), ("hmac", "whsec_"), (None, "whsec_")]
    for signature, prefix in asked:
        bench.clock.move(seconds=1)
        assert (await bench.flow.rotate(id_, signature=signature)).startswith(prefix)
    kinds = [entry.partition(",")[0] for entry in await bench.signatures(id_)]
    assert kinds == ["v1", "v1", "v1a", "v1a"]


async def test_there_are_never_more_secrets_than_may_be(bench: Bench) -> None:
    id_, _ = await bench.make()
    for _ in range(SECRETS_LIVE_MAX - 1):
        await bench.flow.rotate(id_)
    with pytest.raises(TooManySecrets):
        await bench.flow.rotate(id_)
    assert len(await bench.signatures(id_)) == SECRETS_LIVE_MAX
    bench.clock.move(hours=24)
    await bench.flow.rotate(id_)
    assert len(await bench.signatures(id_)) == 2


async def test_two_rotations_at_once_lose_no_secret(bench: Bench) -> None:
    id_, old = await bench.make()
    new = await asyncio.gather(*(bench.flow.rotate(id_) for _ in range(5)))
    assert sorted(await bench.signatures(id_)) == sorted(by(old, *new))
    (shown,) = await bench.flow.show([await bench.flow.find(id_)])
    assert [key.expires_at for key in shown.secrets].count(None) == 1


async def test_an_endpoint_whose_secrets_no_key_opens_is_shown_and_given_another(
    bench: Bench,
) -> None:
    id_, _ = await bench.make(headers={"X-Key": Secret(HIDDEN)})
    other = Bench(bench.pool, Webhooks(secrets_key=Secret("0the" * 16)))
    (shown,) = await other.flow.show([await other.flow.find(id_)])
    assert (shown.header_names, shown.secrets[0].signature) == (None, None)
    new = await other.flow.rotate(id_, overlap=timedelta(0))
    await other.flow.change(id_, Change(headers={}))
    assert await other.signatures(id_) == by(new)


async def test_nothing_is_sealed_without_a_key(bench: Bench) -> None:
    id_, _ = await bench.make()
    bare = Bench(bench.pool, Webhooks())
    for call in (
        bare.flow.create(New(url=URL)),
        bare.flow.rotate(id_),
        bare.flow.change(id_, Change(headers={"X-A": Secret("1")})),
    ):
        with pytest.raises(SecretsKeyMissing, match="secrets_key"):
            await call
    await bare.flow.change(id_, Change(url=URL + "2", headers={}))


@pytest.mark.parametrize("days", [-1, 7.001])
async def test_an_overlap_has_its_limits(bench: Bench, days: float) -> None:
    id_, _ = await bench.make()
    with pytest.raises(Unfit, match="overlap_seconds"):
        await bench.flow.rotate(id_, overlap=timedelta(days=days))


async def test_the_others_are_told_that_an_endpoint_was_disabled(bench: Bench) -> None:
    id_, _ = await bench.make()
    await bench.flow.disable(id_)
    async with connection(bench.pool) as conn:
        rows = await conn.fetch(
            "SELECT v.type, d.endpoint_id FROM events v JOIN deliveries d ON d.event_id = v.id"
        )
    assert [tuple(row) for row in rows] == [("webhook.endpoint_disabled", CONFIG)]
    assert bench.news.is_set()


async def test_a_receiver_that_is_not_configured_is_not_enabled(pool: Pool) -> None:
    await has_receiver(pool, "")
    with pytest.raises(WrongKind, match=r"\[webhooks\] url"):
        await Bench(pool).flow.enable(CONFIG)


async def test_a_recovery_gives_every_event_its_place_first(bench: Bench) -> None:
    id_, _ = await bench.make(event_types=("payment.paid",))
    async with connection(bench.pool) as conn:
        for _ in range(3):
            await written(conn)
    bench.clock.move(minutes=1)
    ordered = await bench.flow.recover(id_, since=CREATED)
    assert (ordered.after, ordered.last, ordered.event_types) == (0, 3, ("payment.paid",))
    async with connection(bench.pool) as conn:
        assert not await outbox.place(conn)


async def test_a_fault_is_never_one_of_ours(bench: Bench) -> None:
    """Whatever a caller names, he is told that he is wrong."""
    nobody = EndpointId("we_nobody")
    for call in (
        bench.flow.find(nobody),
        bench.flow.change(nobody, Change()),
        bench.flow.enable(nobody),
        bench.flow.disable(nobody),
        bench.flow.remove(nobody),
        bench.flow.rotate(nobody),
        bench.flow.test(nobody),
        bench.flow.recover(nobody, since=CREATED - DAY),
    ):
        with pytest.raises(RequestError) as refused:
            await call
        assert refused.value.status == 404


async def test_tries_of_one_occasion_make_one_endpoint_and_one_rotation(pool: Pool) -> None:
    """They overlap when a process was frozen and another took its work on."""
    bench, making, rotating = Bench(pool), uuid4(), uuid4()
    made = await asyncio.gather(*(bench.flow.create(New(url=URL), making) for _ in range(6)))
    assert all(one == made[0] for one in made)
    endpoint_id = made[0][0].id
    told = await asyncio.gather(
        *(bench.flow.rotate(endpoint_id, occasion=rotating) for _ in range(6))
    )
    assert len(set(told)) == 1
    assert len(await bench.signatures(endpoint_id)) == 2
    assert (await bench.make())[0] != endpoint_id
