"""What every ChainClient tells of a transaction, asked of the fake and of a real node."""

from ctrip.core.ids import NATIVE, Amount, Asset, TxHash
from ctrip.core.transaction import Moved, Transaction
from tests.chain.worlds import CAFE, NOBODY, SHOP, World


async def known(world: World, tx_hash: TxHash) -> Transaction:
    found = await world.client.transaction(tx_hash)
    assert found is not None
    return found


async def test_what_nobody_sent_is_unknown(world: World) -> None:
    assert await world.client.transaction(TxHash("0x" + "77" * 32)) is None


async def test_what_waits_in_the_pool_is_in_no_block_and_moved_nothing(world: World) -> None:
    found = await known(world, await world.pay(SHOP, 5))
    assert (found.block, found.succeeded, found.moved) == (None, False, ())
    assert found.offered == (
        Moved(asset=NATIVE, sender=world.payer, recipient=SHOP, amount=Amount(5)),
    )
    assert not found.is_replaced
    assert not found.is_held_up


async def test_coin_that_was_mined_went_to_whom_it_was_offered(world: World) -> None:
    paid = await world.pay(SHOP, 5)
    await world.mine()
    tip = (await world.client.head()).latest
    await world.mine()
    found = await known(world, paid)
    assert (found.tx_hash, found.sender, found.recipient) == (paid, world.payer, SHOP)
    assert (found.block, found.succeeded, found.calls) == (tip, True, False)
    assert found.moved == found.offered
    assert found.sender_nonce is None, "only asked for what is in no block"


async def test_tokens_of_whatever_contract_are_told(world: World) -> None:
    listed, other = await world.pay_token(SHOP, 7), await world.pay_other_token(CAFE, 8)
    await world.mine()
    [first], [second] = (await known(world, listed)).moved, (await known(world, other)).moved
    assert first == Moved(asset=Asset(world.token), sender=NOBODY, recipient=SHOP, amount=Amount(7))
    assert (second.asset, second.recipient, second.amount) == (Asset(world.other_token), CAFE, 8)


async def test_what_failed_moved_nothing(world: World) -> None:
    for paid in (await world.pay_and_fail(SHOP, 5), await world.pay_token_and_fail(SHOP, 7)):
        await world.mine()
        found = await known(world, paid)
        assert found.block is not None
        assert (found.succeeded, found.moved) == (False, ())


async def test_what_a_reorg_dropped_is_unknown_until_it_is_mined_again(world: World) -> None:
    kept, gone = await world.pay(SHOP, 5), await world.pay(CAFE, 6)
    await world.mine(2)
    before = (await known(world, kept)).block
    await world.reorg(2, keep=[kept])
    assert await world.client.transaction(gone) is None
    after = (await known(world, kept)).block
    assert after is not None
    assert after != before
