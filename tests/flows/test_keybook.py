"""The keybook: no statement for a key that is known, and none is believed for long."""

import asyncio
from collections.abc import Awaitable
from typing import Final

import pytest

from ctrip.core.errors import OutageError
from ctrip.core.ids import KeyId
from ctrip.core.keys import ApiKey
from ctrip.flows import keybook
from ctrip.flows.keybook import BELIEVED_SECONDS, LOOKS_SECOND_MAX, READ_SECONDS, Keybook
from ctrip.flows.keys import make_key
from ctrip.store import accounts
from ctrip.store.pool import Pool, connection
from tests.support.builders import CREATED, DEADLINE, IN_TIME
from tests.support.clock import Ticks
from tests.support.flaky import FlakyPool
from tests.support.waiting import until

REVOKED_ENDS_SECONDS: Final = 1.0  # what is promised
GUESSERS: Final = 300
WAITS: Final = "SELECT count(*) FROM pg_locks WHERE NOT granted"


class Process:
    """A book on its own, whose statements are counted."""

    def __init__(self, pool: Pool, *, dies_at: int | None = None) -> None:
        self.ticks = Ticks()
        self.pool = FlakyPool(pool, dies_at=dies_at)
        self.book = Keybook(self.pool.as_pool(), ticks=self.ticks)

    async def statements_for(self, work: Awaitable[object]) -> int:
        """Return how many statements something takes."""
        before = len(self.pool.statements)
        await work
        return len(self.pool.statements) - before


async def issue(pool: Pool) -> tuple[ApiKey, bytes]:
    """Make a key, as another process does."""
    _, key, digest = make_key("shop", ["read"], CREATED)
    async with connection(pool) as conn:
        await accounts.add(conn, key, digest)
    return key, digest


async def revoke(pool: Pool, key_id: KeyId) -> None:
    """End a key, as another process does."""
    async with connection(pool) as conn:
        assert await accounts.revoke(conn, key_id, now=IN_TIME)


async def test_a_known_key_costs_no_statement_while_the_duty_runs(pool: Pool) -> None:
    key, digest = await issue(pool)
    process = Process(pool)
    assert await process.book.known(digest) == key
    for _ in range(10):
        process.ticks.now += READ_SECONDS
        assert await process.statements_for(process.book.run_once()) == 1
        for _ in range(50):
            assert await process.statements_for(process.book.known(digest)) == 0
            assert await process.book.known(digest) == key


def test_two_readings_fit_into_the_time_a_book_is_believed() -> None:
    assert 2 * READ_SECONDS < BELIEVED_SECONDS < REVOKED_ENDS_SECONDS


async def test_a_key_that_is_revoked_elsewhere_ends_within_a_second_without_the_duty(
    pool: Pool,
) -> None:
    """The process was frozen, or its duty died: its clock went on, and nothing else did."""
    key, digest = await issue(pool)
    process = Process(pool)
    assert await process.book.known(digest) == key
    await revoke(pool, key.id)
    assert await process.book.known(digest) == key
    process.ticks.now += REVOKED_ENDS_SECONDS
    assert await process.book.known(digest) is None
    assert await process.book.sought(digest) is None


async def test_a_key_that_is_revoked_elsewhere_ends_when_the_duty_looks(pool: Pool) -> None:
    (key, digest), (other, its_digest) = await issue(pool), await issue(pool)
    process = Process(pool)
    await process.book.run_once()
    await revoke(pool, key.id)
    await process.book.run_once()
    assert await process.statements_for(process.book.known(digest)) == 0
    assert await process.book.known(digest) is None
    assert await process.book.known(its_digest) == other


async def test_a_key_that_was_made_elsewhere_a_moment_ago_is_found(pool: Pool) -> None:
    process = Process(pool)
    await process.book.run_once()
    key, digest = await issue(pool)
    assert await process.book.known(digest) is None
    assert await process.book.sought(digest) == key


