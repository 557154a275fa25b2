"""Cases for tests of what is explained: payments, transactions, and what chains say of them.

a_case()                                    a payment of which nothing came
paid(seen(), head(11))                      the same after these changes
about(a_transaction(moved()), seen())       and somebody complains of transaction 1
"""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from ctrip.core.case import (
    Case,
    Complaint,
    Look,
    Reading,
)
from ctrip.core.chains import Chain
from ctrip.core.changes import Change
from ctrip.core.events import EventType
from ctrip.core.finality import Depth, Tag
from ctrip.core.ids import (
    NATIVE,
    Amount,
    Asset,
    BlockNumber,
    ChainName,
    PaymentId,
    RawAddress,
    raw,
)
from ctrip.core.payment import Payment
from ctrip.core.transaction import Moved, Transaction
from tests.support import builders
from tests.support.builders import (
    ADDRESS,
    CHAIN,
    CHAIN_ID,
    CREATED,
    IN_TIME,
    OTHER_ADDRESS,
    OTHER_ASSET,
    PAYER,
    TOKEN,
    a_header,
    after,
    tx_hash,
)

MOON: Final = ChainName("moon")
DECIMALS: Final = 2
SERVED: Final = {
    CHAIN: Chain(
        name=CHAIN,
        chain_id=CHAIN_ID,
        confirmations=Depth(3),
        finality_depth=64,
        poll_interval_seconds=1,
        coin_decimals=DECIMALS,
        tokens=(TOKEN,),
    ),
    MOON: Chain(
        name=MOON,
        chain_id=7,
        confirmations=Depth(3),
        finality_depth=64,
        poll_interval_seconds=1,
        coin_decimals=DECIMALS,
        coin="MOON",
    ),
}
READING: Final = Reading(
    read=BlockNumber(12),
    read_until=IN_TIME,
    head=BlockNumber(12),
    pace_seconds=12,
    since=BlockNumber(9),
)
NOW: Final = IN_TIME + timedelta(seconds=5)
STRANGER: Final = RawAddress("0x" + "57" * 20)
FORWARDER: Final = RawAddress("0x" + "f0" * 20)
OTHER_ID: Final = PaymentId(UUID(int=2))
CONFIRMED: Final = ((EventType.CREATED.value, CREATED), (EventType.CONFIRMED.value, IN_TIME))


def a_payment(**changes: Any) -> Payment:
    """Return a payment of one whole coin, of which there are few parts, to be read easily."""
    return builders.a_payment(**({"decimals": DECIMALS} | changes))


def a_case(payment: Payment | None = None, **changes: Any) -> Case:
    case = Case(now=NOW, chains=SERVED, payment=payment or a_payment(), reading=READING)
    return replace(case, **changes)


def moved(amount: int = 100, to: str = ADDRESS, asset: Asset = NATIVE) -> Moved:
    return Moved(asset=asset, sender=PAYER, recipient=raw_of(to), amount=Amount(amount))


def raw_of(address: str) -> RawAddress:
    return RawAddress(address.lower())


def a_transaction(*moves: Moved, block: int | None = 10, **changes: Any) -> Transaction:
    """Return a transaction that did what it was to do, if it is in a block."""
    made = Transaction(
        tx_hash=tx_hash(1),
        sender=PAYER,
        recipient=raw(ADDRESS),
        calls=False,
        offered=moves,
        nonce=4,
        sender_nonce=4 if block is None else None,
        block=None if block is None else a_header(block),
        succeeded=block is not None,
        moved=moves if block is not None else (),
    )
    return replace(made, **changes)


def complained(
    found: Transaction | None, chain: ChainName = CHAIN, *, fault: str = "", **changes: Any
) -> Complaint:
    """Return what the chains say of transaction 1, which one of them may know."""
    looks = tuple(
        Look(chain=name, found=found, fault=fault) if name == chain else Look(chain=name)
        for name in SERVED
    )
    return replace(Complaint(tx_hash=tx_hash(1), looks=looks), **changes)


def about(found: Transaction | None, *changes: Change, payment: Payment | None = None) -> Case:
    """Return a payment after some changes, and a complaint."""
    made = after(payment or a_payment(), *changes)
    return a_case(made, complaint=complained(found))


def paid(*changes: Change, **fields: Any) -> Case:
    return a_case(after(a_payment(**fields), *changes))


STOOD_STILL: Final = replace(READING, fault="no endpoint answers")
LAGS: Final = replace(READING, head=BlockNumber(900))
HOUR: Final = timedelta(hours=1)
TO_OTHER: Final = moved(to=OTHER_ADDRESS)
UNLISTED: Final = moved(asset=OTHER_ASSET)
BY_TAG: Final = {"confirmed_by": Tag.FINALIZED}
THROUGH: Final = a_transaction(
    moved(5, to=FORWARDER), calls=True, recipient=FORWARDER, offered=(moved(5, to=FORWARDER),)
)
