"""Ten thousand payments paid by one block, beside a bare UPDATE of ten thousand such rows.

Ours is what the watcher does between BEGIN and COMMIT: lock the payments, advance each by
its transfer and by the new head, and write payments, transfers, events and deliveries. The
bare UPDATE writes the same columns of as many other payments from arrays that were built
beforehand, and knows nothing of transfers, events or what the columns mean. Both wait for
the disk, in one process that is set up as `serve` sets itself up. bench/scan.py prints what
`measure` finds.
"""

import tempfile
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final
from uuid import uuid4

from msgspec import Struct

from ctrip.app import settle_in
from ctrip.clock import SystemClock
from ctrip.core.changes import HeadMoved, TransferSeen
from ctrip.core.errors import InvariantError
from ctrip.core.ids import (
    NATIVE,
    NOBODY,
    Address,
    Amount,
    Asset,
    BlockHash,
    BlockNumber,
    ChainName,
    PaymentId,
    RawAddress,
    TokenId,
    TxHash,
    raw,
)
from ctrip.core.payment import Payment, Source, Status, Transfer, TransferKey
from ctrip.dev import postgres
from ctrip.flows.apply import Changes, apply
from ctrip.settings import Secret
from ctrip.store import births, endpoints
from ctrip.store.migrate import migrate, read_files
from ctrip.store.payments import Birth
from ctrip.store.pool import Conn, Pool, connect, connection, transaction

PAYMENTS: Final = 10_000
ROUNDS: Final = 5  # the first warms up and is not counted
BIRTHS: Final = 1_000  # payments made in one statement while preparing
CHAIN: Final = ChainName("bench")
BLOCK: Final = BlockNumber(1_000)
CONTRACT: Final = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
PAYER: Final = RawAddress("0x" + "fa" * 20)
AMOUNT: Final = Amount(10**18)
NUMBERS: Final = count(1)

# Each round finds tables of the same size, or the last would measure the cache instead.
RECEIVER: Final = "https://shop.example/hook"  # so that every event has somebody to go to
EMPTY: Final = "TRUNCATE payments, transfers, events, deliveries CASCADE"
BARE: Final = """
UPDATE payments AS p SET
    status = new.status, flags = new.flags::text[], detected_in_block = new.detected_in_block,
    amount_received = new.amount_received, sequence = new.sequence, lapsed = new.lapsed,
    closed = new.closed, cancelled = new.cancelled, accepted_amount = new.accepted_amount,
    expires_at = new.expires_at, watched_until = new.watched_until,
    stood_until = new.stood_until, extended_seconds = new.extended_seconds
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::numeric[], $6::int[], $7::bool[],
    $8::bool[], $9::bool[], $10::numeric[], $11::timestamptz[], $12::timestamptz[],
    $13::timestamptz[], $14::int[])
AS new (id, status, flags, detected_in_block, amount_received, sequence, lapsed, closed,
    cancelled, accepted_amount, expires_at, watched_until, stood_until, extended_seconds)
WHERE p.id = new.id
"""


class Round(Struct, frozen=True):
    """One turn of both sides, in seconds."""

    ours: float
    bare: float


async def measure() -> None:
    """Print both sides for native coin and for a token, and the medians of their ratios."""
    settle_in()
    with (
        tempfile.TemporaryDirectory(prefix="ctrip-bench-") as folder,
        postgres.start(Path(folder) / "postgres") as cluster,
    ):
        pool = await connect(Secret(cluster.url), size_max=1)
        try:
            async with connection(pool) as conn:
                await migrate(conn, read_files())
            for name, asset in (("native", NATIVE), ("token", Asset(raw(CONTRACT)))):
                rounds = [await one_round(pool, asset) for _ in range(ROUNDS)]
                report(name, rounds[1:])
        finally:
            await pool.close()


def report(name: str, rounds: Sequence[Round]) -> None:
    """Print what one kind of money took."""
    ours = PAYMENTS / median(one.ours for one in rounds)
    bare = PAYMENTS / median(one.bare for one in rounds)
    ratio = median(one.bare / one.ours for one in rounds)
    print(
        f"apply, {name}: {ours:.0f} payments/s, bare UPDATE {bare:.0f} rows/s, ratio {ratio:.2f} "
        f"(medians of {len(rounds)} rounds of {PAYMENTS})"
    )


