"""The small tables: tokens, cursors."""

from msgspec.structs import replace

from ctrip.core.chains import Token
from ctrip.core.ids import BlockNumber
from ctrip.store import blocks, tokens
from ctrip.store.pool import Conn
from tests.support.builders import (
    CHAIN,
    CREATED,
    DEADLINE,
    OTHER_ADDRESS,
    TOKEN,
    a_cursor,
    a_head,
    a_header,
)


async def test_a_token_that_leaves_the_file_is_disabled_and_keeps_its_id(conn: Conn) -> None:
    other = replace(TOKEN, contract=OTHER_ADDRESS, symbol="OLD")
    await tokens.sync(conn, [TOKEN, other])
    ids = await conn.fetch("SELECT id FROM tokens ORDER BY symbol")
    await tokens.sync(conn, [TOKEN])
    assert await tokens.all_known(conn) == [replace(other, enabled=False), TOKEN]
    await tokens.sync(conn, [replace(TOKEN, symbol="TST", decimals=7), other])
    assert await tokens.all_known(conn) == [other, replace(TOKEN, symbol="TST", decimals=7)]
    assert await conn.fetch("SELECT id FROM tokens ORDER BY symbol") == ids
    assert [row["id"] for row in ids] == [other.id, TOKEN.id]


async def test_no_tokens_are_no_tokens(conn: Conn) -> None:
    await tokens.sync(conn, [])
    assert await tokens.all_known(conn) == list[Token]()


async def test_a_chain_starts_once(conn: Conn) -> None:
    assert await blocks.cursor(conn, CHAIN) is None
    assert await blocks.start(conn, CHAIN, a_head(9, 4), now=CREATED)
    assert not await blocks.start(conn, CHAIN, a_head(8, 3), now=CREATED)
    expected = a_cursor(9, finalized=4)
    assert await blocks.cursor(conn, CHAIN) == expected
    place = (await blocks.places(conn))[CHAIN]
    assert (place.number, place.time, place.moved_at) == (9, a_header(9).time, CREATED)


async def test_a_cursor_is_held_only_where_it_is_and_its_finality_never_falls(conn: Conn) -> None:
    await blocks.start(conn, CHAIN, a_head(9, 4), now=CREATED)
    assert not await blocks.hold(conn, CHAIN, at=a_header(8).hash)
    assert await blocks.hold(conn, CHAIN, at=a_header(9).hash)
    await blocks.move(
        conn,
        CHAIN,
        to=a_header(8, "b"),
        finalized=BlockNumber(3),
        safe=BlockNumber(3),
        logged=BlockNumber(8),
        named=BlockNumber(0),
        now=DEADLINE,
    )
    expected = a_cursor(8, "b", finalized=4, moved_at=DEADLINE)
    assert await blocks.cursor(conn, CHAIN) == expected


async def test_a_place_is_that_of_the_last_block_whose_logs_were_read(conn: Conn) -> None:
    await blocks.start(conn, CHAIN, a_head(9, 4), now=CREATED)
    line = [a_header(number) for number in range(8, 12)]
    await blocks.add(conn, CHAIN, line, above=BlockNumber(-1), finalized=BlockNumber(4))
    await blocks.move(
        conn,
        CHAIN,
        to=a_header(11),
        finalized=BlockNumber(4),
        safe=BlockNumber(4),
        logged=BlockNumber(9),
        named=BlockNumber(10),
        now=DEADLINE,
    )
    place = (await blocks.places(conn))[CHAIN]
    assert (place.number, place.time) == (9, a_header(9).time)
    await blocks.note_logged(conn, CHAIN, BlockNumber(10))
    place = (await blocks.places(conn))[CHAIN]
    assert (place.number, place.time) == (10, a_header(10).time)
    cursor = await blocks.cursor(conn, CHAIN)
    assert cursor is not None
    assert (cursor.number, cursor.logged, cursor.named) == (11, 10, 10)


async def test_blocks_are_replaced_above_a_fork_and_forgotten_below_finality(conn: Conn) -> None:
    first = [a_header(n) for n in range(1, 10)]
    await blocks.add(conn, CHAIN, first, above=BlockNumber(-1), finalized=BlockNumber(1))
    second = [a_header(n, "b") for n in (7, 8)]
    await blocks.add(conn, CHAIN, second, above=BlockNumber(6), finalized=BlockNumber(5))
    known = await blocks.known(conn, CHAIN, count_max=10)
    assert list(known) == [8, 7, 6, 5]
    assert known[BlockNumber(7)] == a_header(7, "b").hash
    assert list(await blocks.known(conn, CHAIN, count_max=2)) == [8, 7]
