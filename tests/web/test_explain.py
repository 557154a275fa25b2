"""Why isn't this paid, over the API: what may be asked, by whom, and the shape of the answer."""

from typing import Any, Final
from uuid import UUID

import pytest
from msgspec import json
from starlette.requests import Request

from ctrip.core.ids import KeyId
from ctrip.core.payment import Payment
from ctrip.flows.explain import Explainer
from ctrip.store.pool import Pool
from ctrip.web.auth import Caller
from ctrip.web.explain import ExplainPages
from ctrip.web.problems import InvalidBody, NotFound
from tests.flows.world import World, a_world, address

MINE: Final = Caller(KeyId(UUID(int=7)), frozenset({"read"}))
OTHERS: Final = Caller(KeyId(UUID(int=8)), frozenset({"read"}))
ADMIN: Final = Caller(KeyId(UUID(int=9)), frozenset({"admin"}))
NOTHING: Final = "0x" + "77" * 32


@pytest.fixture
async def world(pool: Pool) -> World:
    return await a_world(pool)


@pytest.fixture
def pages(world: World) -> ExplainPages:
    clients = {world.served.name: world.chain}
    return ExplainPages(Explainer([world.served], clients, world.pool, world.clock, world.health))


def request(query: str = "", **path: object) -> Request:
    scope = {"type": "http", "query_string": query.encode(), "headers": [], "path_params": path}
    return Request(scope)


async def of_payment(
    pages: ExplainPages, payment: Payment, query: str = "", caller: Caller = MINE
) -> Any:
    asked = request(query, payment_id=str(payment.id))
    return json.decode((await pages.of_payment(asked, caller)).body)


async def of_anything(pages: ExplainPages, about: object, caller: Caller = MINE) -> Any:
    return json.decode((await pages.of_anything(request(f"about={about}"), caller)).body)


async def test_a_payment_is_explained(world: World, pages: ExplainPages) -> None:
    payment = await world.create(owner=MINE.key_id)
    told = await of_payment(pages, payment)
    assert told["code"] == "waiting_for_money"
    assert told["answer"].startswith(f"No money has reached {payment.address} yet")
    assert (told["payment_id"], told["status"], told["tx_hash"]) == (
        str(payment.id),
        "pending",
        None,
    )
    assert told["facts"][0] == {
        "at": payment.created_at.isoformat().replace("+00:00", "Z"),
        "code": "created",
        "text": (
            f"0.0000000000000001 ETH on anvil was asked for, to {payment.address}, until "
            f"{payment.expires_at:%Y-%m-%d %H:%M:%S} UTC."
        ),
    }


async def test_a_transaction_is_held_against_a_payment(world: World, pages: ExplainPages) -> None:
    payment = await world.create(owner=MINE.key_id)
    failed = world.chain.pay(address(payment), 100, fails=True)
    await world.mine()
    told = await of_payment(pages, payment, f"tx_hash={failed.upper().replace('X', 'x')}")
    assert (told["code"], told["tx_hash"]) == ("failed_transaction", failed)


async def test_whatever_is_at_hand_is_explained(world: World, pages: ExplainPages) -> None:
    payment = await world.create(owner=MINE.key_id)
    paid = world.chain.pay(address(payment), 100)
    await world.mine()
    for about in (payment.id, payment.address, address(payment), paid):
        told = await of_anything(pages, about)
        assert (told["code"], told["payment_id"]) == ("waiting_for_confirmations", str(payment.id))
    assert (await of_anything(pages, NOTHING))["code"] == "not_found"


async def test_anothers_payment_does_not_exist(world: World, pages: ExplainPages) -> None:
    payment = await world.create(owner=MINE.key_id)
    paid = world.chain.pay(address(payment), 100)
    await world.mine()
    for about in (payment.id, payment.address):
        with pytest.raises(NotFound):
            await of_anything(pages, about, OTHERS)
    with pytest.raises(NotFound):
        await of_payment(pages, payment, f"tx_hash={paid}", OTHERS)
    told = await of_anything(pages, paid, OTHERS)
    assert (told["code"], told["payment_id"]) == ("wrong_address", None)
    assert str(payment.id) not in json.encode(told).decode()
    assert (await of_anything(pages, paid, ADMIN))["payment_id"] == str(payment.id)


@pytest.mark.parametrize(
    "query", ["", "about=", "about=order-7", "about=0x12", "tx=1", "about=%00"]
)
async def test_what_has_no_shape_is_refused(pages: ExplainPages, query: str) -> None:
    with pytest.raises(InvalidBody) as refused:
        await pages.of_anything(request(query), MINE)
    assert refused.value.errors


@pytest.mark.parametrize("query", ["tx_hash=0x12", "tx_hash=", "about=1"])
async def test_a_transaction_that_is_none_is_refused(
    world: World, pages: ExplainPages, query: str
) -> None:
    payment = await world.create(owner=MINE.key_id)
    with pytest.raises(InvalidBody):
        await of_payment(pages, payment, query)


async def test_an_id_that_is_none_is_not_found(pages: ExplainPages) -> None:
    with pytest.raises(NotFound):
        await pages.of_payment(request(payment_id="nonsense"), MINE)


def test_what_is_asked_says_what_it_is(pages: ExplainPages) -> None:
    assert [(o.method, o.path, o.scope) for o in pages.operations()] == [
        ("GET", "/api/v1/payments/{payment_id}/explain", "read"),
        ("GET", "/api/v1/explain", "read"),
    ]
