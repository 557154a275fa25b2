"""Why isn't this paid, when a chain is away, or a receiver is: that is told, and fails nothing."""

import asyncio
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from ctrip.clock import SystemClock
from ctrip.core.case import About
from ctrip.core.explain import Explanation
from ctrip.core.ids import ChainName, TxHash
from ctrip.core.payment import Payment
from ctrip.core.transaction import Transaction
from ctrip.flows.deliver import Sender
from ctrip.flows.explain import LOOKS_AT_ONCE_MAX, Explainer, glance
from ctrip.flows.health import Health
from tests.flows.delivering import send
from tests.flows.world import World, address
from tests.support.fake_chain import FakeChain
from tests.support.receiver import Receiver

MOON: Final = ChainName("moon")


class Silent(FakeChain):
    """One whose endpoints take the question and do not answer until they may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()
        self.is_full = asyncio.Event()  # as many wait as may
        self.waiting = 0
        self.waiting_most = 0

    async def transaction(self, tx_hash: TxHash) -> Transaction | None:
        self.waiting += 1
        self.waiting_most = max(self.waiting, self.waiting_most)
        if self.waiting >= LOOKS_AT_ONCE_MAX:
            self.is_full.set()
        await self.may_answer.wait()
        self.waiting -= 1
        return await super().transaction(tx_hash)


class Busy(FakeChain):
    """One whose blocks are read while it is asked for a transaction."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    async def transaction(self, tx_hash: TxHash) -> Transaction | None:
        await self._world.watch()
        return await super().transaction(tx_hash)


def explainer(world: World, moon: FakeChain, *, timeout_seconds: float = 0.02) -> Explainer:
    return Explainer(
        [world.served, replace(world.served, name=MOON)],
        {world.served.name: world.chain, MOON: moon},
        world.pool,
        world.clock,
        world.health,
        timeout_seconds=timeout_seconds,
    )


async def why(world: World, payment: Payment, moon: FakeChain | None = None) -> Explanation:
    about = About(payment_id=payment.id)
    told = await explainer(world, moon or FakeChain()).explain(about, owner=None)
    assert told is not None
    return told


def facts(told: Explanation, code: str) -> list[str]:
    return [fact.text for fact in told.facts if fact.code == code]


async def test_a_chain_that_never_answers_is_a_fact(world: World) -> None:
    payment = await world.create()
    paid = world.chain.pay(address(payment), 100)
    await world.mine(1)
    told = await explainer(world, Silent()).explain(About(tx_hash=paid), owner=None)
    assert told is not None
    assert (told.code, told.payment_id) == ("waiting_for_confirmations", payment.id)
    assert facts(told, "transaction_unasked") == [
        "moon could not be asked for the transaction: no answer within 0.02 seconds."
    ]


async def test_a_transaction_may_be_on_a_chain_that_is_down(world: World) -> None:
    payment, moon = await world.create(), FakeChain()
    moon.is_down = True
    about = About(payment_id=payment.id)
    unknown = TxHash("0x" + "77" * 32)
    told = await explainer(world, moon).explain(about, owner=None, tx_hash=unknown)
    assert told is not None
    assert told.code == "chain_unreachable"
    assert "could not be looked up on moon" in told.answer
    assert f"It is unknown on {world.served.name}" in told.answer


async def test_few_look_at_once(world: World) -> None:
    moon = Silent()
    asked = explainer(world, moon, timeout_seconds=60)
    about = About(tx_hash=TxHash("0x" + "77" * 32))
    asking = asyncio.gather(*(asked.explain(about, owner=None) for _ in range(12)))
    await moon.is_full.wait()
    for _ in range(12):  # each question reads the store before it looks
        await world.rows("SELECT")
    moon.may_answer.set()
    assert {told.code for told in await asking if told} == {"not_found"}
    assert moon.waiting_most == LOOKS_AT_ONCE_MAX


