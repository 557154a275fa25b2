"""Money that nobody asked for: recorded, flagged, announced, shown; never lost from sight."""

from datetime import timedelta
from typing import Any

from msgspec import json
from msgspec.structs import replace

from ctrip.core.ids import Asset, ChainName
from ctrip.core.payment import Flag, Payment, Status
from ctrip.core.view import payment_body
from ctrip.store.pool import Pool
from tests.flows.probing import audit, read_all_again
from tests.flows.world import ANVIL, USD, World, a_world, address
from tests.support.builders import TOKEN
from tests.support.fake_chain import FakeChain

OTHER = ChainName("other")
OTHER_ID = 4242
OTHER_TOKEN = replace(TOKEN, chain=OTHER, chain_id=OTHER_ID)


async def two_chains(pool: Pool) -> tuple[World, World]:
    """Return one gateway's two chains: the same wallet and database, a watcher for each."""
    here = await a_world(pool, FakeChain(finality_lag=2))
    chain = FakeChain(chain_id=OTHER_ID, finality_lag=2)
    there = await a_world(pool, chain, name=OTHER, chain_id=OTHER_ID, tokens=(OTHER_TOKEN,))
    return here, there


async def shown(world: World, payment: Payment) -> list[tuple[str, str, str, int, bool]]:
    """Return what GET shows: chain, asset, source, amount, counted."""
    body: dict[str, Any] = json.decode(payment_body(await world.now(payment)))
    return sorted(
        (t["chain"], t["asset"], t["source"], t["amount"], t["counted"]) for t in body["transfers"]
    )


async def let_pass(world: World, **after_deadline: float) -> None:
    """Let our clock and the chain's come past a deadline."""
    world.clock.move(**after_deadline)
    world.chain.mine(at=world.clock.now())
    await world.watch()
    await world.expire()


