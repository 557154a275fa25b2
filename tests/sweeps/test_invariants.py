"""Each invariant sees what contradicts it, and nothing in a shop where all went well."""

from collections.abc import AsyncIterator
from typing import Final

import pytest

from ctrip.core.ids import raw
from ctrip.core.payment import Status
from ctrip.dev.postgres import Cluster
from ctrip.flows.books import Bookkeeper
from ctrip.store import invariants
from ctrip.store.invariants import INVARIANTS
from ctrip.store.pool import Conn, Pool, connection
from tests.support.anvil import running_anvil
from tests.support.builders import CHAIN
from tests.support.one_database import one_database
from tests.sweeps.refunding import RefundingWorld, a_refunding_world
from tests.wild.world import begun

DATABASE: Final = "invariants"
ETHER: Final = 10**18
COUNT_MAX: Final = 5

PLANTED: Final = {
    "I01": "UPDATE ledger SET amount = amount - 1 WHERE account = 'payers'",
    "I02": "DELETE FROM ledger_entries WHERE kind = 'deposit'",
    "I03": "UPDATE transfers SET orphaned = true",
    "I04": "UPDATE ledger_entries SET payment_id = gen_random_uuid() WHERE kind = 'deposit'",
    "I05": "UPDATE blocks SET hash = '0x00'",
    "I06": "UPDATE transfers SET log_index = 0, block_hash = '0x00'",
    "I07": "UPDATE blocks SET time = time - interval '1 day' WHERE number % 2 = 0",
    "I08": "UPDATE payments SET amount_received = amount_received + 1",
    "I09": "UPDATE payments SET amount = amount + 1",
    "I10": "UPDATE transfers SET recipient = '0x' || md5(tx_hash) || '00000000'",
    "I11": "UPDATE sending_versions SET tx_hash = (SELECT min(tx_hash) FROM transfers)"
    " WHERE tx_hash = (SELECT min(tx_hash) FROM sending_versions)",
    "I12": "DELETE FROM events WHERE type = 'payment.settled'",
    "I13": "DELETE FROM events WHERE sequence = 2",
    "I14": "INSERT INTO deliveries_done SELECT id, 'we', true, 1, '500', now() FROM events",
    "I15": "UPDATE sendings SET block_number = block_number + 100"
    " WHERE nonce = (SELECT min(nonce) FROM sendings WHERE purpose = 'fuel') AND purpose = 'fuel'",
    "I16": "UPDATE sending_moves SET amount = amount - 1 WHERE amount < 0",
    "I17": "UPDATE ledger SET amount = amount - 10 * abs(amount) WHERE account ~ '^deposit'",
    "I18": "UPDATE ledger SET amount = amount + 1 WHERE account = 'fees'",
    "I19": "UPDATE ledger SET amount = -amount WHERE account = 'payers'",
    "I20": "DELETE FROM ledger_entries WHERE kind = 'fee'",
    "I21": "UPDATE wallets SET next_index = 0",
    "I22": "UPDATE transfers SET swept_in = swept_in + 1",
    "I23": "UPDATE sendings SET purpose = 'sweep'",
    "I24": "UPDATE transfers SET swept_in = NULL",
    "I25": "UPDATE cursors SET finalized = 0",
    "I26": "UPDATE sending_versions SET tx_hash = tx_hash || '00'",
    "I27": "DELETE FROM sending_moves WHERE amount > 0",
    "I28": "UPDATE sendings SET refund_id = (SELECT id FROM refunds)",
    "I29": "UPDATE refunds SET amount = amount + 1",
}


@pytest.fixture(scope="session")
async def shop(cluster: Cluster, template: str, admin: Conn) -> AsyncIterator[Pool]:
    """The database of a shop that was paid in coin and tokens, short and late, and gave back."""
    async with (
        one_database(DATABASE, cluster, template, admin) as pool,
        running_anvil() as anvil,
    ):
        await begun(anvil)
        async with a_refunding_world(pool, anvil, sweeps=True) as world:
            await trade(world)
        yield pool


async def trade(world: RefundingWorld) -> None:
    """Let money come and go."""
    await world.create(ETHER)
    made = [await world.paid(ETHER), await world.paid(70, in_tokens=True)]
    made.append(await world.paid(90, in_tokens=True))
    short = await world.create(ETHER)
    await world.anvil.send(raw(short.address), ETHER // 3)
    await world.look()
    await world.refund(made[0], ETHER // 2)
    await world.settle()
    assert await world.states() == ["final"]
    assert [(await world.now(one)).status for one in made] == 3 * [Status.SETTLED]
    await world.anvil.send(raw(short.address), ETHER // 3)
    await world.mine()
    await world.look()
    await Bookkeeper(world.chain.name, world.pool, world.clock).book_all()


async def broken(conn: Conn) -> list[str]:
    """Return the names of the invariants that are contradicted, with what does."""
    found = await invariants.breaches(conn, CHAIN, count_max=COUNT_MAX)
    return [f"{one.invariant.name}: {one.what}" for one in found]


async def test_nothing_contradicts_a_shop_where_all_went_well(shop: Pool) -> None:
    async with connection(shop) as conn:
        assert await broken(conn) == []
        kinds = await conn.fetch("SELECT kind, count(*) FROM ledger_entries GROUP BY kind")
    assert {row["kind"]: row["count"] for row in kinds} == {
        "deposit": 4,
        "swept": 3,
        "fuel": 2,
        "fee": 6,
        "refund": 1,
    }


async def planted(shop: Pool, fault: str) -> list[str]:
    """Return what is contradicted while a fault is in the tables."""
    async with connection(shop) as conn:
        planting = conn.transaction()
        await planting.start()
        try:
            await conn.execute("SET LOCAL session_replication_role = replica")
            assert not (await conn.execute(fault)).endswith(" 0"), "nothing was planted"
            return await broken(conn)
        finally:
            await planting.rollback()


async def test_what_was_moved_on_names_the_transaction_that_did_it(shop: Pool) -> None:
    found = await planted(shop, "UPDATE transfers SET swept_by = tx_hash")
    assert {one[:3] for one in found} == {"I22"}


@pytest.mark.parametrize("name", sorted(PLANTED))
async def test_an_invariant_sees_what_contradicts_it(shop: Pool, name: str) -> None:
    found = await planted(shop, PLANTED[name])
    assert any(one.startswith(f"{name}: ") for one in found), found
    assert all(len(one) < 300 for one in found), "a sentence fits a line"


def test_each_invariant_has_a_fault_of_its_own_planted() -> None:
    assert list(PLANTED) == [one.name for one in INVARIANTS]
    assert len(PLANTED) >= 20
    assert all(one.says.endswith(".") and one.remedy for one in INVARIANTS)