async def one_round(pool: Pool, asset: Asset) -> Round:
    """Let both sides have fresh rows and a turn."""
    async with connection(pool) as conn:
        await conn.execute(EMPTY)
        await endpoints.sync_config(conn, RECEIVER, now=SystemClock().now())
    mine, theirs = [await born(pool, asset) for _ in range(2)]
    changes = paid(mine)
    start = perf_counter()
    async with transaction(pool) as conn:
        events = await apply(conn, changes, now=SystemClock().now())
    ours = perf_counter() - start
    arrays = columns(theirs)
    start = perf_counter()
    async with transaction(pool) as conn:
        await conn.execute(BARE, *arrays)
    bare = perf_counter() - start
    async with connection(pool) as conn:
        await check(conn, [*mine, *theirs])
    if len(events) != PAYMENTS:
        raise InvariantError(f"{len(events)} events of {PAYMENTS} payments")
    return Round(ours, bare)


async def born(pool: Pool, asset: Asset) -> list[Payment]:
    """Make payments as a gateway does, and let Postgres take stock of them."""
    made = [a_payment(next(NUMBERS), asset) for _ in range(PAYMENTS)]
    async with connection(pool) as conn:
        for start in range(0, PAYMENTS, BIRTHS):
            some = made[start : start + BIRTHS]
            now = some[0].created_at
            await births.write(
                conn,
                [Birth(payment) for payment in some],
                wallet="bench",
                orders_are_unique=False,
                now=now,
            )
        await conn.execute("VACUUM ANALYZE")
    return made


def a_payment(number: int, asset: Asset) -> Payment:
    """Return a payment like those of a shop."""
    now = SystemClock().now()
    native = asset == NATIVE
    return Payment(
        id=PaymentId(uuid4()),
        owner=NOBODY,
        chain=CHAIN,
        chain_id=31337,
        token_id=None if native else TokenId(uuid4()),
        contract=None if native else CONTRACT,
        asset=asset,
        currency="ETH" if native else "TEST",
        decimals=18,
        address=Address(f"0x{number:040x}"),
        derivation_index=number,
        amount=AMOUNT,
        confirmations_required=12,
        confirmed_by=None,
        needs_vouching=False,
        accepts_late=False,
        created_at=now,
        expires_at=now + timedelta(minutes=30),
        watched_until=now + timedelta(days=1),
        order_id=f"order-{number}",
        metadata={"customer": f"{number}", "basket": "two books"},
        redirect_url="https://shop.example/thanks",
        sequence=1,
    )


def paid(payments: Sequence[Payment]) -> Changes:
    """Return a block that pays each of them in a transaction of its own."""
    block_hash = BlockHash(f"0x{next(NUMBERS):064x}")
    return {
        payment.id: [
            TransferSeen(
                Transfer(
                    key=TransferKey(
                        payment.chain,
                        TxHash("0x" + sha256(payment.id.bytes).hexdigest()),
                        payment.asset,
                        raw(payment.address),
                        0,
                    ),
                    sender=PAYER,
                    amount=payment.amount,
                    block_number=BLOCK,
                    block_hash=block_hash,
                    block_time=payment.created_at,
                    source=Source.TRANSACTION if payment.asset == NATIVE else Source.LOG,
                    log_index=None if payment.asset == NATIVE else index,
                )
            ),
            HeadMoved(payment.chain, BLOCK, BlockNumber(0), BlockNumber(0)),
        ]
        for index, payment in enumerate(payments)
    }


def columns(payments: Sequence[Payment]) -> list[list[object]]:
    """Return what the same news makes of as many other rows, ready to be sent."""
    same: tuple[object, ...] = (Status.DETECTED, "{}", BLOCK, AMOUNT, 2, False, False, False, None)
    rows = [(p.id, *same, p.expires_at, p.watched_until, None, 0) for p in payments]
    return [list(column) for column in zip(*rows, strict=True)]


async def check(conn: Conn, payments: Sequence[Payment]) -> None:
    """Make sure that both sides did it."""
    done = await conn.fetchval(
        "SELECT count(*) FROM payments WHERE id = ANY($1) AND status = 'detected'"
        " AND amount_received = amount AND detected_in_block = $2 AND sequence = 2",
        [payment.id for payment in payments],
        BLOCK,
    )
    if done != len(payments):
        raise InvariantError(f"{done} payments of {len(payments)} are detected")
