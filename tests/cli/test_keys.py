"""`ctrip keys`: made, listed and ended from a terminal, whatever the API says."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from ctrip.cli.keys import span_in
from ctrip.core.errors import ConfigError
from ctrip.core.ids import KeyId
from ctrip.core.keys import LENGTH, PREFIX_SHOWN, digest_of
from ctrip.store import accounts
from ctrip.store.pool import Pool, connection
from tests.support.builders import CREATED, DEADLINE
from tests.support.terminal import Done, Terminal
from tests.support.warm_ctrip import WarmCtrip

EVIL: Final = "till\x1b[2Jand more"


class Keys:
    """Where `ctrip keys` is typed."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    async def type(self, *words: str) -> Done:
        return await asyncio.to_thread(self._terminal.run, ["keys", *words])

    async def read(self, *words: str) -> Any:
        done = await self.type(*words, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)


@pytest.fixture
def keys(database: str, tmp_path: Path, warm: WarmCtrip) -> Keys:
    return Keys(Terminal(database, tmp_path, warm=warm))


async def test_a_key_that_was_made_is_shown_once_and_kept_as_its_digest(
    keys: Keys, pool: Pool
) -> None:
    plain = await keys.type("create", "till")
    text = plain.out.strip()
    assert (plain.code, len(text)) == (0, LENGTH)
    async with connection(pool) as conn:
        kept = await accounts.find(conn, digest_of(text))
    assert kept
    assert (kept.name, sorted(kept.scopes)) == ("till", ["read", "write"])
    listed = await keys.read("list")
    assert [row["id"] for row in listed] == [str(kept.id)]
    assert text[PREFIX_SHOWN:] not in json.dumps(listed)


async def test_a_key_may_be_bound(keys: Keys) -> None:
    words = ["--scope", "admin", "--expires-in", "90d"]
    cidrs = ["--allow-cidr", "192.0.2.7", "--allow-cidr", "2001:db8::/32"]
    made = await keys.read("create", "office", *words, *cidrs)
    assert digest_of(made["key"])
    assert made["scopes"] == ["admin"]
    assert made["allowed_cidrs"] == ["192.0.2.7/32", "2001:db8::/32"]
    (row,) = await keys.read("list")
    assert row == {k: v for k, v in made.items() if k != "key"}
    line = (await keys.type("list")).out
    assert "live" in line
    assert "from 192.0.2.7/32 2001:db8::/32" in line
    assert f"until {row['expires_at'][:10]}" in line


async def test_the_list_tells_what_became_of_keys_and_obeys_none_of_their_names(
    keys: Keys, pool: Pool
) -> None:
    made = [await keys.read("create", name) for name in (EVIL, "old", "gone")]
    ids = [KeyId(UUID(one["id"])) for one in made]
    async with connection(pool) as conn:
        await accounts.use(conn, {ids[0]: CREATED})
        await conn.execute(
            "UPDATE api_keys SET created_at = $2, expires_at = $3 WHERE id = $1",
            ids[1],
            CREATED,
            DEADLINE,
        )
    assert (await keys.type("revoke", str(ids[2]))).code == 0
    lines = (await keys.type("list")).out
    assert "\x1b" not in lines
    states = {UUID(line[:36]): line.split()[2] for line in lines.splitlines()}
    assert states == {ids[0]: "live", ids[1]: "expired", ids[2]: "revoked"}
    assert f"used {CREATED:%Y-%m-%dT%H:%M:%SZ}" in lines
    assert lines.count("not used yet") == 2


async def test_a_key_is_revoked_by_what_the_list_shows_of_it(keys: Keys) -> None:
    first, second, third = [await keys.read("create", name) for name in ("a", "b", "c")]
    for wanted in (first["id"], second["prefix"], third["prefix"] + "…"):
        done = await keys.type("revoke", wanted)
        assert (done.code, done.out.strip()) == (0, "revoked")
    again = await keys.type("revoke", first["id"])
    assert again.code == 2
    assert "ctrip keys list" in again.err
    assert all(row["revoked_at"] for row in await keys.read("list"))


async def test_a_prefix_that_two_keys_have_revokes_neither(keys: Keys, pool: Pool) -> None:
    made = [await keys.read("create", name) for name in ("a", "b")]
    async with connection(pool) as conn:
        await conn.execute("UPDATE api_keys SET prefix = 'ctrip_same'")
    done = await keys.type("revoke", "ctrip_same")
    assert done.code == 2
    assert all(one["id"] in done.err for one in made)
    assert not any(row["revoked_at"] for row in await keys.read("list"))


async def test_what_a_key_cannot_be_is_told_in_a_sentence(keys: Keys) -> None:
    for words, told in (
        (["--scope", "root"], "scopes: must be some of: read, write, admin"),
        (["--allow-cidr", "10.0.0.1/8"], "allowed_cidrs: '10.0.0.1/8' is no network"),
        (["--expires-in", "soon"], "--expires-in: must be a number and a unit"),
        (["--expires-in", "9s"], "expires_in: must be 60 seconds to 3650 days"),
    ):
        done = await keys.type("create", "till", *words)
        assert (done.code, done.out) == (2, "")
        assert told in done.err
    assert (await keys.type("revoke", "nobody")).code == 2
    assert await keys.read("list") == []


def test_a_span_of_time_is_read_as_it_is_typed() -> None:
    assert span_in("90d") == timedelta(days=90)
    assert [span_in(text).seconds for text in ("90s", "2m", "1h")] == [90, 120, 3600]
    for text in ("", "90", "d", "-1d", "1.5h", "1 d", "9999999999d", "٣d"):
        with pytest.raises(ConfigError, match="--expires-in"):
            span_in(text)
    assert span_in("999999999d").days == 999_999_999
