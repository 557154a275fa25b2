"""Addresses that nobody else gets: indexes of the wallet, reserved and derived.

An index is reserved in a statement of its own before the payment is written, so the row of the
wallet is never locked while a payment is, and an index is never handed out twice, whatever
becomes of the payment.

To derive an address takes a good part of the time that a create takes, so under load the next
batch's are derived while Postgres writes this one.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from ctrip.core.ids import Address
from ctrip.store import wallets
from ctrip.store.pool import Pool, connection
from ctrip.wallet.derive import Wallet

BUSY_BATCH_MIN: Final = 4  # payments; smaller ones reserve what they need and leave no gaps
BATCHES_AHEAD: Final = 8  # what a busy batch reserves beyond its own need


class Place(Struct, frozen=True):
    """An address, and where in the wallet it is."""

    index: int
    address: Address


class Addresses:
    """Hands out the addresses of a wallet."""

    def __init__(self, wallet: Wallet, pool: Pool) -> None:
        self.wallet = wallet.fingerprint
        self._wallet = wallet
        self._pool = pool
        self._indexes: deque[int] = deque()  # reserved, not yet derived
        self._places: deque[Place] = deque()  # derived, not yet used

    async def take(self, count: int) -> list[Place]:
        """Return places for a batch."""
        while (lacking := count - len(self._places)) > len(self._indexes):
            await self._reserve(count)
        self._places.extend(self._derive([self._indexes.popleft() for _ in range(lacking)]))
        return [self._places.popleft() for _ in range(count)]

    async def prepare(self, count: int) -> None:
        """Derive for a batch to come; a small one is not worth a gap."""
        if count >= BUSY_BATCH_MIN and len(self._indexes) < count:
            await self._reserve(count)
        lacking = min(count - len(self._places), len(self._indexes))
        self._places.extend(self._derive([self._indexes.popleft() for _ in range(lacking)]))

    async def _reserve(self, count: int) -> None:
        """Reserve for a batch; under load also for some that follow."""
        ahead = 0 if count < BUSY_BATCH_MIN else count * BATCHES_AHEAD
        async with connection(self._pool) as conn:
            first = await wallets.reserve(conn, self.wallet, count + ahead)
        self._indexes.extend(range(first, first + count + ahead))

    def _derive(self, indexes: Sequence[int]) -> list[Place]:
        return [Place(index, self._wallet.address(index)) for index in indexes]
