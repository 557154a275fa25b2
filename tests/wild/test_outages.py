"""Endpoints that fail aloud: outages, broken batches, limits, and tags that are missing.

What was mined meanwhile is read afterwards, every block once and in order; a restart and
a range that is read twice change nothing.
"""

from typing import Final

import pytest

from ctrip.core.finality import Depth, Tag
from ctrip.core.ids import BlockNumber
from ctrip.core.payment import Status
from ctrip.settings import Payments
from ctrip.store.pool import Pool
from tests.support.anvil import Anvil
from tests.support.rpc_exchange import BLOCK, LOGS, Exchange, Sent
from tests.support.rpc_faults import FAULTS
from tests.support.rpc_proxy import proxy
from tests.wild.between import between
from tests.wild.world import (
    HISTORY,
    SECONDS_IN_RANGES,
    USD,
    WHOLE_WAY,
    a_wild_world,
    address,
    proxied,
    scripted,
)

MISSED: Final = 350  # blocks: more than Bitcart's 300, and more than ctrip reads in order
WIDE: Final = 40  # blocks that an endpoint with a limit does not give the logs of at once
FULL: Final = True  # blocks with their transactions

PATIENCE_SECONDS: Final = 2.0  # with one that drips; the other is as slow as the machine is busy

# Faults of one request, each of which another project let through or fell over.
IN_TURN: Final = (
    "429 with Retry-After",
    "503",
    "HTML",
    "half the JSON",
    "wrong id",
    "error in one item",
    "out-of-order batch",
    "missing batch item",
    "slow drip",
    "connection reset",
    "200 with an error body",
)


