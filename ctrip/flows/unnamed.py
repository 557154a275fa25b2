"""Balances beyond the record, until they count.

What only a balance showed is never credited while it may still be named, or taken back by a
reorg: it is remembered together with its block, and when that block is final, it counts. What is
remembered is in memory only; whoever starts again sees the same balances again.

Meanwhile another endpoint is asked whether the address held as much, as soon as it was seen,
because nodes forget the state of a block after some others. If it did not, all are asked. Unless
most of them show it, it is held, and health says who does; what nobody shows any more is looked
for again. Where nobody else can tell, one word is enough.
"""

from collections import defaultdict
from itertools import groupby
from typing import Final

from msgspec import Struct

from ctrip import logs
from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.core.blocks import Header, Holding
from ctrip.core.changes import BalanceRead, Change
from ctrip.core.facts import UNKNOWN_SENDER
from ctrip.core.ids import Amount, Asset, BlockNumber, ChainName, PaymentId, RawAddress, TxHash
from ctrip.core.payment import Source, Transfer, TransferKey
from ctrip.flows.apply import apply
from ctrip.flows.on_chain import EndpointsDisagree, OnChain
from ctrip.flows.weigh import weighed
from ctrip.store import own_moves
from ctrip.store.pool import transaction

CREDITS_PER_PASS_MAX: Final = 500  # balances that count at once, so that a pass stays short
OPINIONS_PER_PASS_MAX: Final = 20  # each costs a few calls at every endpoint

Key = tuple[PaymentId, Asset, BlockNumber]

log = logs.get("ctrip.weigh")


class Seen(Struct, frozen=True, kw_only=True):
    """A balance beyond the record, which no transaction explained when it was read."""

    payment_id: PaymentId
    owner: RawAddress
    asset: Asset
    balance: Amount
    block: Header

    @property
    def key(self) -> Key:
        return self.payment_id, self.asset, self.block.number


class Unnamed(OnChain):
    """The balances of one chain that count when the block they were read at is final."""

    def begin(self) -> None:
        """Set up what is remembered between passes."""
        self._waiting: dict[Key, Seen] = {}
        self._vouched: set[Key] = set()  # another endpoint shows them too
        self._doubts: dict[Key, str] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, seen: Seen) -> None:
        """Remember a balance; one that was read at the same height before was of another branch."""
        self._forget(seen)
        self._waiting[seen.key] = seen

    def clear(self) -> None:
        """Forget all: they are looked for again."""
        self.begin()

    def complain(self) -> None:
        """Raise EndpointsDisagree if something is held because they do."""
        if self._doubts:
            one = next(iter(self._doubts.values()))
            raise EndpointsDisagree(f"{self.chain.name}: {one}. It does not count until they agree")

    async def credit(self, finalized: BlockNumber) -> list[Seen]:
        """Let count what is final by now; return what went away, to be looked for again.

        The oldest come first: each counts what is beyond the record with those before it.
        """
        gone = await self._vouch()
        ready = [
            one
            for key, one in self._waiting.items()
            if one.block.number <= finalized and key not in self._doubts
        ]
        due = sorted(ready, key=lambda one: one.block.number)[:CREDITS_PER_PASS_MAX]
        if not due:
            return gone
        numbers = sorted({one.block.number for one in due})
        on_chain = set(await self._client.headers(numbers))
        counting = [one for one in due if one.block in on_chain]
        asked = [(one.payment_id, one.asset, one.block.number) for one in counting]
        changes: dict[PaymentId, list[Change]] = defaultdict(list)
        now = self._clock.now()
        async with transaction(self._pool) as conn:
            moved = await own_moves.moved(conn, self.chain.name, asked)
            for one, amount in zip(counting, moved, strict=True):
                changes[one.payment_id].append(self._read(one, amount))
            events = await apply(conn, changes, now=now)
        for one in due:
            self._forget(one)
        if events:
            self._news.set()
        return [*gone, *(one for one in due if one.block not in on_chain)]

    async def _vouch(self) -> list[Seen]:
        """Ask another endpoint about what no other was asked about; return what nobody shows."""
        if len(self._client.endpoints()) == 1:
            return []
        open_ = [one for key, one in self._waiting.items() if key not in self._vouched]
        denied: list[Seen] = []
        for block, group in groupby(open_, key=lambda one: one.block):
            some = list(group)
            asked = [Holding(one.asset, one.owner) for one in some]
            try:
                held = await weighed(self._client, block, asked, again=True)
            except (ChainOutage, InconsistentChain):
                continue  # it lags, or has forgotten what was then
            for one, has in zip(some, held, strict=True):
                if has < one.balance:
                    denied.append(one)
                else:
                    self._believe(one)
        return [one for one in denied[:OPINIONS_PER_PASS_MAX] if await self._is_gone(one)]

    async def _is_gone(self, one: Seen) -> bool:
        """Ask all endpoints about a balance that one does not show; True if none does."""
        opinion = await self.opinion(as_transfer(one, self.chain.name))
        if opinion.agrees or not opinion.second:
            self._believe(one)
        elif opinion.first:
            what = f"a balance of {one.owner} after block {one.block.number}"
            self._doubts[one.key] = f"{what}: {opinion.doubt}"
        else:
            self._forget(one)
        return one.key not in self._waiting

    def _believe(self, one: Seen) -> None:
        self._vouched.add(one.key)
        self._doubts.pop(one.key, None)

    def _forget(self, one: Seen) -> None:
        self._waiting.pop(one.key, None)
        self._vouched.discard(one.key)
        self._doubts.pop(one.key, None)

    def _read(self, seen: Seen, moved: int) -> BalanceRead:
        log.info(
            "a balance beyond the record is final",
            chain=self.chain.name,
            payment_id=str(seen.payment_id),
            asset=seen.asset,
            block=seen.block.number,
        )
        return BalanceRead(
            chain=self.chain.name,
            asset=seen.asset,
            balance=seen.balance,
            block=seen.block,
            moved=moved,
        )


def as_transfer(seen: Seen, chain: ChainName) -> Transfer:
    """Return a balance as if all of it had come in its block, for endpoints to be asked about."""
    block = seen.block
    return Transfer(
        key=TransferKey(chain, TxHash(block.hash), seen.asset, seen.owner, 0),
        sender=UNKNOWN_SENDER,
        amount=seen.balance,
        block_number=block.number,
        block_hash=block.hash,
        block_time=block.time,
        source=Source.BALANCE,
    )
