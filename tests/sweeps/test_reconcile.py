"""On a real chain: what was swept, what is left and what it cost agree to the wei."""

from ctrip.cli import audit
from ctrip.core.books import Role
from ctrip.core.ids import NATIVE, Asset, raw
from ctrip.dev.postgres import Cluster
from ctrip.flows.reconcile import reconcile
from ctrip.settings import Database, Network, Secret, Settings, Wallet
from ctrip.store import ledger
from ctrip.store.pool import Pool, connection
from tests.faults.world import WORDS
from tests.support.anvil import Anvil
from tests.support.log_lines import logging_left_as_found
from tests.sweeps.conftest import DATABASE
from tests.sweeps.world import TREASURY, SweepingWorld, a_sweeping_world

ETHER = 10**18


async def of_treasury(world: SweepingWorld, asset: Asset) -> int:
    async with connection(world.pool) as conn:
        account = f"treasury:{TREASURY}"
        return await ledger.of_account(conn, account, world.chain.name, asset)


async def test_chain_books_and_payments_agree_to_the_wei(pool: Pool, anvil: Anvil) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        coin = await world.paid(ETHER)
        token = await world.paid(70, in_tokens=True)
        await world.settle()
        asked = (world.chain, world._client, pool, world.clock)  # noqa: SLF001  what it reads by
        done = await reconcile(*asked)
        assert (done.differences, done.uncompared, done.under_way) == ([], "", 0)
        assert done.balances == len([coin, "gas of the token", token, Role.GAS])
        for asset in (NATIVE, token.asset):
            assert await of_treasury(world, asset) == await world.treasury(asset)
        left = await world.balance(raw(coin.address))
        await anvil.set_balance(raw(coin.address), left - 1)
        await world.mine(3)
        await world.look()
        [one] = (await reconcile(*asked)).differences
        assert (one.asset, one.holds) == (NATIVE, True)
        assert "1 less than it should" in one.what


async def test_the_command_audits_a_real_chain(cluster: Cluster, pool: Pool, anvil: Anvil) -> None:
    """Everything but the typing: its own pool, its own client, a node."""
    async with a_sweeping_world(pool, anvil) as world:
        coin = await world.paid(ETHER)
        await world.settle()
        settings = Settings(
            database=Database(url=Secret(cluster.url_of(DATABASE))),
            wallet=Wallet(mnemonic=WORDS),
            networks=(Network(chain=world.chain, rpc_urls=(Secret(anvil.url),)),),
        )
        with logging_left_as_found():
            done = await audit.audit(settings, "", accept=False)
            assert "1 balances compared" in audit.as_text(done)
            assert "everything agrees" in audit.as_text(done)
            await anvil.set_balance(raw(coin.address), 0)
            await world.mine(3)
            await world.look()
            [one] = await audit.audit(settings, world.chain.name, accept=False)
            assert "1 difference; not moved until it is mended: native coin" in audit.as_text([one])
            [one] = await audit.audit(settings, world.chain.name, accept=True)
            assert "everything agrees" in audit.as_text([one])
