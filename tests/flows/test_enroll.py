"""One payment for one key of a request, and for one order where orders are unique."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from ctrip.core.errors import InvariantError
from ctrip.core.idempotency import IdempotencyKey, IdempotencyKeyReused, key_of
from ctrip.core.ids import KeyId, PaymentId, raw
from ctrip.core.view import payment_body
from ctrip.flows.create import Order
from ctrip.flows.enroll import Made, OrderTaken, Replay, judge
from ctrip.settings import Payments, Secret
from ctrip.store import pool as store
from ctrip.store.payments import Birth
from tests.flows.world import ANVIL, World
from tests.support.builders import a_payment, new
from tests.support.tcp_proxy import AFTER, BEFORE, proxy_before

OWNER, OTHER = KeyId(uuid4()), KeyId(uuid4())
UNIQUE = Payments(order_id_unique=True)


def said(text: str, body: bytes = b"{}") -> IdempotencyKey:
    return key_of(text, "POST", "/api/v1/payments", body)


def an_order(**asked: Any) -> Order:
    given: dict[str, Any] = {"chain": ANVIL.name, "amount": 100, "owner": OWNER} | asked
    return Order(**given)


async def count(world: World) -> list[int]:
    counts = "SELECT (SELECT count(*) FROM payments), (SELECT count(*) FROM events)"
    return list((await world.rows(counts))[0])


async def test_what_is_asked_again_is_answered_as_it_was(world: World) -> None:
    first = new(await world.creator.create(an_order(key=said("k"))))
    world.chain.pay(raw(first.address), 100)
    world.chain.mine()
    await world.watch()
    again = await world.creator.create(an_order(key=said("k")))
    assert again == Replay(payment_body(first)), "byte for byte, though it is detected by now"
    assert await count(world) == [1, 2]


async def test_a_key_of_another_request_is_refused(world: World) -> None:
    await world.creator.create(an_order(key=said("k")))
    with pytest.raises(IdempotencyKeyReused, match="use a new one"):
        await world.creator.create(an_order(key=said("k", b'{"amount": 2}')))
    assert await count(world) == [1, 1]


async def test_keys_of_others_are_others(world: World) -> None:
    for owner in (OWNER, OTHER):
        new(await world.creator.create(an_order(key=said("k"), owner=owner)))
    new(await world.creator.create(an_order()))
    assert await count(world) == [3, 3]


@pytest.mark.parametrize("is_one_process", [True, False])
async def test_of_twins_one_is_made(world: World, is_one_process: bool) -> None:  # noqa: FBT001
    makers = [world.creator, world.creator if is_one_process else world.creator_on(world.pool)]
    keys = [said(f"k{number}") for number in range(20)]
    asked = [(key, makers[n % 2]) for n in range(6) for key in (keys if n % 2 else keys[::-1])]
    made = await asyncio.gather(*(maker.create(an_order(key=key)) for key, maker in asked))
    assert sum(isinstance(one, Made) for one in made) == len(keys)
    bodies = {key: {one.body for one in ones} for key, ones in of_each(keys, asked, made).items()}
    assert all(len(answers) == 1 for answers in bodies.values()), "all are told the same"
    assert await count(world) == [len(keys), len(keys)]


def of_each(keys: list[IdempotencyKey], asked: list[Any], made: list[Any]) -> dict[str, list[Any]]:
    return {
        key.text: [one for one, (said, _) in zip(made, asked, strict=True) if said == key]
        for key in keys
    }


async def test_an_order_has_one_payment_where_orders_are_unique(world: World) -> None:
    world.creator = world.creator_on(world.pool, UNIQUE)
    orders = [an_order(order_id="A-1") for _ in range(5)]
    made = await asyncio.gather(*map(world.creator.create, orders), return_exceptions=True)
    there = [one.payment for one in made if isinstance(one, Made)]
    assert len(there) == 1
    refusals = [str(one) for one in made if isinstance(one, OrderTaken)]
    assert refusals == [f"order_id A-1 has a payment already: {there[0].id}"] * 4
    await world.creator.create(an_order(order_id="A-1", owner=OTHER))
    for _ in range(2):
        await world.creator.create(an_order())
    assert await count(world) == [4, 4]


async def test_orders_repeat_where_nobody_minds(world: World) -> None:
    for _ in range(2):
        new(await world.creator.create(an_order(order_id="A-1")))


async def test_a_key_goes_before_its_order(world: World) -> None:
    world.creator = world.creator_on(world.pool, UNIQUE)
    order = an_order(order_id="A-1", key=said("k"))
    new(await world.creator.create(order))
    assert isinstance(await world.creator.create(order), Replay)


async def test_a_lost_answer_is_not_mistaken_for_a_twin(world: World, database: str) -> None:
    async with proxy_before(database) as proxy:
        pool = await store.connect(Secret(proxy.url), size_max=4)
        maker = world.creator_on(pool, UNIQUE)
        await maker.create(an_order(order_id="A-0"))
        proxy.loses(AFTER)
        orders = [an_order(order_id=f"A-{n}", key=said(f"k{n}")) for n in range(4)]
        made = await asyncio.gather(*map(maker.create, orders), return_exceptions=True)
        pool.terminate()
    assert proxy.lost == 1
    assert [type(one) for one in made] == [OrderTaken, Made, Made, Made]
    assert await count(world) == [4, 4]


@pytest.mark.parametrize("keys", [(None, None), (said("a"), said("b"))])
async def test_of_two_creates_of_an_order_whose_commit_was_not_heard_one_is_made(
    world: World, database: str, keys: tuple[IdempotencyKey | None, ...]
) -> None:
    async with proxy_before(database) as proxy:
        pool = await store.connect(Secret(proxy.url), size_max=4)
        maker = world.creator_on(pool, UNIQUE)
        await maker.create(an_order(order_id="A-0"))
        proxy.loses(AFTER)
        orders = [an_order(order_id="A-1", key=key) for key in keys]
        made = await asyncio.gather(*map(maker.create, orders), return_exceptions=True)
        pool.terminate()
    assert proxy.lost == 1
    assert {type(one) for one in made} == {Made, OrderTaken}
    assert await count(world) == [2, 2]


async def test_an_order_of_when_they_were_unique_is_in_nobodys_way_now(
    world: World, database: str
) -> None:
    await world.creator_on(world.pool, UNIQUE).create(an_order(order_id="A-1"))
    async with proxy_before(database) as proxy:
        pool = await store.connect(Secret(proxy.url), size_max=4)
        maker = world.creator_on(pool)
        await maker.create(an_order(order_id="A-0"))
        proxy.loses(BEFORE)
        new(await maker.create(an_order(order_id="A-1")))
        pool.terminate()
    assert proxy.lost == 1


async def test_an_address_that_is_taken_stops_one_payment_and_not_its_batch(world: World) -> None:
    maker = world.creator_on(world.pool)
    taken = new(await maker.create(an_order()))
    async with world.pool.acquire() as conn:
        await conn.execute("UPDATE wallets SET next_index = $1", taken.derivation_index)
    orders = [an_order() for _ in range(100)]
    made = await asyncio.gather(*map(maker.create, orders), return_exceptions=True)
    assert [type(one) for one in made if not isinstance(one, Made)] == [InvariantError]
    assert await count(world) == [100, 100]


def test_a_payment_that_is_not_written_is_never_said_to_be() -> None:
    birth, other = Birth(a_payment()), PaymentId(uuid4())
    assert isinstance(judge(birth, birth.payment.id, None), Made)
    assert isinstance(judge(birth, other, None), InvariantError)
