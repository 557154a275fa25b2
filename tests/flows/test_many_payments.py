"""One block pays ten thousand payments: all are found in one pass, in a limited number of steps."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from msgspec.structs import replace

from ctrip.chain.client import ChainClient
from ctrip.chain.rpc import RpcChain
from ctrip.core.chains import Chain
from ctrip.core.errors import InvariantError
from ctrip.core.finality import Depth
from ctrip.core.ids import Address, Amount, PaymentId, raw
from ctrip.core.payment import Payment
from ctrip.dev import token as dev_token
from ctrip.flows.apply import BREATH, PART_MIN, PARTS_MAX, apply, draw_up
from ctrip.flows.health import Health
from ctrip.flows.watch import Watcher
from ctrip.settings import Secret
from ctrip.store import births
from ctrip.store.payments import Birth
from ctrip.store.pool import Pool, connection, transaction
from tests.flows.world import ANVIL
from tests.store.rows import WALLET, fresh
from tests.support.anvil import Anvil, running_anvil
from tests.support.builders import CREATED, TOKEN, a_transfer, head, lost, seen
from tests.support.clock import FakeClock
from tests.support.fake_chain import FakeChain
from tests.support.flaky import FlakyPool
from tests.support.receivers_on_record import has_receiver
from tests.support.token_contracts import deploy

MANY: Final = 10_000
COINS: Final = 500  # of them for native coin
BATCH: Final = 50  # tokens in one transaction
GAS_OF_BLOCK: Final = hex(2_000_000_000)
PLAIN: Final = 2**32  # the lowest addresses are precompiled contracts, not all of which take coin
FOR_EVER: Final = datetime(2100, 1, 1, tzinfo=UTC)  # a node's clock is not ours
# BEGIN, the cursor held, blocks, transfers above, payments deepened, COMMIT and the like.
AROUND_MAX: Final = 17
EMPTY: Final = "TRUNCATE cursors, blocks, payments, transfers, events, deliveries CASCADE"
USD: Final = replace(TOKEN, contract=dev_token.ADDRESS)
SERVED: Final = replace(ANVIL, confirmations=Depth(12), internal=False, tokens=(USD,))


async def born(pool: Pool, count: int) -> list[Payment]:
    """Make payments, all but the first few for the token."""
    coin = {"expires_at": FOR_EVER, "watched_until": FOR_EVER}
    usd = coin | {"contract": USD.contract, "asset": USD.asset, "token_id": USD.id}
    made = [
        replace(fresh(), address=Address(f"0x{PLAIN + n:040x}"), **(coin if n < COINS else usd))
        for n in range(count)
    ]
    await has_receiver(pool)
    async with connection(pool) as conn:
        new = [Birth(payment) for payment in made]
        await births.write(conn, new, wallet=WALLET, orders_are_unique=False, now=CREATED)
    return made


def a_watcher(chain: Chain, client: ChainClient, pool: Pool) -> Watcher:
    clock = FakeClock()
    health = Health(clock, [chain])
    return Watcher(chain, client, pool, clock, health, asyncio.Event())


async def outcome(pool: Pool) -> list[tuple[Any, ...]]:
    """Return how many payments are in which state, with so many transfers, events, deliveries."""
    async with connection(pool) as conn:
        rows = await conn.fetch(
            "SELECT status, amount_received = amount AS paid, flags = '{}' AS plain, "
            "(SELECT count(*) FROM transfers t WHERE t.payment_id = p.id) AS transfers, "
            "(SELECT string_agg(type || ' ' || (SELECT string_agg(endpoint_id, ',') "
            "FROM deliveries WHERE event_id = e.id), '; ' ORDER BY sequence) FROM events e "
            "WHERE e.payment_id = p.id) AS news, count(*) FROM payments p GROUP BY 1, 2, 3, 4, 5"
        )
    return [tuple(row) for row in rows]


ALL_DETECTED: Final = (
    "detected",
    True,
    True,
    1,
    "payment.created we_config; payment.detected we_config",
)


@pytest.fixture
async def anvil() -> AsyncIterator[Anvil]:
    async with running_anvil() as chain:
        await chain.rpc("evm_setBlockGasLimit", GAS_OF_BLOCK)
        yield chain


async def pay_all(chain: Anvil, made: Sequence[Payment]) -> None:
    """Pay all in one block: coin one by one, tokens as exchanges do.

    Reading a block takes anvil a time that grows with the square of its transactions: 3 s for
    4,000. So the tokens come fifty in one.
    """
    payer = await deploy(chain, "Disperser")
    await chain.mint(raw(USD.contract), payer.address, 100 * len(made))
    await chain.mine()
    for payment in made[:COINS]:
        await chain.send(raw(payment.address), payment.amount)
    for start in range(COINS, len(made), BATCH):
        to = [payment.address for payment in made[start : start + BATCH]]
        await payer.send("disperse(address,address[],uint256)", USD.contract, to, 100)
    await chain.mine()


async def test_ten_thousand_payments_paid_in_one_block_of_a_real_chain_are_all_detected(
    pool: Pool, anvil: Anvil
) -> None:
    assert await anvil.ensure_token() == raw(USD.contract)
    client = RpcChain(SERVED, [Secret(anvil.url)], FakeClock())
    watcher = a_watcher(SERVED, client, pool)
    await watcher.run_once()
    made = await born(pool, MANY)
    await pay_all(anvil, made)
    block = await anvil.rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003  JSON-RPC
    assert len(block["transactions"]) == COINS + (MANY - COINS) / BATCH
    counting = FlakyPool(pool)
    watcher = a_watcher(SERVED, client, counting.as_pool())
    assert not await watcher.run_once(), "one pass"
    await client.close()
    assert await outcome(pool) == [(*ALL_DETECTED, MANY)]
    assert len(counting.statements) <= AROUND_MAX + 2 + 3 * PARTS_MAX


async def test_the_number_of_statements_does_not_follow_the_number_of_payments(pool: Pool) -> None:
    counts = []
    for many in (PARTS_MAX * PART_MIN, MANY):
        chain, counting = FakeChain(), FlakyPool(pool)
        watcher = a_watcher(SERVED, chain, counting.as_pool())
        async with connection(pool) as conn:
            await conn.execute(
                "TRUNCATE cursors, blocks, payments, transfers, events, deliveries CASCADE"
            )
        await watcher.run_once()
        for payment in await born(pool, many):
            if payment.contract:
                chain.pay_token(raw(payment.contract), raw(payment.address), payment.amount)
            else:
                chain.pay(raw(payment.address), payment.amount)
        chain.mine()
        counting.statements.clear()
        assert not await watcher.run_once()
        assert await outcome(pool) == [(*ALL_DETECTED, many)]
        counts.append(len(counting.statements))
    assert counts[0] == counts[1] <= AROUND_MAX + 2 + 3 * PARTS_MAX


async def test_few_payments_are_written_in_three_statements(pool: Pool) -> None:
    made = await born(pool, 20)
    counting = FlakyPool(pool)
    async with transaction(counting.as_pool()) as conn:
        await apply(conn, paid(made), now=CREATED)
    assert len(counting.statements) == len(["BEGIN", "lock", "transfers"]) + 3 + len(["COMMIT"])


async def test_others_have_their_turn_while_many_are_drawn_up() -> None:
    made = [fresh() for _ in range(20 * BREATH)]
    turns, over = 0, False

    async def other() -> None:
        nonlocal turns
        while not over:
            turns += 1
            await asyncio.sleep(0)  # it is what others do

    async def ours() -> None:
        nonlocal over
        part = await draw_up(made, paid(made), CREATED)
        over = True
        assert len(part.events) == len(made)

    await asyncio.gather(other(), ours())
    assert turns >= len(made) / BREATH


async def test_a_fault_in_a_late_part_leaves_nothing_written(pool: Pool) -> None:
    made = await born(pool, 3 * PART_MIN)
    changes = paid(made)
    last = max(made, key=lambda payment: payment.id)
    final = a_transfer(1, 5, 3, to=last.address)
    changes[last.id] = [seen(final), head(9, 9), lost(final)]
    with pytest.raises(InvariantError, match="was taken back"):
        async with transaction(pool) as conn:
            await apply(conn, changes, now=CREATED)
    assert await outcome(pool) == [
        ("pending", False, True, 0, "payment.created we_config", len(made))
    ]


def paid(made: Sequence[Payment]) -> dict[PaymentId, list[Any]]:
    """Return a block that pays each of them."""
    return {
        payment.id: [
            seen(a_transfer(number, Amount(100), to=payment.address, asset=payment.asset)),
            head(10),
        ]
        for number, payment in enumerate(made)
    }
