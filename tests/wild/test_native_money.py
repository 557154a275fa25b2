"""Native coin through contracts: credited once, whoever shows it and however a chain is read.

What pays is on a real chain: a Safe-like wallet, an exchange's batch, a contract that
destroys itself, an account with an entry point. Where an endpoint traces, the transaction
is named; where none does, the balance counts when its block is final.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import pytest

from ctrip.core.ids import RawAddress, TxHash
from ctrip.core.payment import Source, Status
from ctrip.store.pool import Pool
from tests.support.anvil import FUNDER, Anvil, running_anvil
from tests.support.native_contracts import Payers, deploy_payers
from tests.support.rpc_proxy import proxy
from tests.wild.world import WHOLE_WAY, WildWorld, a_wild_world, address, begun, proxied

LOOKS: Final = 5  # blocks, until all is final and was read twice

Pay = Callable[[Payers, RawAddress], Awaitable[TxHash]]

PAYING: Final[dict[str, Pay]] = {
    "a Safe-like wallet": lambda payers, to: payers.wallet(to, 100),
    "a batch payout": lambda payers, to: payers.batch([(FUNDER, 1), (to, 100)]),
    "a selfdestruct": lambda payers, to: payers.selfdestruct(to, 100),
    "a selfdestruct made by CREATE2": lambda payers, to: payers.created_selfdestruct(to, 100),
    "an ERC-4337 account": lambda payers, to: payers.account(to, 100),
    "twelve calls deep, with call data": lambda payers, to: payers.deep(to, 100),
    "the half that did not fail": lambda payers, to: payers.half_failed_inner(to, 200),
}
NOT_PAYING: Final[dict[str, Pay]] = {
    "an inner call that failed": lambda payers, to: payers.failed_inner(to, 100),
    "delegatecall and callcode": lambda payers, to: payers.borrow(to, 100),
}


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[Anvil]:
    """One chain for all tests here, which only goes on."""
    async with running_anvil() as chain:
        await begun(chain)
        yield chain


@pytest.fixture(scope="module")
async def payers(chain: Anvil) -> Payers:
    return await deploy_payers(chain)


@pytest.fixture(params=[Source.TRACE, Source.BALANCE])
def source(request: pytest.FixtureRequest) -> Source:
    """What shows the money: an endpoint traces, or none does."""
    return Source(request.param)


@pytest.fixture
async def world(
    pool: Pool, chain: Anvil, source: Source, block_seconds: float
) -> AsyncIterator[WildWorld]:
    async with proxy(chain.url) as endpoint:
        if source is Source.BALANCE:
            await endpoint.plays("no traces")
        async with a_wild_world(pool, chain, [endpoint.url], block_seconds=block_seconds) as world:
            yield world


@pytest.mark.parametrize("name", PAYING)
async def test_money_that_a_contract_pays_is_credited_once(
    world: WildWorld, payers: Payers, source: Source, name: str
) -> None:
    payment = await world.create(100)
    tx_hash = await PAYING[name](payers, address(payment))
    await world.mine_and_look(LOOKS)
    now = await world.shows(payment, 100, *WHOLE_WAY)
    [transfer] = now.transfers
    assert transfer.source is source
    if source is Source.TRACE:
        assert transfer.key.tx_hash == tx_hash


@pytest.mark.parametrize("name", NOT_PAYING)
async def test_what_only_looks_like_money_is_none(
    world: WildWorld, payers: Payers, name: str
) -> None:
    payment = await world.create(100)
    await NOT_PAYING[name](payers, address(payment))
    await world.mine_and_look(LOOKS)
    now = await world.shows(payment, 0)
    assert (now.status, now.transfers) == (Status.PENDING, ())


async def test_a_payout_beside_other_money_of_the_same_block_counts_once_each(
    world: WildWorld, payers: Payers, source: Source
) -> None:
    """A transaction of its own, two payouts of one contract, and another payment's money."""
    payment, other = await world.create(100), await world.create(100)
    to = address(payment)
    await world.anvil.send(to, 10)
    await payers.batch([(to, 30), (address(other), 100), (to, 20)])
    await payers.wallet(to, 40)
    await world.anvil.send(address(other), 1)
    await world.mine_and_look(LOOKS)
    now = await world.settled(payment, 100)
    assert (await world.now(other)).amount_received == 101
    by_source = sorted((t.source.value, t.amount) for t in now.live())
    if source is Source.TRACE:
        assert by_source == [("trace", 20), ("trace", 30), ("trace", 40), ("transaction", 10)]
    else:
        assert by_source == [("balance", 90), ("transaction", 10)]


async def test_payouts_of_many_blocks_that_one_look_finds_count_once_each(
    world: WildWorld, payers: Payers
) -> None:
    payment = await world.create(100)
    for amount in (20, 30, 50):
        await payers.wallet(address(payment), amount)
        await world.mine(2)
    await world.anvil.send(address(payment), 7)
    await world.mine_and_look(LOOKS)
    now = await world.now(payment)
    assert (now.amount_received, now.status) == (107, Status.SETTLED)


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_payout_that_a_reorg_drops_and_mines_again_is_credited_once(
    world: WildWorld, payers: Payers, *, at_once: bool
) -> None:
    payment = await world.create(100)
    await world.mine_and_look()
    paid = await payers.batch([(FUNDER, 1), (address(payment), 100)])
    await world.mine_and_look()
    again = await world.anvil.raw_transaction(paid)
    await world.anvil.reorg(1, again=[paid] if at_once else [])
    await world.look()
    if not at_once:
        assert (await world.now(payment)).amount_received == 0
        await world.anvil.resend(again)
    await world.mine_and_look(LOOKS)
    now = await world.now(payment)
    assert (now.amount_received, now.status) == (100, Status.SETTLED)
    assert len(now.live()) == 1
    assert not {"overpaid", "failed"} & {*await world.told(payment)}


async def test_a_transaction_is_found_after_its_balance_counted(
    pool: Pool, chain: Anvil, block_seconds: float
) -> None:
    """A block came without its transactions; a second read names what the balance had shown."""
    async with proxied(pool, chain, block_seconds=block_seconds) as (endpoint, world):
        payment = await world.create(100)
        tx_hash = await chain.send(address(payment), 100)
        first = await world.height()
        await endpoint.plays("transactions missing")
        await world.mine_and_look(LOOKS)
        [shown] = (await world.settled(payment, 100)).live()
        assert shown.source is Source.BALANCE
        endpoint.calms()
        await world.read_again(first, await world.height() - 2)
        await world.mine_and_look(2)
        [named] = (await world.settled(payment, 100)).live()
        assert (named.source, named.key.tx_hash) == (Source.TRANSACTION, tx_hash)
