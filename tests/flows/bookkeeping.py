"""A shop whose payments are paid and swept by hand, and the books of it."""

from typing import Any

from ctrip.core.ids import NATIVE, Asset, RawAddress, TxHash
from ctrip.core.payment import Payment
from ctrip.flows.books import Bookkeeper
from ctrip.store.pool import connection
from tests.flows.world import USD, World, address
from tests.support import own_sendings
from tests.support.fake_blocks import Move
from tests.support.own_sendings import GAS, TREASURY


def a_bookkeeper(world: World) -> Bookkeeper:
    """Return one that remembers nothing, as after a restart."""
    return Bookkeeper(world.served.name, world.pool, world.clock)


async def balances(world: World, account: str = "%") -> dict[str, dict[str, int]]:
    """Return what accounts hold, by asset; the address of one is cut to its first digits."""
    rows = await world.rows(
        "SELECT account, asset, sum(amount) AS amount FROM ledger WHERE account LIKE $1 "
        "GROUP BY account, asset HAVING sum(amount) <> 0",
        account,
    )
    held: dict[str, dict[str, int]] = {}
    for row in rows:
        held.setdefault(row["account"], {})[row["asset"]] = row["amount"]
    return held


def deposit(payment: Payment) -> str:
    return f"deposit:{address(payment)}"


async def entries(world: World) -> list[tuple[str, int]]:
    """Return all entries in the order they were made."""
    rows = await world.rows("SELECT kind, amount FROM ledger_entries ORDER BY id")
    return [(row["kind"], row["amount"]) for row in rows]


async def note(world: World, tx_hash: TxHash, **what: Any) -> None:
    """Put a transaction on record as one of ours that is out."""
    async with connection(world.pool) as conn:
        await own_sendings.sent(conn, tx_hash, **what)


async def follow(world: World, tx_hash: TxHash, *, fails: bool = False, final: bool = True) -> None:
    """Note that a transaction is in the newest block."""
    async with connection(world.pool) as conn:
        await own_sendings.mined(conn, tx_hash, block=world.chain.tip.number, fails=fails)
        if final:
            await own_sendings.final(conn, tx_hash)


async def fuel(world: World, to: RawAddress, amount: int) -> TxHash:
    """Send coin for the gas of an address."""
    tx_hash = world.chain.pay(to, amount, sender=GAS)
    await note(world, tx_hash, sender=GAS, to=to, amount=amount)
    return tx_hash


async def sweep(world: World, payment: Payment, amount: int, *, fails: bool = False) -> TxHash:
    """Send what an address holds to the treasury."""
    owner, asset = address(payment), Asset(payment.asset)
    if asset == NATIVE:
        tx_hash = world.chain.pay(TREASURY, amount, sender=owner, fails=fails)
    else:
        tx_hash = world.chain.pay_tokens(Move(USD, TREASURY, amount, sender=owner), fails=fails)
    await note(world, tx_hash, sender=owner, to=TREASURY, amount=amount, asset=asset)
    return tx_hash
