"""Nodes that leave out money without a word, or show it before or after its time.

A lagging node, an index that lost its logs, a receipt of another branch: what they have in
common is an answer that looks like one. The cursor waits, or a second read finds the rest.
"""

import pytest

from ctrip.core.payment import Payment
from ctrip.store.pool import Pool
from tests.support.anvil import Anvil
from tests.support.rpc_exchange import LOGS
from tests.support.rpc_proxy import proxy
from tests.wild.world import USD, WHOLE_WAY, WildWorld, a_wild_world, address, proxied, scripted


async def pay_usd(world: WildWorld, amount: int = 100) -> Payment:
    """Make a payment in tokens, pay it, and let its block come."""
    payment = await world.create_usd(amount)
    await world.anvil.mint(USD, address(payment), amount)
    await world.mine()
    return payment


async def assert_held(world: WildWorld, read: int) -> None:
    """Nothing is read beyond a height, and somebody is told why."""
    for _ in range(2):
        await world.look()
        assert await world.cursor() == read
    assert await world.complaint()


async def test_a_lagging_node_behind_a_balancer_answers_with_no_logs(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """go-ethereum 24078, ethers 2274, boba_legacy 239: a range of logs is empty, and no error."""
    async with proxied(pool, anvil, block_seconds=block_seconds) as (endpoint, world):
        read = await world.cursor()
        payment = await pay_usd(world)
        await endpoint.plays("empty logs")
        await assert_held(world, read)
        await world.shows(payment, 0)
        endpoint.calms()
        await world.mine_and_look(4)
        await world.shows(payment, 100, *WHOLE_WAY)


@pytest.mark.parametrize("words", ["head of another backend", "head of another backend, said so"])
async def test_logs_are_asked_for_beyond_the_head_of_the_node_that_has_them(
    pool: Pool, anvil: Anvil, block_seconds: float, words: str
) -> None:
    """execution-apis 875: some nodes refuse what is beyond their head, bsc and bor say nothing."""
    async with proxied(pool, anvil, block_seconds=block_seconds) as (endpoint, world):
        read = await world.cursor()
        await endpoint.plays(words)
        payment = await pay_usd(world)
        await world.look()
        assert await world.cursor() == read
        await world.shows(payment, 0)
        await world.mine_and_look(4)
        endpoint.calms()
        await world.mine_and_look(2)
        await world.shows(payment, 100, *WHOLE_WAY)


async def test_a_node_has_no_logs_for_a_block_it_knows_by_hash(pool: Pool, anvil: Anvil) -> None:
    """lotus 13749: empty for one provider of fifteen. The second read at finality finds them."""
    async with proxied(pool, anvil, beside=True, blooms=False) as (first, world):
        await first.plays("empty logs")
        payment = await pay_usd(world)
        await world.look()
        await world.shows(payment, 0)
        assert await world.cursor() == await world.height(), "it was read, and nothing seen"
        await world.mine_and_look(4)
        assert world.rereader.missed == 1, "counted, and a line in the log"
        await world.shows(payment, 100, *WHOLE_WAY)


async def test_an_index_loses_its_logs_in_a_reorg(pool: Pool, anvil: Anvil) -> None:
    """go-ethereum 31593: the logs of re-mined blocks were missing from the new index."""
    async with proxied(pool, anvil, beside=True, blooms=False) as (first, world):
        payment = await world.create_usd(100)
        paid = await anvil.mint(USD, address(payment), 100)
        await world.mine_and_look()
        await world.shows(payment, 100, "detected")
        await anvil.reorg(1, again=[paid])
        await first.plays("empty logs")
        await world.look()
        await world.shows(payment, 0, "detected", "reorged", flags=["reorged"])
        await world.mine_and_look(5)
        await world.shows(payment, 100, "detected", "reorged", *WHOLE_WAY)
        assert world.rereader.missed == 1


async def test_a_transaction_is_read_again_with_other_log_indexes(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """ponder 2182 and 2309, erigon 22106: log indexes that were wrong, and moved."""
    async with proxied(pool, anvil, block_seconds=block_seconds) as (endpoint, world):
        first = await world.height()
        await endpoint.plays("log index shifted")
        payment = await pay_usd(world)
        await world.mine_and_look(4)
        for _ in range(3):
            await world.read_again(first, await world.height() - 2)
            await world.mine_and_look()
        now = await world.shows(payment, 100, *WHOLE_WAY)
        assert len(now.transfers) == 1


async def test_a_log_index_comes_twice_in_one_block(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """ponder 2309: two logs with the same index are not believed, whichever is right."""
    async with proxied(pool, anvil, block_seconds=block_seconds) as (endpoint, world):
        read = await world.cursor()
        payment = await pay_usd(world)
        await endpoint.plays("duplicate log")
        await assert_held(world, read)
        endpoint.calms()
        await world.mine_and_look(4)
        now = await world.shows(payment, 100, *WHOLE_WAY)
        assert len(now.transfers) == 1


async def test_a_pruned_node_cannot_show_again_what_a_reorg_dropped(
    pool: Pool, slow_anvil: Anvil
) -> None:
    """Ghoststake 58: who deletes first and reads again later has lost the payments."""
    async with proxied(pool, slow_anvil) as (endpoint, world):
        payment = await world.create_usd(100)
        paid = await slow_anvil.mint(USD, address(payment), 100)
        await world.mine_and_look(12)
        before = await world.rows("SELECT * FROM transfers")
        await slow_anvil.reorg(12, again=[paid])
        await endpoint.plays("pruned block")
        await world.look()
        assert endpoint.played
        assert await world.rows("SELECT * FROM transfers") == before, "not deleted, not changed"
        assert await world.complaint()
        endpoint.calms()
        await world.mine_and_look()
        now = await world.shows(payment, 100, *WHOLE_WAY[:3])
        [transfer] = now.transfers
        assert transfer.block_hash == (await world.block(transfer.block_number))["hash"]


@pytest.mark.parametrize("name", ["receipt naming another block", "null receipt"])
async def test_a_receipt_is_of_a_block_that_is_gone_or_is_null(
    pool: Pool, anvil: Anvil, block_seconds: float, name: str
) -> None:
    """erigon 15334, nethermind 3052, parity 7689: not believed, and not skipped for ever."""
    async with proxied(pool, anvil, block_seconds=block_seconds) as (endpoint, world):
        read = await world.cursor()
        payment = await world.create(100)
        await anvil.send(address(payment), 100)
        await world.mine()
        await endpoint.plays(name)
        await assert_held(world, read)
        await world.shows(payment, 0)
        endpoint.calms()
        await world.mine_and_look(4)
        await world.shows(payment, 100, *WHOLE_WAY)


async def test_a_receipt_comes_before_its_block(pool: Pool, anvil: Anvil) -> None:
    """Flashblocks: receipts of what is still being built are no confirmation."""
    async with proxy(anvil.url) as endpoint, a_wild_world(pool, anvil, [endpoint.url]) as world:
        payment = await world.create(100)
        await anvil.send(address(payment), 100)
        await endpoint.plays("preconfirmed block")
        for _ in range(3):
            await world.look()
        await world.shows(payment, 0)
        endpoint.calms()
        await world.look()
        await world.shows(payment, 0)
        await world.mine_and_look()
        await world.shows(payment, 100, "detected")


@pytest.mark.parametrize(
    "name", ["getLogs not found", "null receipt", "receipt without status", "null logs"]
)
@pytest.mark.parametrize("requests", [1, 1_000])
async def test_receipts_or_logs_of_a_block_fail_once_or_for_good(
    pool: Pool, anvil: Anvil, name: str, requests: int
) -> None:
    """Bitcart's watch went on without them: tokens were lost, and failed coin was taken."""
    async with proxy(anvil.url) as endpoint, a_wild_world(pool, anvil, [endpoint.url]) as world:
        coin, usd, failed = await world.create(5), await world.create_usd(6), await world.create(7)
        await anvil.send_failing(address(failed), 7)
        await anvil.send(address(coin), 5)
        await anvil.mint(USD, address(usd), 6)
        await world.mine()
        read = await world.cursor()
        await endpoint.plays(name, requests=requests)
        await world.look()
        if requests > 1:
            await assert_held(world, read)
            await world.shows(coin, 0)
        endpoint.calms()
        await world.mine_and_look(4)
        await world.shows(coin, 5, *WHOLE_WAY)
        await world.shows(usd, 6, *WHOLE_WAY)
        await world.shows(failed, 0)


async def test_a_log_says_that_it_was_removed(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """A node that still holds the dropped block: its log takes nothing back, the chain does."""
    async with proxied(pool, anvil, block_seconds=block_seconds) as (endpoint, world):
        gone, stays = await world.create_usd(100), await world.create_usd(50)
        again = await anvil.mint(USD, address(stays), 50)
        await anvil.mint(USD, address(gone), 100)
        await world.mine_and_look()
        await anvil.reorg(1, again=[again])
        await endpoint.plays("removed log")
        await world.look()
        await world.shows(gone, 100, "detected")
        assert await world.complaint()
        endpoint.calms()
        await world.mine_and_look()
        await world.shows(gone, 0, "detected", "reorged", flags=["reorged"])
        await world.mine_and_look(3)
        await world.shows(stays, 50, *WHOLE_WAY)


async def test_a_reorg_comes_between_a_block_and_its_logs(
    pool: Pool, slow_anvil: Anvil, block_seconds: float
) -> None:
    """Block of one branch, logs of another: seen by the hash, and asked again."""
    async with scripted(pool, slow_anvil, block_seconds=block_seconds) as (endpoint, world):
        dropped, moved = await world.create_usd(100), await world.create_usd(50)
        again = await slow_anvil.mint(USD, address(moved), 50)
        await slow_anvil.mint(USD, address(dropped), 100)
        await world.mine(2)
        endpoint.before[LOGS] = lambda: slow_anvil.reorg(2, again=[again])
        await world.look()
        assert not endpoint.before, "the reorg came"
        await world.mine_and_look(3)
        await world.shows(dropped, 0)
        now = await world.shows(moved, 50, *WHOLE_WAY[:3])
        [transfer] = now.transfers
        assert transfer.block_hash == (await world.block(transfer.block_number))["hash"]


async def test_the_logs_of_a_block_come_by_halves(pool: Pool, anvil: Anvil) -> None:
    """One log of a block is missing: no filter can tell, and the second read at finality does."""
    async with proxied(pool, anvil, beside=True) as (first, world):
        shown, hidden = await world.create_usd(10), await world.create_usd(20)
        await anvil.mint(USD, address(shown), 10)
        await anvil.mint(USD, address(hidden), 20)
        await first.plays("logs dropped partly")
        await world.mine_and_look()
        await world.shows(shown, 10, "detected")
        await world.shows(hidden, 0)
        await world.mine_and_look(4)
        await world.shows(shown, 10, *WHOLE_WAY)
        await world.shows(hidden, 20, *WHOLE_WAY)
