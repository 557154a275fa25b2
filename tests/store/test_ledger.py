"""What the schema itself refuses of the ledger."""

import asyncpg
import pytest

from ctrip.core.ids import NATIVE
from ctrip.store import ledger
from ctrip.store.pool import Conn
from tests.support.builders import CHAIN

ENTRY = """
INSERT INTO ledger_entries
    (chain, kind, amount, sending_id, tx_hash, asset, block_number, booked_at)
VALUES ($1, 'fee', 5, gen_random_uuid(), '0x', 'native', 1, now()) RETURNING id
"""
LINE = "INSERT INTO ledger (entry_id, chain, account, asset, amount) VALUES ($1, $2, $3, $4, $5)"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET amount = amount + 1",
        "DELETE FROM ledger",
        "TRUNCATE ledger",
        "UPDATE ledger_entries SET amount = 1",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries CASCADE",
    ],
)
async def test_the_ledger_is_only_added_to(conn: Conn, statement: str) -> None:
    with pytest.raises(asyncpg.RestrictViolationError, match="only added to"):
        await conn.execute(statement)


@pytest.mark.parametrize(
    "lines",
    [
        [("payers", "native", -5), ("fees", "native", 4)],
        [("payers", "native", -5), ("fees", "0x01", 5)],
        [("unknown", "native", 1)],
    ],
)
async def test_an_entry_that_does_not_add_up_is_refused_at_the_commit(
    conn: Conn, lines: list[tuple[str, str, int]]
) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="does not add up"):
        async with conn.transaction():
            await write(conn, lines)


async def test_an_entry_that_adds_up_in_each_asset_is_taken(conn: Conn) -> None:
    async with conn.transaction():
        await write(conn, [("payers", "native", -5), ("fees", "native", 5)])
    assert await ledger.of_account(conn, "fees", CHAIN, NATIVE) == 5


async def write(conn: Conn, lines: list[tuple[str, str, int]]) -> None:
    entry = await conn.fetchval(ENTRY, CHAIN)
    for account, asset, amount in lines:
        await conn.execute(LINE, entry, CHAIN, account, asset, amount)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "0", str(2**256)])
async def test_what_is_no_amount_is_refused(conn: Conn, amount: str) -> None:
    entry = await conn.fetchval(ENTRY, CHAIN)
    with pytest.raises((asyncpg.CheckViolationError, asyncpg.NumericValueOutOfRangeError)):
        await conn.execute(LINE, entry, CHAIN, "fees", "native", amount)
