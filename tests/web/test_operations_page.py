"""docs/operations.md: what an operator is told to do is done here, and helps."""

import re
from pathlib import Path

import pytest

from ctrip.core.payment import Flag, Status
from ctrip.flows.forks import ReorgTooDeep
from ctrip.store.pool import Pool, connection
from tests.flows.world import a_world, address

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


def statements(words: str, **variables: object) -> str:
    """Return the SQL of the page that holds these words, with psql's variables filled in."""
    sql: str = next(s for s in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL) if words in s)
    for name, value in variables.items():
        sql = sql.replace(f":'{name}'", f"'{value}'").replace(f":{name}", str(value))
    assert not re.search(r":'?[a-z]", sql), "a variable is left"
    return sql


async def run(pool: Pool, sql: str) -> None:
    async with connection(pool) as conn:
        await conn.execute(sql)


async def test_after_a_reorg_below_finality_the_chain_is_read_again_from_below(pool: Pool) -> None:
    world = await a_world(pool)
    start = world.chain.tip
    lost, kept = await world.create(100), await world.create(50)
    world.chain.pay(address(lost), 100)
    again = world.chain.pay(address(kept), 50)
    await world.mine(4)
    assert (await world.now(lost)).status is Status.SETTLED

    world.chain.reorg(4, keep=[again])
    world.chain.mine()
    with pytest.raises(ReorgTooDeep, match=r"docs/operations\.md"):
        await world.watch()
    await run(
        pool,
        statements("UPDATE cursors", chain=world.served.name, number=start.number, hash=start.hash),
    )
    await world.watch()
    await world.mine(3)

    gone, there = await world.now(lost), await world.now(kept)
    assert (gone.status, gone.amount_received, gone.flags) == (
        Status.PENDING,
        0,
        frozenset({Flag.REORGED}),
    )
    assert (there.status, there.amount_received) == (Status.SETTLED, 50)
    losses = await world.rows(statements("amount_received < amount", chain=world.served.name))
    assert [row["id"] for row in losses] == [lost.id]
    whole_way = ["detected", "confirmed", "paid", "settled"]
    assert await world.told(lost) == ["created", *whole_way, "reorged"]
    assert await world.told(kept) == ["created", *whole_way, *whole_way]


async def test_a_restored_wallet_hands_out_later_addresses(pool: Pool) -> None:
    world = await a_world(pool)
    before = await world.create()
    await run(pool, statements("next_index + "))
    after = await a_world(pool, world.chain)
    assert (await after.create()).derivation_index >= before.derivation_index + 10_000


async def test_the_money_can_be_found(pool: Pool) -> None:
    world = await a_world(pool)
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    await world.mine()
    [row] = await world.rows(statements("FROM wallets").partition(";")[2])
    assert (row["derivation_index"], row["amount_received"]) == (payment.derivation_index, 100)
