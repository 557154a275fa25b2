"""API keys on record: found by digest, revised in order, used now and then."""

import asyncio
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import asdict, replace

from ctrip.core.ids import KeyId
from ctrip.core.keys import ApiKey
from ctrip.store import accounts
from ctrip.store.accounts import KnownKey
from ctrip.store.pool import Conn, Pool, transaction
from tests.support.builders import CREATED, DEADLINE, IN_TIME
from tests.support.waiting import until

KEY: Final = ApiKey(
    id=KeyId(UUID(int=1)),
    name="shop",
    prefix="ctrip_abcdef",
    scopes=frozenset({"read", "write"}),
    allowed_cidrs=("192.0.2.0/24", "2001:db8::/32"),
    created_at=CREATED,
    expires_at=DEADLINE,
)
OTHER: Final = ApiKey(
    id=KeyId(UUID(int=2)),
    name="office",
    prefix="ctrip_ghijkl",
    scopes=frozenset({"admin"}),
    created_at=IN_TIME,
)
DIGEST: Final = bytes(range(32))
ITS_DIGEST: Final = DIGEST[::-1]
WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def known(key: ApiKey, **more: object) -> KnownKey:
    return KnownKey(**asdict(key) | {"last_used_at": None} | more)


async def test_a_key_is_found_by_its_digest_until_it_is_revoked(conn: Conn) -> None:
    await accounts.add(conn, KEY, DIGEST)
    assert await accounts.find(conn, DIGEST) == KEY
    assert await accounts.find(conn, ITS_DIGEST) is None
    assert await accounts.revoke(conn, KEY.id, now=DEADLINE)
    assert not await accounts.revoke(conn, KEY.id, now=DEADLINE + timedelta(hours=1))
    assert await accounts.find(conn, DIGEST) is None
    assert await accounts.get(conn, KEY.id) == known(KEY, revoked_at=DEADLINE)
    assert await accounts.all_keys(conn) == [known(KEY, revoked_at=DEADLINE)]


async def test_what_changed_since_a_revision_is_told(conn: Conn) -> None:
    assert await accounts.since(conn, 0) == accounts.Changes(0, {})
    await accounts.add(conn, KEY, DIGEST)
    await accounts.add(conn, OTHER, ITS_DIGEST)
    whole = await accounts.since(conn, 0)
    assert whole == accounts.Changes(2, {DIGEST: KEY, ITS_DIGEST: OTHER})
    assert await accounts.since(conn, 2) == accounts.Changes(2, {})
    await accounts.revoke(conn, KEY.id, now=DEADLINE)
    ended = replace(KEY, revoked_at=DEADLINE)
    assert await accounts.since(conn, 2) == accounts.Changes(3, {DIGEST: ended})
    assert await accounts.since(conn, 0) == accounts.Changes(3, {ITS_DIGEST: OTHER})


async def test_a_change_that_is_made_by_hand_is_told_too(conn: Conn) -> None:
    await accounts.add(conn, KEY, DIGEST)
    await conn.execute("UPDATE api_keys SET scopes = '{read}'")
    changed = replace(KEY, scopes=frozenset({"read"}))
    assert await accounts.since(conn, 1) == accounts.Changes(2, {DIGEST: changed})
    with pytest.raises(asyncpg.RaiseError, match="set revoked_at"):
        await conn.execute("DELETE FROM api_keys")


async def test_a_change_that_is_committed_late_is_not_passed_by_another(pool: Pool) -> None:
    async with pool.acquire() as slow, pool.acquire() as conn:
        late = slow.transaction()
        await late.start()
        await accounts.add(slow, KEY, DIGEST)
        adding = asyncio.create_task(add_in_a_transaction(pool))
        await until("the other waits for its turn", lambda: conn.fetchval(WAITS))
        assert await accounts.since(conn, 0) == accounts.Changes(0, {})
        await late.commit()
        await adding
        assert await accounts.since(conn, 0) == accounts.Changes(
            2, {DIGEST: KEY, ITS_DIGEST: OTHER}
        )


async def test_a_change_that_is_rolled_back_leaves_no_gap(pool: Pool) -> None:
    async with pool.acquire() as conn:
        for ends in ("rollback", "commit"):
            began = conn.transaction()
            await began.start()
            await accounts.add(conn, KEY, DIGEST)
            await getattr(began, ends)()
        assert (await accounts.since(conn, 0)).newest == 1


async def test_the_latest_use_counts_whoever_writes_it_first(conn: Conn) -> None:
    await accounts.add(conn, KEY, DIGEST)
    await accounts.add(conn, OTHER, ITS_DIGEST)
    before = (await accounts.since(conn, 0)).newest
    for at in (IN_TIME, DEADLINE, CREATED):
        await accounts.use(conn, {OTHER.id: at, KEY.id: at})
    page = await accounts.page(conn, before=(DEADLINE, KEY.id), count_max=9)
    assert page == [known(OTHER, last_used_at=DEADLINE), known(KEY, last_used_at=DEADLINE)]
    assert (await accounts.since(conn, 0)).newest == before


async def test_a_page_goes_on_after_the_last_one(conn: Conn) -> None:
    await accounts.add(conn, KEY, DIGEST)
    await accounts.add(conn, OTHER, ITS_DIGEST)
    after_both = (DEADLINE, KEY.id)
    assert await accounts.page(conn, before=after_both, count_max=1) == [known(OTHER)]
    after_one = (OTHER.created_at, OTHER.id)
    assert await accounts.page(conn, before=after_one, count_max=9) == [known(KEY)]


async def add_in_a_transaction(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await accounts.add(conn, OTHER, ITS_DIGEST)
