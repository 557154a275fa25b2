"""What every ChainClient does, asked of the fake chain and of RpcChain on a real node."""

from collections.abc import Collection
from datetime import timedelta
from itertools import pairwise

import pytest

from ctrip.chain.client import InconsistentChain
from ctrip.core.blocks import Block, NativeCall, Receipt, TokenLog
from ctrip.core.ids import AMOUNT_MAX, BlockNumber, RawAddress, TxHash
from tests.chain.worlds import CAFE, NOBODY, SHOP, World, tip


async def newest(world: World, *tokens: RawAddress) -> Block:
    number = await tip(world)
    [block] = await world.client.blocks(number, number, tokens=tokens)
    return block


async def receipt(world: World, tx_hash: TxHash) -> Receipt:
    [receipt] = await world.client.receipts([tx_hash])
    return receipt


async def test_the_chain_names_itself(world: World) -> None:
    assert await world.client.chain_id() == 31337


async def test_the_head_is_the_newest_block_one_below_it_is_safe_and_two_below_it_final(
    world: World,
) -> None:
    await world.mine(3)
    before = await world.client.head()
    await world.mine()
    head = await world.client.head()
    assert head.latest.number == before.latest.number + 1
    assert head.latest.parent_hash == before.latest.hash
    assert head.safe == head.latest.number - 1
    assert head.finalized == head.latest.number - 2


async def test_time_goes_on_and_is_utc(world: World) -> None:
    await world.mine(2)
    headers = await world.client.headers([BlockNumber(n) for n in range(await tip(world) + 1)])
    assert all(above.time >= below.time for below, above in pairwise(headers))
    assert headers[-1].time.utcoffset() == timedelta(0)


async def test_headers_come_in_the_order_asked_without_those_above_the_head(world: World) -> None:
    await world.mine(3)
    top = await tip(world)
    asked = [BlockNumber(n) for n in (1, top, top + 1, top + 100)]
    headers = await world.client.headers(asked)
    assert [header.number for header in headers] == [1, top]
    assert headers[-1] == (await world.client.head()).latest
    assert await world.client.headers([]) == []


async def test_blocks_hang_together_and_have_the_headers_shown_elsewhere(world: World) -> None:
    await world.mine(12)
    top = await tip(world)
    blocks = await world.client.blocks(BlockNumber(0), top, tokens=[world.token])
    assert [block.header.number for block in blocks] == list(range(top + 1))
    assert all(a.header.parent_hash == b.header.hash for b, a in pairwise(blocks))
    assert [block.header for block in blocks] == await world.client.headers(
        [BlockNumber(n) for n in range(top + 1)]
    )


async def test_no_blocks_are_no_answer_and_no_fault(world: World) -> None:
    assert await world.client.blocks(BlockNumber(1), BlockNumber(0), tokens=[]) == []
    assert await world.client.receipts([]) == []


async def test_a_native_payment_is_a_call_with_a_good_receipt(world: World) -> None:
    tx_hash = await world.pay(SHOP, 5)
    await world.mine()
    block = await newest(world, world.token)
    assert block.calls == (
        NativeCall(tx_hash=tx_hash, sender=world.payer, recipient=SHOP, amount=5),  # type: ignore[arg-type]
    )
    assert block.logs == ()
    assert await receipt(world, tx_hash) == Receipt(
        tx_hash=tx_hash, block_hash=block.header.hash, succeeded=True
    )


async def test_a_failed_payment_is_a_call_with_a_bad_receipt(world: World) -> None:
    tx_hash = await world.pay_and_fail(SHOP, 5)
    block = await newest(world)
    assert [call.tx_hash for call in block.calls] == [tx_hash]
    assert not (await receipt(world, tx_hash)).succeeded


async def test_a_token_payment_is_a_log_and_no_call(world: World) -> None:
    tx_hash = await world.pay_token(SHOP, 7)
    await world.mine()
    block = await newest(world, world.token)
    assert block.calls == ()
    assert block.logs == (
        TokenLog(
            contract=world.token,
            tx_hash=tx_hash,
            log_index=0,
            block_number=block.header.number,
            block_hash=block.header.hash,
            sender=NOBODY,
            recipient=SHOP,
            amount=7,  # type: ignore[arg-type]
        ),
    )


async def test_a_failed_token_payment_leaves_no_log(world: World) -> None:
    tx_hash = await world.pay_token_and_fail(SHOP, 7)
    await world.mine()
    assert (await newest(world, world.token)).logs == ()
    assert not (await receipt(world, tx_hash)).succeeded


async def test_only_the_tokens_asked_for_are_shown(world: World) -> None:
    await world.pay_other_token(SHOP, 7)
    await world.mine()
    assert (await newest(world, world.token)).logs == ()
    assert (await newest(world)).logs == ()
    assert [log.contract for log in (await newest(world, world.other_token)).logs] == [
        world.other_token
    ]


