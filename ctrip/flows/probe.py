"""Find the native coin that contracts forward, which no list of transactions shows.

Safes, smart accounts and exchanges pay so. That money came is told by balances: now and
then those of all open addresses are compared with the record. Where one is higher, the
block in which it rose is searched by halves, and that block alone is traced, which names
the transaction. Where nobody traces, or a trace names less than came (a withdrawal of a
validator, a coinbase), the balance counts once its block is final.

A find is written only if the block that the balances were read at is still on the branch
that the watcher follows. Otherwise nothing is, and the next pass looks again.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Final

from ctrip.chain.client import InconsistentChain
from ctrip.core.blocks import Header
from ctrip.core.chains import NativeSource
from ctrip.core.changes import Change, TransferSeen
from ctrip.core.ids import NATIVE, Amount, BlockNumber, PaymentId
from ctrip.core.matching import Found
from ctrip.core.payment import Transfer
from ctrip.core.scan import Cursor, unnamed_blocks
from ctrip.flows.apply import apply
from ctrip.flows.on_chain import OnChain
from ctrip.flows.trace_back import Search, Suspect
from ctrip.flows.unnamed import Seen, Unnamed
from ctrip.flows.weigh import OPEN_MAX, at_cursor, heavier_at_cursor, hold, is_final
from ctrip.store import blocks, own_moves, payment_sets
from ctrip.store.payment_sets import Held
from ctrip.store.pool import connection, transaction

# Between passes. A pass in which nothing came costs one call for 300 addresses.
PROBE_SECONDS: Final = 10.0
# A payment is looked at for so long after its deadline: its money may have come in time, and
# where only balances show it, finality may take a quarter of an hour.
AFTER_DEADLINE: Final = timedelta(minutes=30)
# How far back a rise is searched: nodes keep the state of 128 blocks, and we read behind them.
DEPTH_MAX: Final = 100
SUSPECTS_PER_PASS_MAX: Final = 300  # whose balances one call asks for at each step


class Probe(OnChain):
    """The hidden native money of one chain."""

    def begin(self) -> None:
        """Set up what is remembered between passes."""
        self._unnamed = self.beside(Unnamed)
        # What a rise left unexplained when it was looked into; looked into again if it is more.
        self._left: dict[PaymentId, int] = {}
        # Where the last pass ended: nothing that came up to here is still to be looked into.
        self._clear: Cursor | None = None

    async def run_once(self) -> bool:
        """Look into the balances that rose; return True if some are left to look into.

        Raise EndpointsDisagree at the end if they do on what was found.
        """
        more = await self._pass()
        self._unnamed.complain()
        return more

    async def _pass(self) -> bool:
        if not self.chain.internal or self.chain.native is not NativeSource.TRANSACTIONS:
            return False
        async with connection(self._pool) as conn:
            cursor = await blocks.whole(conn, self.chain.name)
        if cursor is None:
            return False
        for gone in await self._unnamed.credit(cursor.finalized):
            self._left.pop(gone.payment_id, None)
        if self._is_early(cursor):
            return False
        return await self._look(cursor)

    def _is_early(self, cursor: Cursor) -> bool:
        """Tell whether so few blocks came since the last pass that the next may do for them.

        Where blocks are slow, balances of each would be a third of all that is asked. But who
        makes a contract pay us mostly names our address: then it is looked at once.
        """
        if self._clear is None or self._clear.hash == cursor.hash:
            return self._clear is not None
        if self.chain.block_seconds <= PROBE_SECONDS or cursor.named > self._clear.number:
            return False
        return 0 < cursor.number - self._clear.number < unnamed_blocks(self.chain)

    async def _look(self, cursor: Cursor) -> bool:
        """Compare the open addresses with the record, at the cursor."""
        held = await self._held(cursor)
        if not held:
            return False
        await self._forget_fork(cursor)
        more = await heavier_at_cursor(self._client, cursor, held)
        if more is None:
            return False  # a reorg that the watcher will see
        self._left = {one.payment_id: left for one, _ in more if (left := self._left_of(one))}
        fresh = [(one, has) for one, has in more if has - one.amount != self._left_of(one)]
        if not fresh:
            self._clear = cursor
            return False
        at = await at_cursor(self._client, cursor)
        if at is None:
            return False
        some = fresh[:SUSPECTS_PER_PASS_MAX]
        search = await self._search(at, some)
        if not await self._write(at, list(search.found.values())):
            return False
        self._remember(search)
        if len(some) < len(fresh) or search.broken_off:
            return True
        self._clear = cursor
        return False

    def _left_of(self, one: Held) -> int:
        return self._left.get(one.payment_id, 0)

    async def _held(self, cursor: Cursor) -> list[Held]:
        """Return the addresses whose balances matter."""
        name, since = self.chain.name, cursor.time - AFTER_DEADLINE
        async with connection(self._pool) as conn:
            held = await payment_sets.open_native(conn, name, at=cursor.number, count_max=OPEN_MAX)
            return held + await payment_sets.lately_expired(
                conn, name, at=cursor.number, since=since, count_max=OPEN_MAX
            )

    async def _forget_fork(self, cursor: Cursor) -> None:
        """Forget all that was seen on a branch that was left: it is looked for again."""
        if self._clear is None or self._clear.number < cursor.finalized:
            return
        async with transaction(self._pool) as conn:
            if await hold(conn, self.chain.name, self._clear):
                return
        self._clear = None
        self._left.clear()
        self._unnamed.clear()

    async def _search(self, at: Header, some: Sequence[tuple[Held, Amount]]) -> Search:
        """Look into what came since the last pass, or lately."""
        if not some:
            return Search(self.chain, self._client, self._pool, [], [])
        clear = BlockNumber(0) if self._clear is None else self._clear.number
        line = await self._line(max(0, at.number - DEPTH_MAX, min(clear, at.number)), at)
        coins: dict[PaymentId, list[Transfer]] = defaultdict(list)
        own: dict[PaymentId, list[tuple[BlockNumber, int]]] = defaultdict(list)
        async with connection(self._pool) as conn:
            ids = [one.payment_id for one, _ in some]
            for payment_id, coin in await payment_sets.coins(conn, self.chain.name, ids):
                coins[payment_id].append(coin)
            for payment_id, block, amount in await own_moves.of_coin(conn, self.chain.name, ids):
                own[payment_id].append((block, amount))
        suspects = [
            Suspect(
                one.payment_id,
                one.owner,
                has,
                self._left_of(one),
                coins[one.payment_id],
                own[one.payment_id],
            )
            for one, has in some
        ]
        search = Search(self.chain, self._client, self._pool, line, suspects)
        await search.run()
        return search

    async def _line(self, low: int, at: Header) -> list[Header]:
        """Return the headers from a height up to a block, each the child of the one before."""
        numbers = [BlockNumber(n) for n in range(low, at.number + 1)]
        line = await self._client.headers(numbers)
        linked = all(b.parent_hash == a.hash for a, b in pairwise(line))
        if not linked or len(line) != len(numbers) or line[-1] != at:
            raise InconsistentChain(f"{self.chain.name}: the chain changed while it was read")
        return line

    async def _write(self, at: Header, found: Sequence[Found]) -> bool:
        """Write what was found, or nothing if the branch it was found on was left."""
        if not found:
            return True
        changes: dict[PaymentId, list[Change]] = defaultdict(list)
        for item in sorted(found, key=lambda item: item.transfer.block_number):
            changes[item.payment_id].append(TransferSeen(item.transfer))
        final = await is_final(self.chain, self._client, self._pool, at)
        async with transaction(self._pool) as conn:
            if not final and not await hold(conn, self.chain.name, at):
                return False
            events = await apply(conn, changes, now=self._clock.now())
        if events:
            self._news.set()
        return True

    def _remember(self, search: Search) -> None:
        """Keep what nobody names until its block is final."""
        self._left |= search.left
        for suspect, balance, block in search.unnamed:
            self._unnamed.add(
                Seen(
                    payment_id=suspect.payment_id,
                    owner=suspect.owner,
                    asset=NATIVE,
                    balance=balance,
                    block=block,
                )
            )