async def test_a_listed_token_other_than_the_one_asked_for(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay_token(USD, address(payment), 100)
    await world.mine(3)
    assert await world.told(payment) == ["created", "unexpected_transfer"]
    assert await shown(world, payment) == [(ANVIL.name, USD, "log", 100, False)]


async def test_native_coin_for_a_token_payment(world: World) -> None:
    payment = await world.create_usd(100)
    world.chain.pay(address(payment), 100)
    await world.mine(3)
    assert await world.told(payment) == ["created", "unexpected_transfer"]
    assert await shown(world, payment) == [(ANVIL.name, "native", "transaction", 100, False)]


async def test_native_coin_for_a_token_payment_through_a_contract(world: World) -> None:
    payment = await world.create_usd(100)
    world.chain.forward((address(payment), 100))
    await world.mine(3)
    await audit(world)
    assert await world.told(payment) == ["created", "unexpected_transfer"]
    assert await shown(world, payment) == [(ANVIL.name, "native", "balance", 100, False)]


async def test_a_payment_on_another_chain_that_is_being_read(pool: Pool) -> None:
    here, there = await two_chains(pool)
    payment = await here.create(100)
    await there.create(5)
    there.chain.pay(address(payment), 100)
    there.chain.pay_token(USD, address(payment), 7)
    await there.mine(4)
    assert await shown(here, payment) == [
        (OTHER, USD, "log", 7, False),
        (OTHER, "native", "transaction", 100, False),
    ]
    now = await here.now(payment)
    assert (now.status, now.flags, now.amount_received) == (
        Status.PENDING,
        frozenset({Flag.WRONG_TOKEN}),
        0,
    )
    assert await here.told(payment) == ["created", "unexpected_transfer", "unexpected_transfer"]


async def test_a_payment_on_another_chain_that_rests(pool: Pool) -> None:
    """Nothing is open there, so its blocks are not read; the audit reads its balances."""
    here, there = await two_chains(pool)
    payment = await here.create(100)
    there.chain.pay(address(payment), 100)
    there.chain.pay_token(USD, address(payment), 7)
    await there.mine(4)
    assert await here.told(payment) == ["created"]
    await audit(there)
    assert await shown(here, payment) == [
        (OTHER, USD, "balance", 7, False),
        (OTHER, "native", "balance", 100, False),
    ]
    assert (await here.now(payment)).flags == {Flag.WRONG_TOKEN}
    await audit(there)
    await audit(here)
    assert len((await here.now(payment)).transfers) == 2


async def test_money_on_another_chain_does_not_complete_what_came_on_the_right_one(
    pool: Pool,
) -> None:
    here, there = await two_chains(pool)
    payment = await here.create(100)
    await there.create(5)
    here.chain.pay(address(payment), 60)
    there.chain.pay(address(payment), 40)
    await here.mine(4)
    await there.mine(4)
    assert (await here.now(payment)).status is Status.PENDING
    here.chain.pay(address(payment), 40)
    await here.mine(4)
    now = await here.now(payment)
    assert (now.status, now.amount_received) == (Status.SETTLED, 100)


async def test_a_reorg_on_another_chain_takes_back_what_was_found_there(pool: Pool) -> None:
    here, there = await two_chains(pool)
    payment = await here.create(100)
    await there.create(5)
    here.chain.pay(address(payment), 100)
    await here.mine(4)
    there.chain.pay(address(payment), 40)
    await there.mine()
    there.chain.reorg(1)
    await there.mine()
    now = await here.now(payment)
    assert (now.status, now.amount_received) == (Status.SETTLED, 100)
    assert now.flags == {Flag.REORGED}
    assert [t.key.chain for t in now.live()] == [ANVIL.name]


async def test_money_after_the_deadline(world: World) -> None:
    payment = await world.create(100)
    await let_pass(world, minutes=31)
    world.chain.pay(address(payment), 100)
    await world.mine(3)
    assert await world.told(payment) == ["created", "expired", "late"]
    assert await shown(world, payment) == [(ANVIL.name, "native", "transaction", 100, False)]


async def test_money_for_a_payment_that_is_long_closed_on_a_chain_that_rests(world: World) -> None:
    native, token = await world.create(100), await world.create_usd(100)
    await let_pass(world, hours=48)
    await world.expire()
    assert (await world.now(native)).status is Status.FAILED
    world.clock.move(days=300)
    world.chain.pay(address(native), 100)
    world.chain.pay_token(USD, address(token), 70)
    await world.mine(3)
    assert await world.told(native) == ["created", "expired", "failed"], "no block was read"
    await audit(world)
    for payment, asset, amount in [(native, Asset("native"), 100), (token, TOKEN.asset, 70)]:
        now = await world.now(payment)
        assert (now.status, now.amount_received) == (Status.FAILED, amount)
        assert Flag.LATE in now.flags
        news = (await world.told(payment))[3:]
        assert {"late", "unexpected_transfer"} & set(news), news
        assert await shown(world, payment) == [(ANVIL.name, asset, "balance", amount, False)]


async def test_money_that_the_audit_found_is_named_when_its_blocks_are_read(world: World) -> None:
    """By the audit, while the chain rests; and by its log, when an operator reads again."""
    payment = await world.create_usd(100)
    await let_pass(world, hours=48)
    await world.expire()
    tx_hash = world.chain.pay_token(USD, address(payment), 100)
    await world.mine(3)
    await audit(world)
    await read_all_again(world)
    now = await world.now(payment)
    assert now.amount_received == 100
    assert [t.key.tx_hash for t in now.live()] == [tx_hash]
    await audit(world)
    assert (await world.now(payment)).transfers == now.transfers


async def test_much_more_than_asked_is_said(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    await world.mine(4)
    world.clock.move(minutes=1)
    world.chain.forward((address(payment), 50))
    await world.mine(4)
    await audit(world)
    now = await world.now(payment)
    assert (now.status, now.flags, now.amount_received) == (
        Status.SETTLED,
        frozenset({Flag.OVERPAID}),
        150,
    )
    assert (await world.told(payment))[-1] == "overpaid"
    assert now.expires_at - now.created_at == timedelta(minutes=30)
