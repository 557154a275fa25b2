"""Every block's logs are read once more when it is final, from another endpoint."""

import asyncio

import pytest
from msgspec.structs import replace

from ctrip.chain.client import ChainOutage
from ctrip.core import scan
from ctrip.core.chains import NativeSource
from ctrip.core.ids import ChainName, RawAddress
from ctrip.core.payment import Status
from ctrip.flows.on_chain import EndpointsDisagree
from ctrip.flows.reread import (
    REREAD_BLOCKS_MIN,
    REREAD_SECONDS_MAX,
    Rereader,
)
from ctrip.store.pool import DatabaseOutage, Pool
from tests.flows.reading import WHOLE_WAY, finish
from tests.flows.torn_chains import Forked, Partial, Polygon
from tests.flows.world import ANVIL, USD, World, a_world, address
from tests.support.fake_blocks import Move
from tests.support.fake_chain import FakeChain
from tests.support.flaky import FlakyPool
from tests.support.log_lines import StandardError, logging_left_as_found

STATEMENTS_MAX = 60
OTHER = RawAddress("0x" + "0b" * 20)


def rereader(world: World, *, pool: Pool | None = None) -> Rereader:
    return Rereader(world.served, world.chain, pool or world.pool, world.clock, world.news)


async def reread_up_to(world: World) -> int:
    (row,) = await world.rows("SELECT reread FROM cursors")
    return int(row["reread"])


async def test_what_the_first_read_missed_is_credited_at_finality(world: World) -> None:
    payment = await world.create_usd(100)
    world.chain.hidden = {world.chain.pay_token(USD, address(payment), 100)}
    await world.mine(2)
    reader = rereader(world)
    await reader.run_once()
    assert await world.told(payment) == ["created"], "its block is not final"
    await world.mine(1)
    world.news.clear()
    assert not await reader.run_once()
    assert await world.told(payment) == WHOLE_WAY
    assert (await world.now(payment)).confirmations == 3
    assert reader.missed == 1
    assert world.news.is_set()
    await world.mine(5)
    await reader.run_once()
    assert (reader.missed, await world.credited()) == (1, {address(payment): 100})


async def test_what_both_have_seen_costs_one_question_and_writes_nothing(world: World) -> None:
    payment, token = await world.create(100), await world.create_usd(100)
    world.chain.pay(address(payment), 100)
    world.chain.pay_token(USD, address(token), 100)
    world.chain.pay_token(USD, OTHER, 9)
    await world.mine(40)
    before = await world.rows("SELECT * FROM events ORDER BY id")
    asked = world.chain.asked.copy()
    assert not await rereader(world).run_once()
    assert world.chain.asked - asked == {"span": 1}
    assert await reread_up_to(world) == 38
    assert await world.rows("SELECT * FROM events ORDER BY id") == before
    assert not await rereader(world).run_once()
    assert world.chain.asked - asked == {"span": 1}, "nothing more is final"


async def test_an_idle_chain_is_not_read_again(world: World) -> None:
    await world.mine(40)
    assert not await rereader(world).run_once()
    assert (world.chain.asked["span"], await reread_up_to(world)) == (0, 38)
    await world.create_usd(100)
    await world.mine(5)
    await rereader(world).run_once()
    assert (world.chain.asked["span"], await reread_up_to(world)) == (1, 43)


async def test_of_slow_blocks_many_are_read_again_at_once(world: World) -> None:
    await world.create_usd(100)
    reader = rereader(world)
    await world.mine(10)
    await reader.run_once()
    await world.mine(REREAD_BLOCKS_MIN - 1)
    await reader.run_once()
    assert world.chain.asked["span"] == 1
    await world.mine(1)
    await reader.run_once()
    assert (world.chain.asked["span"], await reread_up_to(world)) == (2, 8 + REREAD_BLOCKS_MIN)