async def test_a_chain_that_cannot_be_read_is_why_nothing_is_seen(world: World) -> None:
    payment, name = await world.create(), world.served.name
    world.health = Health(world.clock, [world.served], {name: world.chain.endpoints})
    world.health.fails(f"watch {name}", "anvil: the connection failed")
    told = await why(world, payment)
    assert told.code == "chain_unreachable"
    assert facts(told, "chain_trouble") == [
        "anvil cannot be read at the moment: anvil: the connection failed."
    ]
    world.chain.is_down = True
    assert facts(await why(world, payment), "endpoint_trouble") == [
        "fake: it is behind the others."
    ]


async def test_a_payment_of_a_chain_that_is_not_served_any_more(world: World) -> None:
    payment = await world.create()
    alone = Explainer([], {}, world.pool, world.clock, world.health)
    told = await alone.explain(About(payment_id=payment.id), owner=None)
    assert told is not None
    assert told.code == "chain_unreachable"
    assert facts(told, "chain_unserved")


async def test_a_payment_is_watched_since_the_newest_block_of_its_time(world: World) -> None:
    world.chain.mine(at=world.clock.now() - timedelta(seconds=1))
    await world.watch()
    number = world.chain.tip.number
    payment = await world.create()
    world.chain.mine(at=world.clock.now() + timedelta(seconds=1))
    await world.watch()
    [text] = facts(await why(world, payment), "watched")
    assert f"since block {number} of anvil" in text


async def test_what_receivers_were_told_is_told(
    world: World, sender: Sender, shop: Receiver
) -> None:
    payment = await world.create()
    await send(sender)
    world.chain.pay(address(payment), 40)
    await world.mine()
    shop.answers(500)
    await send(sender)
    told = await why(world, payment)
    assert told.code == "underpaid"
    assert facts(told, "announced") == ["Announced so far: payment.created, payment.underpaid."]
    assert facts(told, "deliveries") == ["Webhooks: 1 delivered, 1 waiting."]
    [failing] = facts(told, "delivery_failing")
    assert failing.startswith("payment.underpaid to we_config: 1 attempt, the last one: 500; ")


async def test_what_is_sent_again_is_told_once(
    world: World, sender: Sender, shop: Receiver
) -> None:
    payment = await world.create()
    await send(sender)
    again = (
        "INSERT INTO deliveries (event_id, endpoint_id, due_at, manual) "
        "SELECT id, 'we_config', now(), true FROM events"
    )
    await world.rows(again)
    assert facts(await why(world, payment), "deliveries") == ["Webhooks: 1 waiting."]
    world.clock.set(SystemClock().now())
    await send(sender)
    assert len(shop.received) == 2
    assert facts(await why(world, payment), "deliveries") == ["Webhooks: 1 delivered."]


async def test_a_command_looks_at_the_chains_itself(world: World) -> None:
    payment = await world.create()
    world.chain.mine(3)
    health = Health(world.clock, [world.served])
    clients = {world.served.name: world.chain}
    asked = Explainer([world.served], clients, world.pool, world.clock, health)
    about = About(payment_id=payment.id)
    await glance([world.served], clients, world.pool, health)
    told = await asked.explain(about, owner=None)
    assert told is not None
    top = world.chain.tip.number
    assert facts(told, "chain_read") == [
        f"anvil was read up to block {top - 3}; its newest block is {top}."
    ]
    world.chain.is_down = True
    await glance([world.served], clients, world.pool, health)
    told = await asked.explain(about, owner=None)
    assert told is not None
    assert told.code == "chain_unreachable"


async def test_money_that_is_recorded_during_the_question_is_on_record(world: World) -> None:
    payment = await world.create()
    paid = world.chain.pay(address(payment), 100)
    world.chain.mine()
    about = About(payment_id=payment.id)
    patient = explainer(world, Busy(world), timeout_seconds=5)
    told = await patient.explain(about, owner=None, tx_hash=paid)
    assert told is not None
    assert told.code == "waiting_for_confirmations"
    assert told.status == "detected"
