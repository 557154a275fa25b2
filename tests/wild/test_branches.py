"""Reorgs on a real chain, seen through RpcChain: every way in which money was moved or taken.

Each test says what the chain does; what must follow is that money counts once where it
stands, that what was announced is taken back aloud, and that nobody rewrites what is final.
"""

from collections.abc import AsyncIterator
from typing import Final

import pytest

from ctrip.core.finality import Depth
from ctrip.core.ids import Amount
from ctrip.core.payment import Payment, Status
from ctrip.dev.token import mint_call
from ctrip.settings import Payments
from ctrip.store.pool import Pool
from tests.flows.world import a_world as a_fake_world
from tests.support.anvil import FUNDER, GAS, Anvil
from tests.support.fake_chain import FakeChain
from tests.wild.world import USD, WHOLE_WAY, WildWorld, a_wild_world, address, scripted

CONFIRMATIONS: Final = 6
FINALITY_DEPTH: Final = 20  # as the chain's own tag says
BYSTANDER: Final = "0x" + "b1" * 20


@pytest.fixture
async def world(pool: Pool, slow_anvil: Anvil, block_seconds: float) -> AsyncIterator[WildWorld]:
    """A chain that is final after twenty blocks, with six confirmations."""
    async with a_wild_world(
        pool,
        slow_anvil,
        confirmations=Depth(CONFIRMATIONS),
        finality_depth=FINALITY_DEPTH,
        block_seconds=block_seconds,
        internal=False,
    ) as world:
        yield world


async def stands_in_its_block(world: WildWorld, payment: Payment) -> None:
    """The one transfer on record names the block that the chain has."""
    [transfer] = (await world.now(payment)).live()
    block = await world.block(transfer.block_number)
    assert transfer.block_hash == block["hash"]
    assert transfer.key.tx_hash in block["transactions"]


@pytest.mark.parametrize("depth", range(1, CONFIRMATIONS))
async def test_a_transaction_is_mined_again_as_it_was_before_it_is_confirmed(
    world: WildWorld, depth: int
) -> None:
    """Ethereum and Gnosis drop a block every day (RequestNetwork 4fddbd8)."""
    payment = await world.create_usd(100)
    paid = await world.anvil.mint(USD, address(payment), 100)
    await world.mine_and_look(depth)
    await world.anvil.reorg(depth, again=[paid])
    await world.look()
    await world.shows(payment, 100, "detected")
    await stands_in_its_block(world, payment)
    await world.mine_and_look(CONFIRMATIONS - depth)
    await world.shows(payment, 100, *WHOLE_WAY[:3])
    await world.mine_and_look(2)
    await world.shows(payment, 100, *WHOLE_WAY[:3])


async def test_a_transaction_is_mined_again_with_another_log_index(world: WildWorld) -> None:
    """Two payers whose transactions change places: an index counts in the block."""
    payment, other = await world.create_usd(100), await world.create_usd(50)
    first = await world.anvil.mint(USD, address(other), 50)
    [_, second_payer, *_] = await world.anvil.rpc("eth_accounts")
    sent = {"from": second_payer, "to": USD, "gas": hex(GAS)}
    data = mint_call(address(payment), Amount(100))
    second = await world.anvil.rpc("eth_sendTransaction", {**sent, "data": data})
    await world.mine_and_look()
    before = await log_indexes(world, payment, other)
    await world.anvil.reorg(1, again=[second, first])
    await world.look()
    assert await log_indexes(world, payment, other) == before[::-1], "they changed places"
    await world.mine_and_look(CONFIRMATIONS)
    for paid, amount in ((payment, 100), (other, 50)):
        await world.shows(paid, amount, *WHOLE_WAY[:3])
        await stands_in_its_block(world, paid)


async def test_a_transaction_is_mined_again_in_a_later_block(world: WildWorld) -> None:
    payment = await world.create_usd(100)
    paid = await world.anvil.mint(USD, address(payment), 100)
    await world.mine_and_look(CONFIRMATIONS - 1)
    assert (await world.now(payment)).confirmations == CONFIRMATIONS - 1
    again = await world.anvil.raw_transaction(paid)
    await world.anvil.reorg(CONFIRMATIONS - 1)
    await world.anvil.resend(again)
    await world.mine_and_look()
    now = await world.now(payment)
    assert (now.status, now.confirmations) == (Status.DETECTED, 1), "counted from the new block"
    await world.mine_and_look(CONFIRMATIONS - 2)
    assert (await world.now(payment)).status is Status.DETECTED
    await world.mine_and_look()
    await world.shows(payment, 100, *WHOLE_WAY[:3])
    await stands_in_its_block(world, payment)


async def test_a_transaction_is_dropped_before_it_is_confirmed(world: WildWorld) -> None:
    payment = await world.create_usd(100)
    await world.anvil.mint(USD, address(payment), 100)
    await world.mine_and_look(3)
    await world.anvil.reorg(3)
    await world.look()
    now = await world.shows(payment, 0, "detected", "reorged", flags=["reorged"])
    assert now.status is Status.PENDING
    assert [transfer.orphaned for transfer in now.transfers] == [True], "kept, for the record"


async def test_a_transaction_is_replaced_by_another_with_its_nonce(world: WildWorld) -> None:
    """The payer spends the same money elsewhere on the branch that wins."""
    payment = await world.create(100)
    paid = await world.anvil.send(address(payment), 100)
    await world.mine_and_look(2)
    await world.shows(payment, 100, "detected")
    await double_spend(world, paid, depth=2)
    await world.mine_and_look(CONFIRMATIONS)
    now = await world.shows(payment, 0, "detected", "reorged", flags=["reorged"])
    assert now.status is Status.PENDING


