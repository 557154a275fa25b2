"""What every ChainClient does with ranges and balances, asked of the fake and of a real node."""

import pytest

from ctrip.chain.client import InconsistentChain
from ctrip.core.blocks import Holding, Span
from ctrip.core.errors import OutageError
from ctrip.core.ids import NATIVE, Asset, BlockNumber
from ctrip.core.price import NoRound, Round
from tests.chain.worlds import CAFE, SHOP, World, tip


async def span_of(world: World, above: int, last: int, *, again: bool = False) -> Span:
    tokens = [world.token]
    return await world.client.span(
        BlockNumber(above), BlockNumber(last), tokens=tokens, again=again
    )


@pytest.mark.parametrize("again", [False, True])
async def test_a_span_has_the_logs_of_its_blocks_without_the_anchor(
    world: World, *, again: bool
) -> None:
    for amount in (1, 2, 3):
        await world.pay_token(SHOP, amount)
        await world.pay(SHOP, amount)
        await world.mine()
    top = await tip(world)
    span = await span_of(world, top - 2, top, again=again)
    headers = await world.client.headers([BlockNumber(n) for n in (top - 2, top)])
    assert [span.anchor, span.last] == headers
    blocks = await world.client.blocks(BlockNumber(top - 1), top, tokens=[world.token])
    assert span.logs == tuple(log for block in blocks for log in block.logs)
    assert [log.amount for log in span.logs] == [2, 3]
    assert span.moves == ()


async def test_a_span_of_no_blocks_is_its_anchor(world: World) -> None:
    await world.pay_token(SHOP, 1)
    await world.mine()
    top = await tip(world)
    span = await span_of(world, top, top)
    assert (span.anchor, span.logs) == (span.last, ())


async def test_a_span_above_the_head_is_asked_for_again_later(world: World) -> None:
    top = await tip(world)
    with pytest.raises(InconsistentChain):
        await span_of(world, top - 1, top + 1)


async def test_a_span_after_a_reorg_has_another_anchor(world: World) -> None:
    await world.mine(5)
    top = await tip(world)
    before = await span_of(world, top - 2, top)
    await world.reorg(3)
    after = await span_of(world, top - 2, top)
    assert after.anchor.number == before.anchor.number
    assert after.anchor.hash != before.anchor.hash


async def test_balances_are_those_after_the_block(world: World) -> None:
    await world.pay(SHOP, 5)
    await world.pay_token(CAFE, 7)
    await world.mine()
    then = (await world.client.head()).latest
    await world.pay(SHOP, 1)
    await world.mine()
    now = (await world.client.head()).latest
    coin, token = Holding(NATIVE, SHOP), Holding(Asset(world.token), CAFE)
    nothing = Holding(Asset(CAFE), SHOP)
    asked = [coin, token, nothing, coin]
    assert await world.client.holdings(then, asked) == [5, 7, 0, 5]
    assert await world.client.holdings(now, asked) == [6, 7, 0, 6]
    assert await world.client.holdings(now, []) == []


async def test_balances_after_a_block_that_is_gone_are_an_outage(world: World) -> None:
    await world.mine(3)
    gone = (await world.client.head()).latest
    await world.reorg(2)
    with pytest.raises(OutageError):
        await world.client.holdings(gone, [Holding(NATIVE, SHOP)])


async def test_what_transactions_send_is_not_among_the_moves(world: World) -> None:
    await world.pay(SHOP, 5)
    await world.mine()
    assert await world.client.moves((await world.client.head()).latest) == []


async def test_a_round_is_what_the_feed_says_beside_the_newest_block(world: World) -> None:
    for value, round_id in ((250_000_000_000, 2**66 + 7), (-5, 2**66 + 8), (0, 0)):
        await world.answer(value, round_id=round_id, updated_at=1_700_000_000 + value % 10)
        read = await world.client.round(world.feed)
        assert read == Round(
            answer=value,
            decimals=8,
            round_id=round_id,
            updated_at=1_700_000_000 + value % 10,
            answered_in=round_id,
            block_time=(await world.client.head()).latest.time,
        )


async def test_where_there_is_no_feed_there_is_no_round(world: World) -> None:
    assert await world.client.round(SHOP) == NoRound("does not answer as a feed does")


async def test_every_endpoint_has_a_label_and_no_url(world: World) -> None:
    top = await tip(world)
    [state] = world.client.endpoints()
    assert (state.ok, state.head) == (True, top)
    assert "http" not in repr(state)
