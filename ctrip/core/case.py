"""All that is known when somebody asks why a payment is not paid: what explain.py is given.

flows/explain.py gathers it. A part that could not be learnt says why, in words that a shop
may see: it is a fact like the others.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from ctrip.core.chains import Chain
from ctrip.core.ids import BlockNumber, ChainName, PaymentId, RawAddress, TxHash, raw
from ctrip.core.payment import Payment, Transfer
from ctrip.core.reasons import Reason
from ctrip.core.transaction import Moved, Transaction

ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}")
TX_HASH: Final = re.compile(r"0x[0-9a-f]{64}")


class About(Struct, frozen=True, kw_only=True):
    """What is asked about: one of the three."""

    payment_id: PaymentId | None = None
    address: RawAddress | None = None
    tx_hash: TxHash | None = None


def read_about(text: str) -> About | None:
    """Tell an id, an address and a transaction hash apart by their shape."""
    text = text.strip().lower()
    if TX_HASH.fullmatch(text):
        return About(tx_hash=TxHash(text))
    if ADDRESS.fullmatch(text):
        return About(address=RawAddress(text))
    try:
        return About(payment_id=PaymentId(UUID(text)))
    except ValueError:
        return None


class Trouble(Struct, frozen=True):
    """What is wrong with an endpoint of a chain. The label stands for its URL."""

    label: str
    why: str


class Reading(Struct, frozen=True, kw_only=True):
    """How far the payment's chain was read."""

    read: BlockNumber | None = None  # None: it never was
    read_until: datetime | None = None  # the time of the block up to which nothing is left out
    head: BlockNumber | None = None  # the newest block that its endpoints show
    has_gap: bool = False  # blocks of a downtime are still being read
    fault: str = ""  # why it cannot be read now
    pace_seconds: float  # from block to block
    since: BlockNumber | None = None  # its newest block when the payment was made
    since_is_estimate: bool = False
    troubles: tuple[Trouble, ...] = ()


class Delivery(Struct, frozen=True, kw_only=True):
    """How far an event of the payment has come on its way to one receiver."""

    type: str
    endpoint_id: str
    state: str  # waiting, sending, delivered or dead
    attempts: int
    outcome: str | None  # of the last attempt
    at: datetime | None  # when it ended, or is tried next


class Look(Struct, frozen=True, kw_only=True):
    """What one chain says of a transaction."""

    chain: ChainName
    found: Transaction | None = None
    fault: str = ""  # it could not be asked


class Complaint(Struct, frozen=True, kw_only=True):
    """A transaction that is said to have paid."""

    tx_hash: TxHash
    looks: tuple[Look, ...]
    # Of the addresses it has to do with, those of payments that the asker may see.
    ours: Mapping[RawAddress, PaymentId] = {}
    paid: tuple[PaymentId, ...] = ()  # and of these it is on record as having paid them


class Case(Struct, frozen=True, kw_only=True):
    """Everything."""

    now: datetime
    chains: Mapping[ChainName, Chain]  # that are served
    payment: Payment | None = None  # None: a transaction that has to do with none
    reading: Reading | None = None  # None: the payment's chain is not served
    announced: tuple[tuple[str, datetime], ...] = ()  # its events, the first one first
    deliveries: tuple[Delivery, ...] = ()
    complaint: Complaint | None = None

    def on_record(self) -> list[Transfer]:
        """Return the transfers that the transaction complained of is known to have made."""
        if self.payment is None or self.complaint is None:
            return []
        tx_hash = self.complaint.tx_hash
        return [t for t in self.payment.transfers if t.key.tx_hash == tx_hash and t.amount]

    def sighting(self) -> Look | None:
        """Return where the transaction was found; if on several chains, where it matters most."""
        if self.complaint is None:
            return None
        home = self.payment.chain if self.payment else None

        def rank(look: Look) -> tuple[bool, bool]:
            return look.found is None or look.found.block is None, look.chain != home

        found = [look for look in self.complaint.looks if look.found is not None]
        return min(found, key=rank, default=None)

    def is_to_payment(self, moved: Moved) -> bool:
        """Tell whether something went to the payment's address."""
        return self.payment is not None and moved.recipient == raw(self.payment.address)


class Verdict(Struct, frozen=True):
    """The answer: a stable code, and the sentence."""

    code: Reason
    text: str
