"""What the fake chain does beyond what a real one can be asked for."""

from datetime import timedelta

import pytest

from ctrip.chain.client import ChainOutage
from ctrip.core.ids import BlockNumber, RawAddress
from tests.support.fake_blocks import Move
from tests.support.fake_chain import GENESIS, FakeChain

SHOP = RawAddress("0x" + "5a" * 20)
CAFE = RawAddress("0x" + "ca" * 20)
TOKEN = RawAddress("0x" + "70" * 20)


def a_story() -> FakeChain:
    chain = FakeChain()
    paid = chain.pay(SHOP, 5)
    chain.mine(3)
    chain.pay_token(TOKEN, SHOP, 7)
    chain.mine()
    chain.reorg(2, keep=[paid])
    chain.mine()
    return chain


def test_the_same_story_has_the_same_hashes() -> None:
    assert a_story().tip == a_story().tip


async def test_a_dropped_transaction_can_be_sent_again() -> None:
    chain = FakeChain()
    paid = chain.pay(SHOP, 5)
    chain.mine()
    chain.reorg(1)
    assert chain.resend(paid) == paid
    header = chain.mine()
    [receipt] = await chain.receipts([paid])
    assert receipt.block_hash == header.hash


async def test_one_transaction_may_pay_several_times() -> None:
    chain = FakeChain()
    paid = chain.pay_tokens(Move(TOKEN, SHOP, 1), Move(TOKEN, CAFE, 2), Move(TOKEN, SHOP, 1))
    number = chain.mine().number
    [block] = await chain.blocks(number, number, tokens=[TOKEN])
    assert {log.tx_hash for log in block.logs} == {paid}
    assert [(log.log_index, log.recipient) for log in block.logs] == [
        (0, SHOP),
        (1, CAFE),
        (2, SHOP),
    ]


async def test_a_chain_that_is_down_answers_nothing_until_it_is_up() -> None:
    chain = FakeChain()
    chain.is_down = True
    for ask in (
        chain.chain_id(),
        chain.head(),
        chain.headers([]),
        chain.blocks(BlockNumber(0), BlockNumber(0), tokens=[]),
        chain.receipts([]),
    ):
        with pytest.raises(ChainOutage):
            await ask
    chain.is_down = False
    assert (await chain.head()).latest == chain.tip
    assert chain.asked["head"] == 2


async def test_something_may_happen_between_two_questions() -> None:
    chain = FakeChain()
    chain.mine(3)
    head = await chain.head()
    chain.before_next("headers", lambda: chain.reorg(1))
    [moved] = await chain.headers([head.latest.number])
    assert moved.hash != head.latest.hash
    assert await chain.headers([head.latest.number]) == [moved]  # once only


async def test_finality_stands_still_when_the_lag_grows() -> None:
    chain = FakeChain(finality_lag=2)
    chain.mine(5)
    assert (await chain.head()).finalized == 3
    chain.finality_lag = 4
    assert (await chain.head()).finalized == 1


def test_blocks_have_the_time_they_are_given() -> None:
    chain = FakeChain(block_seconds=12)
    assert chain.mine().time == GENESIS + timedelta(seconds=12)
    late = GENESIS + timedelta(hours=1)
    assert chain.mine(at=late).time == late
    assert chain.mine().time == late + timedelta(seconds=12)
    before = chain.tip
    assert chain.reorg(2).time == before.time
