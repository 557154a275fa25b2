"""Payments, transfers and changes for tests, each a valid one until told otherwise.

    a_payment(amount=5)                           native coin on anvil, pending, just created
    a_token_payment(expires_at=...)               the same for the listed token
    a_transfer(2, amount=40, block=11)            the second transaction, to that payment
    an_other_transfer(3)                          in an asset that the payment did not ask for
    after(a_payment(), seen(), head(12))          the payment once these have happened

`n` numbers a transaction and `block` a block: the same numbers are the same hashes, so a
transfer built twice is one transfer. `branch` is for blocks that replace others.
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from ctrip.core.blocks import Block, Head, Header
from ctrip.core.chains import Token
from ctrip.core.changes import Change, ClockRead, HeadMoved, TransferLost, TransferSeen
from ctrip.core.events import EventType, PaymentEvent
from ctrip.core.ids import (
    NATIVE,
    Address,
    Amount,
    Asset,
    BlockHash,
    BlockNumber,
    ChainName,
    KeyId,
    PaymentId,
    RawAddress,
    TxHash,
    raw,
)
from ctrip.core.machine import advance
from ctrip.core.payment import Payment, Source, Transfer, TransferKey
from ctrip.core.scan import Cursor
from ctrip.flows.enroll import Made, Replay

CHAIN: Final = ChainName("anvil")
CHAIN_ID: Final = 31337
# EIP-55, from the public mnemonic of anvil: accounts 1 and 2, and its first contract.
ADDRESS: Final = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
OTHER_ADDRESS: Final = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
CONTRACT: Final = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
OWNER: Final = KeyId(UUID("0197a000-0000-7000-8000-00000000000a"))
PAYER: Final = RawAddress("0x" + "fa" * 20)
OTHER_ASSET: Final = Asset("0x" + "0e" * 20)

CREATED: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
DEADLINE: Final = CREATED + timedelta(minutes=30)
WINDOW_END: Final = DEADLINE + timedelta(hours=24)
IN_TIME: Final = CREATED + timedelta(minutes=1)
TOO_LATE: Final = DEADLINE + timedelta(minutes=1)

TOKEN: Final = Token(chain=CHAIN, chain_id=CHAIN_ID, contract=CONTRACT, symbol="TEST", decimals=6)


def a_payment(**changes: Any) -> Payment:
    """Return a payment of 100 wei that was announced (sequence 1) and not yet paid."""
    payment = Payment(
        id=PaymentId(UUID("0197a000-0000-7000-8000-000000000001")),
        owner=OWNER,
        chain=CHAIN,
        chain_id=CHAIN_ID,
        token_id=None,
        contract=None,
        asset=NATIVE,
        currency="ETH",
        decimals=18,
        address=ADDRESS,
        derivation_index=1,
        amount=Amount(100),
        confirmations_required=3,
        confirmed_by=None,
        needs_vouching=False,
        accepts_late=False,
        created_at=CREATED,
        expires_at=DEADLINE,
        watched_until=WINDOW_END,
        sequence=1,
    )
    return replace(payment, **changes)


def new(made: Made | Replay) -> Payment:
    """Return a payment that was not there before."""
    assert isinstance(made, Made)
    return made.payment


def a_token_payment(**changes: Any) -> Payment:
    """Return a payment of 100 base units of TOKEN."""
    asked = {
        "token_id": TOKEN.id,
        "contract": TOKEN.contract,
        "asset": TOKEN.asset,
        "currency": TOKEN.symbol,
        "decimals": TOKEN.decimals,
    }
    return a_payment(**(asked | changes))


def a_transfer(
    n: int = 1,
    amount: int = 100,
    block: int = 10,
    *,
    branch: str = "",
    to: Address = ADDRESS,
    asset: Asset = NATIVE,
    ordinal: int = 0,
    chain: ChainName = CHAIN,
    **changes: Any,
) -> Transfer:
    """Return a transfer to a payment's address, in transaction `n`, mined before the deadline."""
    transfer = Transfer(
        key=TransferKey(chain, tx_hash(n), asset, raw(to), ordinal),
        sender=PAYER,
        amount=Amount(amount),
        block_number=BlockNumber(block),
        block_hash=block_hash(block, branch),
        block_time=IN_TIME,
        source=Source.TRANSACTION if asset == NATIVE else Source.LOG,
        log_index=None if asset == NATIVE else 0,
    )
    return replace(transfer, **changes)


def an_other_transfer(n: int = 1, amount: int = 100, block: int = 10, **changes: Any) -> Transfer:
    """Return a transfer of a listed token that nobody asked for."""
    return a_transfer(n, amount, block, **({"asset": OTHER_ASSET} | changes))


def a_header(number: int, branch: str = "", parent_branch: str | None = None) -> Header:
    """Return the header of a block, the child of the one before on its branch."""
    on = branch if parent_branch is None else parent_branch
    return Header(
        number=BlockNumber(number),
        hash=block_hash(number, branch),
        parent_hash=block_hash(number - 1, on),
        time=IN_TIME,
    )


def a_head(number: int, finalized: int = 0, safe: int | None = None) -> Head:
    """Return how far a chain has come."""
    final = BlockNumber(finalized)
    return Head(
        latest=a_header(number), finalized=final, safe=final if safe is None else BlockNumber(safe)
    )


def a_cursor(
    number: int,
    branch: str = "",
    *,
    finalized: int = 0,
    logged: int | None = None,
    moved_at: datetime = CREATED,
) -> Cursor:
    """Return how far a chain was read, and when."""
    return Cursor(
        number=BlockNumber(number),
        hash=block_hash(number, branch),
        finalized=BlockNumber(finalized),
        safe=BlockNumber(finalized),
        logged=BlockNumber(number if logged is None else logged),
        named=BlockNumber(0),
        time=IN_TIME,
        moved_at=moved_at,
    )


def a_block(number: int, branch: str = "", **changes: Any) -> Block:
    """Return a block, empty until told otherwise."""
    return replace(Block(header=a_header(number, branch)), **changes)


def seen(transfer: Transfer | None = None) -> TransferSeen:
    return TransferSeen(a_transfer() if transfer is None else transfer)


def lost(transfer: Transfer | None = None) -> TransferLost:
    gone = a_transfer() if transfer is None else transfer
    return TransferLost(gone.key, gone.block_hash)


def head(number: int, finalized: int = 0, safe: int | None = None) -> HeadMoved:
    expected = BlockNumber(finalized if safe is None else safe)
    return HeadMoved(CHAIN, BlockNumber(number), BlockNumber(finalized), expected)


def clock(now: datetime = TOO_LATE) -> ClockRead:
    return ClockRead(now)


def run(payment: Payment, *changes: Change) -> tuple[Payment, list[PaymentEvent]]:
    """Let changes happen to a payment in this order; return it and all its news."""
    news: list[PaymentEvent] = []
    for change in changes:
        step = advance(payment, change)
        payment = step.payment
        news += step.events
    return payment, news


def after(payment: Payment, *changes: Change) -> Payment:
    """Return the payment once these have happened."""
    return run(payment, *changes)[0]


def told(payment: Payment, *changes: Change) -> list[EventType]:
    """Return the types of the news these changes make, in order."""
    return [event.type for event in run(payment, *changes)[1]]


def tx_hash(n: int) -> TxHash:
    return TxHash(a_hash(f"tx {n}"))


def block_hash(number: int, branch: str = "") -> BlockHash:
    return BlockHash(a_hash(f"block {number} {branch}".strip()))


def a_hash(text: str) -> str:
    return "0x" + sha256(text.encode()).hexdigest()