async def test_a_long_outage_is_read_afterwards_every_block_once_and_in_order(
    pool: Pool, anvil: Anvil
) -> None:
    """Bitcart logged the failure, read the oldest 300 blocks and jumped to the head."""
    async with (
        between(anvil.url) as endpoint,
        proxy(endpoint.url) as down,
        a_wild_world(pool, anvil, [down.url]) as world,
    ):
        first = await world.cursor() + 1
        paid = [await world.create_usd(n) for n in (1, 2, 3)]
        await down.plays("503")
        for payment in paid:
            await anvil.mint(USD, address(payment), payment.amount)
            await world.mine(MISSED // len(paid))
        await world.look()
        assert await world.cursor() < first
        down.calms()
        last = await world.height()
        endpoint.asked.clear()
        await world.look()
        read = [int(number, 16) for number, full in heights(endpoint.asked[BLOCK]) if full]
        assert read
        assert sorted(read) == [n for n in range(first, last + 1) if n in read], "none twice"
        assert {*range(first, last)} <= {*read}, "and none left out"
        detected = await world.rows(
            "SELECT payment_id FROM events WHERE type = 'payment.detected' ORDER BY age(xmin) DESC"
        )
        assert [row["payment_id"] for row in detected] == [p.id for p in paid], "in order"
        await world.mine_and_look(4)
        for payment in paid:
            await world.shows(payment, payment.amount, *WHOLE_WAY)


def heights(asked: list[list[object]]) -> list[tuple[str, bool]]:
    """Return the heights that blocks were asked for by, and whether they were whole."""
    named = [(str(number), bool(full)) for number, full in asked]
    return [(number, full) for number, full in named if number.startswith("0x")]


async def test_a_restart_comes_between_a_payment_and_its_confirmation(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """bepusdt's cursor is only in memory, and epusdt does not fill the gap of a reconnect."""
    async with a_wild_world(pool, anvil, block_seconds=block_seconds) as world:
        seen, missed = await world.create_usd(10), await world.create(20)
        await anvil.mint(USD, address(seen), 10)
        await world.mine_and_look()
        await anvil.send(address(missed), 20)
        await world.mine(5)
        await world.restart()
        await world.look()
        await world.mine_and_look(3)
        await world.shows(seen, 10, *WHOLE_WAY)
        await world.shows(missed, 20, *WHOLE_WAY)


async def test_an_expired_payment_is_paid_while_nothing_else_is_open(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """bepusdt stops reading when no order is open."""
    async with a_wild_world(
        pool, anvil, block_seconds=block_seconds, terms=Payments(expires_in_seconds=60)
    ) as world:
        payment = await world.create_usd(100)
        while (await world.now(payment)).status is not Status.EXPIRED:
            await world.mine_and_look()
            await world.expire()
        await world.restart()
        await anvil.mint(USD, address(payment), 100)
        await world.mine_and_look(4)
        now = await world.shows(payment, 100, "expired", "late", flags=["late"])
        assert now.status is Status.EXPIRED


async def test_blocks_are_read_by_backfill_and_live_at_their_seam(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """rindexer 172, Safe 1542: what both read was there twice."""
    async with a_wild_world(pool, anvil, block_seconds=block_seconds) as world:
        coin, usd = await world.create(10), await world.create_usd(20)
        first = await world.height()
        await anvil.send(address(coin), 10)
        await anvil.mint(USD, address(usd), 20)
        await world.mine_and_look(3)
        for _ in range(3):
            await world.read_again(HISTORY, await world.height() - 2)
            await world.mine_and_look()
            await world.read_again(first, await world.height() - 2)
            await world.look()
        for payment, amount in ((coin, 10), (usd, 20)):
            now = await world.shows(payment, amount, *WHOLE_WAY)
            assert len(now.transfers) == 1


async def test_one_reply_of_a_batch_is_missing_and_only_that_is_asked_again(
    pool: Pool, anvil: Anvil
) -> None:
    """web3.py 3657 fails the whole batch; safe-eth-py checks the length."""

    async def truncated(x: Exchange) -> Sent:
        return (await x.truth())[:-1] if len(x.calls) == 5 else None

    async with scripted(pool, anvil) as (endpoint, world):
        endpoint.play = truncated
        endpoint.asked.clear()
        wanted = [BlockNumber(number) for number in range(1, 6)]
        headers = await world.client.headers(wanted)
        assert [header.number for header in headers] == wanted
        asked = [number for number, _ in endpoint.asked[BLOCK]]
        assert asked == ["0x1", "0x2", "0x3", "0x4", "0x5", "0x5"]


@pytest.mark.parametrize(
    "name",
    [
        "out-of-order batch",
        "missing batch item",
        "item twice",
        "error in one item",
        "200 with an error body",
        "batch limit of erigon",
    ],
)
async def test_a_batch_comes_back_broken(
    pool: Pool, anvil: Anvil, block_seconds: float, name: str
) -> None:
    """web3.py 3518, web3.js 4250, erigon 2540 and 7072."""
    async with proxied(pool, anvil, block_seconds=block_seconds) as (endpoint, world):
        coin, usd = await world.create(10), await world.create_usd(20)
        await endpoint.plays(name)
        await anvil.send(address(coin), 10)
        await anvil.mint(USD, address(usd), 20)
        await world.mine(6)
        await world.look()
        assert endpoint.played
        endpoint.calms()
        await world.mine_and_look(3)
        await world.shows(coin, 10, *WHOLE_WAY)
        await world.shows(usd, 20, *WHOLE_WAY)


async def test_an_endpoint_fails_in_every_way_in_turn(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """Backed off, and no block is left out: each payment was made while something else failed."""
    async with proxied(
        pool,
        anvil,
        beside=True,
        block_seconds=block_seconds,
        patience_seconds=PATIENCE_SECONDS,
    ) as (endpoint, world):
        paid = []
        for name in IN_TURN:
            payment = await world.create_usd(5)
            await endpoint.plays(name)
            await anvil.mint(USD, address(payment), 5)
            await world.mine_and_look()
            paid.append(payment)
        endpoint.calms()
        await world.mine_and_look(4)
        for payment in paid:
            await world.shows(payment, 5, *WHOLE_WAY)


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("range limit: Alchemy", [WIDE, 10]),
        ("range limit: Alchemy, inverted", [WIDE, WIDE // 2]),
        ("range limit: Ankr, with a number", [WIDE, 10]),
        ("range limit: Ankr", [WIDE, WIDE // 2]),
    ],
)
async def test_a_suggested_range_gives_its_width_and_never_its_beginning(
    pool: Pool, anvil: Anvil, name: str, widths: list[int]
) -> None:
    """bsc 1215, and rindexer on Alchemy, whose suggestion may be upside down."""
    async with scripted(pool, anvil, block_seconds=SECONDS_IN_RANGES, internal=False) as (
        endpoint,
        world,
    ):
        anchor = await world.height()
        await world.mine(WIDE)
        endpoint.play = FAULTS[name].play
        span = await world.client.span(
            BlockNumber(anchor), BlockNumber(anchor + WIDE), tokens=[USD]
        )
        assert span.last.number == anchor + WIDE
        ranges = [
            (int(asked["fromBlock"], 16), int(asked["toBlock"], 16))
            for [asked] in endpoint.asked[LOGS]
            if "fromBlock" in asked
        ]
        assert [last - first + 1 for first, last in ranges[:2]] == widths
        assert [first for first, _ in ranges[:2]] == [anchor + 1] * 2, "it begins where it did"
        assert max(last for _, last in ranges) == anchor + WIDE


@pytest.mark.parametrize("dialect", ["nethermind and reth", "geth", "besu and erigon"])
async def test_a_node_does_not_know_the_final_block(
    pool: Pool, slow_anvil: Anvil, dialect: str
) -> None:
    """execution-apis 879: null, or one of three errors. The chain's own depth stands in."""
    async with proxy(slow_anvil.url) as endpoint:
        await endpoint.plays(f"no finalized tag: {dialect}")
        async with a_wild_world(pool, slow_anvil, [endpoint.url], finality_depth=5) as world:
            payment = await world.create_usd(100)
            await slow_anvil.mint(USD, address(payment), 100)
            await world.mine_and_look(5)
            await world.shows(payment, 100, *WHOLE_WAY[:3])
            await world.mine_and_look()
            await world.shows(payment, 100, *WHOLE_WAY)


async def test_the_final_block_stands_still_while_the_chain_goes_on(
    pool: Pool, anvil: Anvil
) -> None:
    async with proxied(pool, anvil, confirmations=Depth(tag=Tag.FINALIZED)) as (endpoint, world):
        payment = await world.create_usd(100)
        await endpoint.plays("finalized frozen")
        await anvil.mint(USD, address(payment), 100)
        await world.mine_and_look(8)
        await world.shows(payment, 100, "detected")
        endpoint.calms()
        await world.mine_and_look()
        await world.shows(payment, 100, *WHOLE_WAY)
