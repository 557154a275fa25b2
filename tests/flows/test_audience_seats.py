"""Who may listen, how many may, and what ends it."""

import asyncio
from contextlib import ExitStack
from datetime import timedelta
from uuid import uuid4

import pytest

from ctrip.core.ids import NOBODY, KeyId, PaymentId
from ctrip.flows import audience as flow
from ctrip.flows.audience import Audience, Listener, NoSeat, TooManyStreams
from ctrip.flows.keys import make_key
from ctrip.store import accounts
from ctrip.store.pool import Pool, connection
from tests.support.builders import CREATED
from tests.support.changes import an_open_payment, change
from tests.support.clock import FakeClock

KEY = KeyId(uuid4())


@pytest.fixture
def audience(pool: Pool) -> Audience:
    return Audience(pool, FakeClock(CREATED), silence_seconds=5)


async def told(listener: Listener) -> list[int]:
    """Return the sequences of what was handed."""
    return [one.sequence for one in await listener.take()]


async def test_there_is_a_limit_for_a_key_and_one_for_all(
    audience: Audience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "LISTENERS_EACH_MAX", 2)
    monkeypatch.setattr(flow, "LISTENERS_MAX", 4)
    payment = PaymentId(uuid4())
    with ExitStack() as all_of_them:

        def joins(key: KeyId) -> None:
            all_of_them.enter_context(audience.listener(payment, key, after=0))

        joins(KEY)
        joins(KEY)
        with pytest.raises(TooManyStreams):
            joins(KEY)
        joins(KeyId(uuid4()))
        joins(NOBODY)
        with pytest.raises(NoSeat):
            joins(NOBODY)
    assert len(audience) == 0
    with audience.listener(payment, KEY, after=0):
        assert len(audience) == 1


async def test_with_keys_off_nobody_has_a_limit_of_its_own(
    audience: Audience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "LISTENERS_EACH_MAX", 1)
    payment = PaymentId(uuid4())
    with (
        audience.listener(payment, NOBODY, after=0),
        audience.listener(payment, NOBODY, after=0),
    ):
        assert len(audience) == 2


@pytest.mark.parametrize("by", ["revoking", "expiry"])
async def test_a_key_that_ends_takes_its_listeners_along(pool: Pool, by: str) -> None:
    clock = FakeClock(CREATED)
    audience = Audience(pool, clock)
    payment = await an_open_payment(pool)
    hour = timedelta(hours=1)
    keys = [make_key("test", {"read"}, CREATED, lifetime=hour * (n + 1)) for n in range(2)]
    async with connection(pool) as conn:
        for _, key, digest in keys:
            await accounts.add(conn, key, digest)
    ending, lasting = keys[0][1], keys[1][1]
    with (
        audience.listener(payment, ending.id, after=0) as one,
        audience.listener(payment, lasting.id, after=0) as other,
        audience.listener(payment, NOBODY, after=0) as keyless,
    ):
        await audience.run_once()
        assert not one.is_over
        assert await told(one) == [1]
        async with connection(pool) as conn:
            if by == "revoking":
                await accounts.revoke(conn, ending.id, now=CREATED)
            else:
                clock.set(CREATED + hour)
        await asyncio.wait_for(ended(audience, one), 1)
        await change(pool, payment)
        await audience.run_once()
        assert (await told(one), await told(other)) == ([], [1, 2])
        assert not other.is_over
        assert not keyless.is_over


async def ended(audience: Audience, listener: Listener) -> None:
    """Make passes until a listener is sent away."""
    while not listener.is_over:
        await audience.run_once()


async def test_stopping_lets_everybody_go_and_nobody_in(audience: Audience, pool: Pool) -> None:
    payment = await an_open_payment(pool)
    with audience.listener(payment, NOBODY, after=1) as listener:
        waits = asyncio.create_task(told(listener))
        await asyncio.sleep(0)
        audience.stop()
        assert await asyncio.wait_for(waits, 1) == []
        assert listener.is_over
        with pytest.raises(NoSeat), audience.listener(payment, NOBODY, after=1):
            pass


async def test_silence_is_told_too(pool: Pool) -> None:
    audience = Audience(pool, FakeClock(CREATED), silence_seconds=0.01)
    with audience.listener(PaymentId(uuid4()), NOBODY, after=1) as listener:
        assert await told(listener) == []
        assert not listener.is_over