async def test_a_dropped_payment_runs_out_of_time_and_is_paid_again_too_late(
    pool: Pool, slow_anvil: Anvil
) -> None:
    async with a_wild_world(
        pool,
        slow_anvil,
        finality_depth=FINALITY_DEPTH,
        terms=Payments(expires_in_seconds=240),
        block_seconds=30,
    ) as world:
        payment = await world.create_usd(100)
        await slow_anvil.mint(USD, address(payment), 100)
        await world.mine_and_look()
        await slow_anvil.reorg(1)
        await world.mine_and_look(10)
        await world.expire()
        await world.shows(payment, 0, "detected", "reorged", "expired", flags=["reorged"])
        await slow_anvil.mint(USD, address(payment), 100)
        await world.mine_and_look(4)
        now = await world.now(payment)
        assert now.status is Status.EXPIRED
        assert "late" in await world.told(payment)


async def test_a_confirmed_payment_is_taken_back(world: WildWorld) -> None:
    """Deeper than the confirmations, not as deep as what is final: failed at once, and said so."""
    payment = await world.create(100)
    paid = await world.anvil.send(address(payment), 100)
    await world.mine_and_look(CONFIRMATIONS + 2)
    await world.shows(payment, 100, *WHOLE_WAY[:3])
    await double_spend(world, paid, depth=CONFIRMATIONS + 2)
    await world.look()
    now = await world.shows(payment, 0, *WHOLE_WAY[:3], "failed", "reorged", flags=["reorged"])
    assert now.status is Status.FAILED


async def test_a_reorg_reaches_below_what_was_final(world: WildWorld) -> None:
    """ponder 1212, Polygon in 2025: the chain is stopped, and nothing is deleted."""
    payment = await world.create_usd(100)
    await world.anvil.mint(USD, address(payment), 100)
    await world.mine(FINALITY_DEPTH + 5)
    await world.look()
    await world.shows(payment, 100, *WHOLE_WAY)
    before = await everything(world)
    await world.anvil.reorg(FINALITY_DEPTH + 5)
    for _ in range(2):
        await world.look()
        assert "Crediting has stopped on this chain" in await world.complaint()
        await world.mine()
    assert await everything(world) == before


async def test_final_blocks_are_replaced_while_no_block_had_any_money(world: WildWorld) -> None:
    """chainlink-evm 431: who stores only blocks with events does not see it."""
    await world.create_usd(100)
    await world.mine(FINALITY_DEPTH + 5)
    await world.look()
    await world.anvil.reorg(FINALITY_DEPTH + 3)
    await world.look()
    assert "blocks that were final were replaced" in await world.complaint()


async def test_final_blocks_are_replaced_while_nothing_is_open(world: WildWorld) -> None:
    for _ in range(3):
        await world.mine(10)
        await world.look()
    await world.anvil.reorg(FINALITY_DEPTH + 3)
    await world.look()
    assert "blocks that were final were replaced" in await world.complaint()


async def test_the_chain_changes_again_while_a_reorg_is_walked_back(
    pool: Pool, slow_anvil: Anvil, block_seconds: float
) -> None:
    """ethereumjs-blockstream 10: two header fetches, and another branch between them."""
    async with scripted(
        pool, slow_anvil, finality_depth=FINALITY_DEPTH, block_seconds=block_seconds
    ) as (endpoint, world):
        payment = await world.create_usd(100)
        paid = await slow_anvil.mint(USD, address(payment), 100)
        await world.mine_and_look(4)
        await slow_anvil.reorg(3)
        seen = len(endpoint.asked["eth_getBlockByNumber"])
        again = {"left": 2}

        async def once_more(_: object) -> None:
            walked = len(endpoint.asked["eth_getBlockByNumber"]) > seen + 2
            if walked and again["left"]:
                again["left"] -= 1
                await slow_anvil.reorg(4, again=[paid])

        endpoint.play = once_more
        await world.look()
        assert again["left"] == 0, "the chain changed twice meanwhile"
        await world.mine_and_look(2)
        await world.shows(payment, 100, *WHOLE_WAY[:3])
        await stands_in_its_block(world, payment)


async def test_a_node_and_its_replica_stand_on_two_branches_and_change_places(
    pool: Pool,
) -> None:
    """A fork that comes and goes between the walk back and the blocks: read when it rests."""
    chain = FakeChain(finality_lag=20)
    chain.mine(30)
    world = await a_fake_world(pool, chain)
    payment = await world.create(100)
    paid = chain.pay(address(payment), 100)
    await world.mine(4)
    chain.reorg(4, keep=[paid])
    chain.before_next("headers", lambda: chain.reorg(5, keep=[paid]))
    await world.watch()
    assert (await world.credited())[address(payment)] == 100
    assert await world.told(payment) == ["created", *WHOLE_WAY[:3]]


async def log_indexes(world: WildWorld, *paid: Payment) -> list[int | None]:
    return [t.log_index for one in paid for t in (await world.now(one)).live()]


async def double_spend(world: WildWorld, paid: str, *, depth: int) -> None:
    """Replace blocks by others in which the nonce of a transaction went to somebody else."""
    sent = await world.anvil.rpc("eth_getTransactionByHash", paid)
    elsewhere = {"from": FUNDER, "to": BYSTANDER, "value": "0x64", "nonce": sent["nonce"]}
    await world.anvil.reorg(depth, others=[({**elsewhere, "gas": hex(21_000)}, 0)])
    there = await world.anvil.rpc("eth_getBalance", BYSTANDER, "latest")
    assert int(there, 16) == 100, "it was spent elsewhere"


async def everything(world: WildWorld) -> list[list[object]]:
    tables = ("payments", "transfers", "events", "blocks", "cursors")
    return [await world.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]
