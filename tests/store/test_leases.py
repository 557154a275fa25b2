"""Leases end with their holder, however he ends, and nobody has one beside another."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from ctrip.core.ids import ChainName
from ctrip.core.leases import Process
from ctrip.store import leases
from ctrip.store.bell import NAME
from ctrip.store.pool import Conn
from tests.support.waiting import until

FIRST, SECOND = ChainName("first"), ChainName("second")
CHAINS = (FIRST, SECOND)
LONG = timedelta(minutes=5)


def a_process() -> Process:
    return Process(id=uuid4(), chains=CHAINS)


async def joined(conn: Conn, *, session: int | None = None, lasts: timedelta = LONG) -> UUID:
    one = a_process()
    await leases.join(conn, one, session=session, lasts=lasts)
    return one.id


@pytest.fixture
async def session(database: str) -> AsyncIterator[Conn]:
    """A connection as the bell of a process has it."""
    conn = await asyncpg.connect(database, server_settings={"application_name": NAME})
    yield conn
    await conn.close()


async def ids(conn: Conn) -> set[UUID]:
    return {one.id for one in await leases.alive(conn)}


async def test_a_lease_is_one_holders_until_he_lets_go(conn: Conn) -> None:
    one, two = await joined(conn), await joined(conn)
    assert set(await leases.claim(conn, one, CHAINS)) == {FIRST, SECOND}
    assert await leases.claim(conn, two, CHAINS) == []
    assert set(await leases.claim(conn, one, CHAINS)) == {FIRST, SECOND}
    await leases.let_go(conn, two, CHAINS)  # it was not his to give
    await leases.let_go(conn, one, [FIRST])
    assert await leases.claim(conn, two, CHAINS) == [FIRST]


async def test_a_lease_ends_when_its_holder_says_nothing_more(conn: Conn) -> None:
    silent = await joined(conn, lasts=timedelta(seconds=-1))
    assert await ids(conn) == set()
    await leases.claim(conn, silent, CHAINS)
    one = await joined(conn)
    assert set(await leases.claim(conn, one, CHAINS)) == {FIRST, SECOND}
    assert await leases.claim(conn, silent, CHAINS) == []


async def test_a_lease_ends_at_once_with_the_session_of_its_holder(
    conn: Conn, session: Conn
) -> None:
    killed = await joined(conn, session=session.get_server_pid())
    await leases.claim(conn, killed, CHAINS)
    one = await joined(conn)
    assert await leases.claim(conn, one, CHAINS) == []
    session.terminate()

    async def is_alone() -> bool:
        return await ids(conn) == {one}

    await until("the session is gone", is_alone)
    assert set(await leases.claim(conn, one, CHAINS)) == {FIRST, SECOND}


async def test_a_session_that_postgres_does_not_know_says_nothing(conn: Conn) -> None:
    one = await joined(conn, session=conn.get_server_pid())  # no bell's
    assert await ids(conn) == {one}


async def test_who_says_goodbye_leaves_nothing(conn: Conn) -> None:
    one, two = await joined(conn), await joined(conn)
    await leases.claim(conn, one, CHAINS)
    await leases.leave(conn, one)
    assert await ids(conn) == {two}
    assert set(await leases.claim(conn, two, CHAINS)) == {FIRST, SECOND}


async def test_who_said_no_goodbye_is_forgotten_with_the_next_who_does(conn: Conn) -> None:
    await joined(conn, lasts=-2 * leases.GONE_FOR)
    one, two = await joined(conn), await joined(conn)
    await leases.leave(conn, two)
    assert [row["id"] for row in await conn.fetch("SELECT id FROM processes")] == [one]


async def test_others_are_told_of_a_chain_by_its_holder_only(conn: Conn) -> None:
    one, two = await joined(conn), await joined(conn)
    await leases.claim(conn, one, [FIRST])
    await leases.tell(conn, two, {FIRST: "a lie"})
    await leases.tell(conn, one, {FIRST: "the truth", SECOND: "not his"})
    assert await leases.told(conn, two, CHAINS) == {FIRST: "the truth"}
    assert await leases.told(conn, one, CHAINS) == {}


async def test_many_at_once_have_one_lease_each(database: str, conn: Conn) -> None:
    processes = [await joined(conn) for _ in range(8)]
    names = [ChainName(f"chain-{number}") for number in range(20)]

    async def claim(one: UUID) -> list[ChainName]:
        own = await asyncpg.connect(database)
        try:
            return await leases.claim(own, one, names)
        finally:
            await own.close()

    got = await asyncio.gather(*(claim(one) for one in processes))
    assert sorted(name for of_one in got for name in of_one) == sorted(names)
