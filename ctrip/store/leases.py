"""The only writer of the tables processes and chain_leases: who is there, who watches what.

A process is alive as long as it says so in time, by the database's clock. One that was killed
says nothing more, but Postgres ends its sessions at once: when the session of its bell is gone,
so is the process. A session that Postgres does not know, as behind a proxy that lends
connections, tells nothing, and is not written down.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from msgspec import convert

from ctrip.core.ids import ChainName
from ctrip.core.leases import Process
from ctrip.store import bell
from ctrip.store.pool import Conn

GONE_FOR: Final = timedelta(hours=1)  # then somebody else says goodbye for a process

JOIN = """
INSERT INTO processes (id, chains, unable, session, until)
VALUES ($1, $2, $3, (
    SELECT pid FROM pg_stat_activity WHERE pid = $4 AND application_name = $6
), now() + $5)
ON CONFLICT (id) DO UPDATE SET
    chains = excluded.chains, unable = excluded.unable,
    session = excluded.session, until = excluded.until
"""


async def join(conn: Conn, process: Process, *, session: int | None, lasts: timedelta) -> None:
    """Say that a process is alive, and for how long that holds."""
    chains, unable = list(process.chains), list(process.unable)
    await conn.execute(JOIN, process.id, chains, unable, session, lasts, bell.NAME)


FIND_ALIVE = "SELECT id, chains, unable FROM living_processes"


async def alive(conn: Conn) -> list[Process]:
    """Return the processes that are alive."""
    return convert([{**row} for row in await conn.fetch(FIND_ALIVE)], list[Process])


CLAIM = """
INSERT INTO chain_leases AS l (chain, holder) SELECT chain, $1 FROM unnest($2::text[]) AS chain
ON CONFLICT (chain) DO UPDATE SET holder = excluded.holder
WHERE l.holder = $1 OR l.holder NOT IN (SELECT id FROM living_processes)
RETURNING chain
"""


async def claim(conn: Conn, holder: UUID, chains: Collection[ChainName]) -> list[ChainName]:
    """Take or keep leases; return those of these chains that the holder has now."""
    return [row["chain"] for row in await conn.fetch(CLAIM, holder, list(chains))]


LET_GO = "DELETE FROM chain_leases WHERE holder = $1 AND chain = ANY($2::text[])"


async def let_go(conn: Conn, holder: UUID, chains: Collection[ChainName]) -> None:
    """Give leases back, as far as they are the holder's."""
    await conn.execute(LET_GO, holder, list(chains))


TELL = """
UPDATE chain_leases l SET told = t.told
FROM unnest($2::text[], $3::text[]) AS t (chain, told) WHERE l.chain = t.chain AND l.holder = $1
"""


async def tell(conn: Conn, holder: UUID, told: Mapping[ChainName, str]) -> None:
    """Write down how the holder's chains are."""
    await conn.execute(TELL, holder, list(told), list(told.values()))


FIND_TOLD = """
SELECT chain, told FROM chain_leases
WHERE chain = ANY($2::text[]) AND holder <> $1 AND told IS NOT NULL
"""


async def told(conn: Conn, but: UUID, chains: Collection[ChainName]) -> dict[ChainName, str]:
    """Return how these chains are, by the word of other holders."""
    return {row["chain"]: row["told"] for row in await conn.fetch(FIND_TOLD, but, list(chains))}


LEAVE = """
WITH left_alone AS (DELETE FROM chain_leases WHERE holder = $1)
DELETE FROM processes WHERE id = $1 OR until < now() - $2::interval
"""


async def leave(conn: Conn, process: UUID) -> None:
    """Say goodbye, also for those who are long gone and did not: others may have the leases."""
    await conn.execute(LEAVE, process, GONE_FOR)