async def test_guesses_share_their_readings_and_are_not_remembered(pool: Pool) -> None:
    process = Process(pool)
    key, digest = await issue(pool)
    await process.book.run_once()
    guesses = [n.to_bytes(32) for n in range(GUESSERS)]
    many = asyncio.gather(*map(process.book.sought, guesses))
    assert await process.statements_for(many) == 1
    assert await many == [None] * GUESSERS
    assert len(vars(process.book)["_keys"]) == 1
    assert await process.book.known(digest) == key


async def test_readings_for_guesses_keep_their_distance(pool: Pool) -> None:
    counting = FlakyPool(pool)
    book = Keybook(counting.as_pool())  # by the real clock
    loop = asyncio.get_running_loop()
    began = loop.time()
    for n in range(5):
        assert await book.sought(n.to_bytes(32)) is None
    assert loop.time() - began > 4 / LOOKS_SECOND_MAX * 0.9
    assert len(counting.statements) == 5


async def test_while_postgres_is_away_an_old_book_opens_nothing(pool: Pool) -> None:
    key, digest = await issue(pool)
    process = Process(pool, dies_at=2)
    assert await process.book.known(digest) == key
    process.ticks.now += BELIEVED_SECONDS / 2
    assert await process.book.known(digest) == key
    process.ticks.now += BELIEVED_SECONDS
    waiting = [process.book.known(digest) for _ in range(GUESSERS)]
    refused = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(outcome, OutageError) for outcome in refused)
    assert len(process.pool.statements) == 2  # one trial for all who waited
    await revoke(pool, key.id)
    assert await process.book.known(digest) is None


async def test_a_database_that_answers_too_late_is_away(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keybook, "ANSWER_SECONDS_MAX", 0.05)
    process = Process(pool)
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(OutageError, match="could not be read"):
            await process.book.known(bytes(32))
    assert await process.book.known(bytes(32)) is None


async def test_whoever_gives_up_waiting_spoils_it_for_nobody(pool: Pool) -> None:
    key, digest = await issue(pool)
    process = Process(pool)
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE")
        first, second = (asyncio.create_task(process.book.known(digest)) for _ in range(2))
        await until("the first one reads", lambda: conn.fetchval(WAITS))
        first.cancel()
    assert await second == key
    assert first.cancelled()


async def test_another_database_is_read_from_its_beginning(pool: Pool) -> None:
    """As when a backup is put in its place while nothing is asked of it."""
    (_, before), _ = await issue(pool), await issue(pool)
    process = Process(pool)
    await process.book.run_once()
    async with connection(pool) as conn:
        await conn.execute("TRUNCATE api_keys, key_revisions")
    key, digest = await issue(pool)
    await process.book.run_once()
    assert await process.book.known(digest) == key
    assert await process.book.known(before) is None


async def test_uses_are_written_together_and_later(pool: Pool) -> None:
    (key, _), (other, _) = await issue(pool), await issue(pool)
    process = Process(pool)
    uses = process.book.uses
    assert await process.statements_for(uses.run_once()) == 0
    for at in (CREATED, IN_TIME):
        uses.note(key.id, at)
        uses.note(other.id, at)
    assert not process.pool.statements
    assert await process.statements_for(uses.run_once()) == 1
    assert await process.statements_for(uses.run_once()) == 0
    assert await last_uses(pool) == {key.id: IN_TIME, other.id: IN_TIME}


async def test_uses_that_could_not_be_written_are_written_later(pool: Pool) -> None:
    (key, _), (other, _) = await issue(pool), await issue(pool)
    uses = Process(pool, dies_at=1).book.uses
    uses.note(key.id, CREATED)
    uses.note(other.id, IN_TIME)
    with pytest.raises(OutageError):
        await uses.run_once()
    uses.note(key.id, DEADLINE)
    await uses.run_once()
    assert await last_uses(pool) == {key.id: DEADLINE, other.id: IN_TIME}


async def last_uses(pool: Pool) -> dict[KeyId, object]:
    async with connection(pool) as conn:
        return {key.id: key.last_used_at for key in await accounts.all_keys(conn)}