async def test_few_blocks_do_not_wait_for_more_for_ever(world: World) -> None:
    payment = await world.create_usd(100)
    reader = rereader(world)
    await world.mine(10)
    await reader.run_once()
    world.chain.hidden = {world.chain.pay_token(USD, address(payment), 100)}
    await world.mine(3)
    await reader.run_once()
    assert await world.told(payment) == ["created"]
    world.clock.move(seconds=REREAD_SECONDS_MAX)
    await reader.run_once()
    assert await world.told(payment) == WHOLE_WAY


async def test_money_of_closed_payments_is_compared_too(pool: Pool) -> None:
    chain = Partial()
    world = await a_world(pool, chain)
    payment = await world.create_usd(100)
    tx = chain.pay_token(USD, address(payment), 100)
    await world.mine(1)
    world.clock.move(days=3)
    chain.mine(at=world.clock.now())
    await world.mine(3)
    await world.expire()
    assert not await world.rows("SELECT FROM payments WHERE NOT closed")
    chain.second_lacks = {tx}
    with pytest.raises(EndpointsDisagree):
        await rereader(world).run_once()


async def test_a_chain_that_was_never_read_is_left_alone(pool: Pool) -> None:
    world = World(
        pool, FakeChain(), (await a_world(pool)).clock, replace(ANVIL, name=ChainName("moon"))
    )
    assert not await rereader(world).run_once()


async def test_of_twins_in_one_transaction_the_one_that_was_missed_is_found(pool: Pool) -> None:
    chain = Partial()
    world = await a_world(pool, chain)
    payment = await world.create_usd(100)
    to = address(payment)
    tx = chain.pay_tokens(Move(USD, to, 60), Move(USD, OTHER, 1), Move(USD, to, 40))
    chain.first_lacks = {(tx, 2)}
    await world.mine(3)
    assert await world.credited() == {to: 60}
    await rereader(world).run_once()
    assert await world.credited() == {to: 100}
    assert await world.told(payment) == ["created", "underpaid", *WHOLE_WAY[1:]]
    ordinals = {t.amount: t.key.ordinal for t in (await world.now(payment)).transfers}
    assert ordinals == {60: 0, 40: 1}, "as if both had been seen at once"


async def test_what_the_second_does_not_show_stays_and_is_said_aloud(pool: Pool) -> None:
    chain = Partial()
    world = await a_world(pool, chain)
    payment, missed = await world.create_usd(100), await world.create_usd(7)
    gone = chain.pay_token(USD, address(payment), 100)
    chain.hidden = {chain.pay_token(USD, address(missed), 7)}
    chain.second_lacks = {gone}
    await world.mine(3)
    for _ in range(2):
        said = f"{gone} in block 1: .* endpoint 1 of 2 shows its money, .* endpoint 2 of 2 does not"
        with pytest.raises(EndpointsDisagree, match=said):
            await rereader(world).run_once()
        assert await reread_up_to(world) == 0
    assert (await world.now(payment)).status is Status.SETTLED
    assert await world.told(missed) == WHOLE_WAY, "it does not keep others from their money"
    chain.second_lacks = set()
    await rereader(world).run_once()
    assert await reread_up_to(world) == 1
    assert await world.told(payment) == WHOLE_WAY


async def test_a_second_that_most_contradict_is_named_in_the_log_and_holds_up_nothing(
    pool: Pool,
) -> None:
    chain = Partial()
    world = await a_world(pool, chain)
    payment = await world.create_usd(100)
    chain.second_lacks = {chain.pay_token(USD, address(payment), 100)}
    chain.has_third = True
    await world.mine(3)
    with logging_left_as_found():
        said = StandardError()
        said.configure()
        await rereader(world).run_once()
    assert [line["endpoint"] for line in said.lines] == ["fake, endpoint 2 of 3"]
    assert await reread_up_to(world) == 1
    assert await world.told(payment) == WHOLE_WAY


