"""The only writer of the table audits: how far the slow round of all addresses has come."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from ctrip.core.ids import ChainName, PaymentId
from ctrip.store.pool import Conn

BEFORE_ALL: Final = PaymentId(UUID(int=0))


class Round(Struct, frozen=True, kw_only=True):
    """Where a chain's round stands."""

    after: PaymentId = BEFORE_ALL
    rounds: int = 0  # completed
    ended_at: datetime | None = None  # the last one


WHERE = "SELECT after_id, rounds, ended_at FROM audits WHERE chain = $1"


async def find(conn: Conn, chain: ChainName) -> Round:
    """Return where the round stands; at its beginning if there never was one."""
    row = await conn.fetchrow(WHERE, chain)
    if row is None:
        return Round()
    after = BEFORE_ALL if row["after_id"] is None else PaymentId(row["after_id"])
    return Round(after=after, rounds=row["rounds"], ended_at=row["ended_at"])


NOTE = """
INSERT INTO audits (chain, after_id) VALUES ($1, $2)
ON CONFLICT (chain) DO UPDATE SET after_id = excluded.after_id
"""
END = """
INSERT INTO audits (chain, after_id, rounds, ended_at) VALUES ($1, NULL, 1, $2)
ON CONFLICT (chain) DO UPDATE SET after_id = NULL, rounds = audits.rounds + 1, ended_at = $2
"""


async def note(conn: Conn, chain: ChainName, after: PaymentId) -> None:
    """Note the last payment that was looked at."""
    await conn.execute(NOTE, chain, after)


async def end(conn: Conn, chain: ChainName, *, now: datetime) -> None:
    """Note that all were looked at."""
    await conn.execute(END, chain, now)