async def test_what_goes_to_others_than_ours_is_left_out(world: World) -> None:
    sent = {await world.pay(SHOP, 1), await world.pay_token(SHOP, 3)}
    await world.pay(CAFE, 2)
    await world.pay_token(CAFE, 4)
    await world.mine()
    asked: set[RawAddress] = set()

    async def ours(offered: Collection[RawAddress]) -> Collection[RawAddress]:
        asked.update(offered)
        return {SHOP}

    number, tokens = await tip(world), [world.token]
    [block] = await world.client.blocks(number, number, tokens=tokens, ours=ours)
    assert asked >= {SHOP, CAFE}
    assert [(call.recipient, call.amount) for call in block.calls] == [(SHOP, 1)]
    assert [(log.recipient, log.amount) for log in block.logs] == [(SHOP, 3)]
    assert {c.tx_hash for c in block.calls} | {log.tx_hash for log in block.logs} == sent


async def test_one_block_may_pay_many_in_many_coins(world: World) -> None:
    sent = {
        await world.pay(SHOP, 1),
        await world.pay(CAFE, 2),
        await world.pay_token(SHOP, 3),
        await world.pay_other_token(CAFE, 4),
        await world.pay_token(CAFE, 5),
    }
    await world.mine()
    block = await newest(world, world.token, world.other_token)
    assert {(call.recipient, call.amount) for call in block.calls} == {(SHOP, 1), (CAFE, 2)}
    assert {(log.contract, log.recipient, log.amount) for log in block.logs} == {
        (world.token, SHOP, 3),
        (world.other_token, CAFE, 4),
        (world.token, CAFE, 5),
    }
    assert {c.tx_hash for c in block.calls} | {log.tx_hash for log in block.logs} == sent
    assert [log.log_index for log in block.logs] == [0, 1, 2]


async def test_transfers_of_nothing_are_left_out(world: World) -> None:
    await world.pay(SHOP, 0)
    await world.pay_token(SHOP, 0)
    await world.mine()
    block = await newest(world, world.token)
    assert block.calls == ()
    assert block.logs == ()


@pytest.mark.parametrize("amount", [1, 2**255], ids=["1", "2^255"])
async def test_the_smallest_and_a_huge_native_amount_are_exact(world: World, amount: int) -> None:
    await world.pay(SHOP, amount)
    await world.mine()
    assert [call.amount for call in (await newest(world)).calls] == [amount]


@pytest.mark.parametrize("amount", [1, 2**255, AMOUNT_MAX], ids=["1", "2^255", "2^256-1"])
async def test_the_smallest_and_the_largest_token_amounts_are_exact(
    world: World, amount: int
) -> None:
    await world.pay_token(SHOP, amount)
    await world.mine()
    assert [log.amount for log in (await newest(world, world.token)).logs] == [amount]


async def test_receipts_come_in_the_order_asked(world: World) -> None:
    hashes = [await world.pay(SHOP, amount) for amount in (1, 2, 3)]
    await world.mine()
    asked = [hashes[2], hashes[0], hashes[1]]
    assert [receipt.tx_hash for receipt in await world.client.receipts(asked)] == asked


async def test_a_transaction_that_is_not_mined_has_no_receipt(world: World) -> None:
    mined = await world.pay(SHOP, 1)
    await world.mine()
    waiting = await world.pay(SHOP, 2)
    with pytest.raises(InconsistentChain):
        await world.client.receipts([mined, waiting])


async def test_blocks_above_the_head_are_asked_for_again_later(world: World) -> None:
    top = await tip(world)
    with pytest.raises(InconsistentChain):
        await world.client.blocks(top, BlockNumber(top + 1), tokens=[world.token])


async def test_a_reorg_has_the_same_height_and_other_blocks(world: World) -> None:
    await world.mine(5)
    before = await world.client.headers([BlockNumber(n) for n in range(await tip(world) + 1)])
    await world.reorg(3)
    after = await world.client.headers([header.number for header in before])
    assert len(after) == len(before)
    assert [a == b for a, b in zip(after[-4:], before[-4:], strict=True)] == [True, *[False] * 3]
    assert len({header.hash for header in before[-3:] + after[-3:]}) == 6


async def test_a_dropped_transaction_is_gone(world: World) -> None:
    tx_hash = await world.pay(SHOP, 5)
    await world.mine(2)
    await world.reorg(2)
    await world.mine()
    with pytest.raises(InconsistentChain):
        await world.client.receipts([tx_hash])
    blocks = await world.client.blocks(BlockNumber(0), await tip(world), tokens=[])
    assert tx_hash not in {call.tx_hash for block in blocks for call in block.calls}


async def test_a_transaction_mined_again_keeps_its_hash_and_not_its_place(world: World) -> None:
    await world.pay_token(CAFE, 1)
    await world.mine()
    tx_hash = await world.pay_token(SHOP, 2)
    await world.mine()
    [before] = (await newest(world, world.token)).logs
    await world.pay(CAFE, 1)
    await world.mine()
    await world.reorg(2, keep=[tx_hash])
    number = BlockNumber(await tip(world) - 1)
    [block] = await world.client.blocks(number, number, tokens=[world.token])
    [after] = block.logs
    assert (after.tx_hash, after.amount) == (before.tx_hash, before.amount)
    assert after.block_hash == block.header.hash != before.block_hash
    assert (await receipt(world, tx_hash)).block_hash == block.header.hash


async def test_asking_twice_is_harmless(world: World) -> None:
    await world.pay(SHOP, 5)
    await world.pay_token(SHOP, 5)
    await world.mine()
    assert await world.client.head() == await world.client.head()
    assert await newest(world, world.token) == await newest(world, world.token)
