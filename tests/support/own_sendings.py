"""Transactions of our own, on record as the settlement writes them, without any settlement.

await sent(conn, tx_hash, sender=GAS, to=address, amount=5)       broadcast, and maybe mined
await mined(conn, tx_hash, block=7)                                as the follower notes it
await final(conn, tx_hash)
"""

from itertools import count
from typing import Final
from uuid import uuid4

from ctrip.core.ids import NATIVE, Asset, BlockNumber, ChainName, RawAddress, TxHash
from ctrip.store.pool import Conn
from tests.support.builders import CHAIN, CREATED, block_hash
from tests.support.fake_blocks import FEE

GAS: Final = RawAddress("0x" + "9a" * 20)  # the gas wallet
TREASURY: Final = RawAddress("0x" + "7e" * 20)
NONCES = count()

SENT = """
INSERT INTO sendings (id, chain, sender, nonce, purpose, asset, amount, beneficiary, recipient,
    data, gas, state, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 21000, $11, $12)
"""
VERSION = """
INSERT INTO sending_versions (tx_hash, sending_id, raw, value, max_fee, created_at)
VALUES ($1, $2, '0x', $3, 1, $4)
"""
FOUND = "sendings WHERE id = (SELECT sending_id FROM sending_versions WHERE tx_hash = $1)"
MINED = """
UPDATE sendings SET state = $2, tx_hash = $1, block_number = $3, block_hash = $4, fee = $5
WHERE id = (SELECT sending_id FROM sending_versions WHERE tx_hash = $1)
"""
MOVED = f"""
INSERT INTO sending_moves
SELECT id, sender, asset, -amount FROM {FOUND} UNION ALL
SELECT id, beneficiary, asset, amount FROM {FOUND}
"""
FINAL = """
UPDATE sendings SET final = true
WHERE id = (SELECT sending_id FROM sending_versions WHERE tx_hash = $1)
"""


async def sent(
    conn: Conn,
    tx_hash: TxHash,
    *,
    sender: RawAddress,
    to: RawAddress,
    amount: int,
    asset: Asset = NATIVE,
    state: str = "sent",
    chain: ChainName = CHAIN,
) -> None:
    """Put on record that we broadcast a transaction."""
    sending_id, native = uuid4(), asset == NATIVE
    recipient, data = (to, "0x") if native else (asset, "0xa9059cbb")
    purpose = "fuel" if sender == GAS else "sweep"
    await conn.execute(
        SENT, sending_id, chain, sender, next(NONCES), purpose, asset, amount, to, recipient, data,
        state, CREATED,
    )  # fmt: skip
    await conn.execute(VERSION, tx_hash, sending_id, amount if native else 0, CREATED)


async def mined(
    conn: Conn, tx_hash: TxHash, *, block: int, fails: bool = False, fee: int = FEE
) -> None:
    """Note in which block it is, and what it did there."""
    number = BlockNumber(block)
    state = "failed" if fails else "mined"
    await conn.execute(MINED, tx_hash, state, number, block_hash(number), fee)
    if not fails:
        await conn.execute(MOVED, tx_hash)


async def final(conn: Conn, tx_hash: TxHash) -> None:
    """Note that its block will not be replaced."""
    await conn.execute(FINAL, tx_hash)