async def test_a_second_endpoint_on_another_fork_is_not_believed(pool: Pool) -> None:
    chain = Forked()
    world = await a_world(pool, chain)
    payment = await world.create_usd(100)
    chain.second = FakeChain()
    chain.second.pay_token(USD, address(payment), 100)
    chain.second.mine(20)
    await world.mine(10)
    with pytest.raises(EndpointsDisagree, match="different blocks 8"):
        await rereader(world).run_once()
    assert await world.told(payment) == ["created"]


async def test_a_token_that_left_the_list_is_no_disagreement(world: World) -> None:
    payment = await world.create_usd(100)
    world.chain.pay_token(USD, address(payment), 100)
    await world.mine(5)
    world.served = replace(world.served, tokens=())
    await rereader(world).run_once()
    assert await reread_up_to(world) == 3


async def test_a_gap_is_read_once_before_it_is_read_again(world: World) -> None:
    payment = await world.create_usd(100)
    await world.mine(5)
    world.chain.pay_token(USD, address(payment), 100)
    world.chain.mine(400)
    await world.watch()
    reader = rereader(world)
    await reader.run_once()
    assert await reread_up_to(world) == 5
    assert await world.told(payment) == ["created"]
    await finish(world)
    await reader.run_once()
    assert (await reread_up_to(world), reader.missed) == (403, 0)


async def test_a_long_range_is_read_in_parts(world: World) -> None:
    await world.create_usd(100)
    await world.mine(3)
    world.chain.mine(scan.SPAN_BLOCKS_MAX + 500)
    await world.watch()
    await world.rows("DELETE FROM rescans")
    reader = rereader(world)
    assert await reader.run_once()
    assert not await reader.run_once()
    assert (world.chain.asked["span"], await reread_up_to(world)) == (2, 2501)


async def test_an_outage_notes_nothing(world: World) -> None:
    await world.create_usd(100)
    await world.mine(10)
    world.chain.is_down = True
    with pytest.raises(ChainOutage):
        await rereader(world).run_once()
    assert await reread_up_to(world) == 0


async def test_a_death_at_any_statement_credits_once(pool: Pool) -> None:
    world = await a_world(pool)
    payment = await world.create_usd(100)
    world.chain.hidden = {world.chain.pay_token(USD, address(payment), 100)}
    await world.mine(10)
    deaths = 0
    for n in range(1, STATEMENTS_MAX):
        dying = FlakyPool(pool, dies_at=n)
        try:
            await rereader(world, pool=dying.as_pool()).run_once()
        except DatabaseOutage:
            deaths += 1
            assert (await reread_up_to(world), await world.told(payment)) == (0, ["created"])
        else:
            break
    assert deaths >= 15
    assert (await reread_up_to(world), await world.told(payment)) == (8, WHOLE_WAY)


async def test_two_readers_at_once_credit_once(world: World) -> None:
    payment = await world.create_usd(100)
    world.chain.hidden = {world.chain.pay_token(USD, address(payment), 100)}
    await world.mine(10)
    world.chain.mine(2)
    readers = [rereader(world) for _ in range(3)]
    await asyncio.gather(world.watch(), *(reader.run_once() for reader in readers))
    assert await world.told(payment) == WHOLE_WAY
    assert sum(reader.missed for reader in readers) == 1


async def test_native_coin_that_moves_in_logs_is_compared_as_tokens_are(pool: Pool) -> None:
    chain = Polygon()
    world = await a_world(pool, chain, native=NativeSource.POLYGON)
    seen, missed = await world.create(100), await world.create(7)
    chain.forward((address(seen), 100))
    chain.hidden = {chain.forward((OTHER, 1), (address(missed), 7))}
    await world.mine(5)
    assert await world.told(missed) == ["created"]
    await rereader(world).run_once()
    assert await world.told(seen) == await world.told(missed) == WHOLE_WAY
    assert await reread_up_to(world) == 3
