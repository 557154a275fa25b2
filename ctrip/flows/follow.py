"""Follow our transactions into blocks, out of them where a reorg drops them, and to finality.

A pass asks what became of every version of every sending that is not final, and writes what
follows for the sendings, their sweeps or refunds, and the payments whose money they moved, in one
transaction. What would be final a second endpoint is to show too (witness.py). Then it shows nodes
what they do not have, and offers more for what others outbid. All of it may be repeated, by
another process too: what is shown is on record, and the same bytes are the same transaction.
Where there are more than one pass takes, passes take turns.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from ctrip import logs
from ctrip.core.changes import Change, TransferSwept
from ctrip.core.fees import Market, Price, cost, going_rate, is_outbid, raised
from ctrip.core.ids import NATIVE, Amount, BlockNumber, PaymentId, RawAddress, SendingId, SweepId
from ctrip.core.outgoing import Outcome, Verdict
from ctrip.core.sending import (
    Next,
    Purpose,
    Sending,
    SendingState,
    absorb,
    is_in_pool,
    moves_of,
    next_step,
    outgoing,
)
from ctrip.core.sweep import advance, latest
from ctrip.flows.apply import apply
from ctrip.flows.refund import bring_on
from ctrip.flows.rescan import hold_head
from ctrip.flows.settling import Settling, refusal
from ctrip.flows.witness import Witness
from ctrip.store import blocks, refunds, sendings, sweepable, sweeps
from ctrip.store.pool import Conn, connection, transaction

FOLLOW_SECONDS_MIN: Final = 0.5  # between passes, however often a chain is looked at
SENDINGS_PER_PASS_MAX: Final = 500  # a call for each version, in batches
AT_ONCE_MAX: Final = 8  # broadcasts

Told = Mapping[SendingId, Sequence[Outcome]]

log = logs.get("ctrip.follow")


class Follower(Settling):
    """The sendings of one chain."""

    def begin(self) -> None:
        """Set up who looks a second time, and whose turn it is."""
        self.sendings_max = SENDINGS_PER_PASS_MAX
        self._after = sendings.BEFORE_ALL
        self._witness = self.beside(Witness)

    def pause_seconds(self) -> float:
        """Return how long to wait for the next pass: as the watch does."""
        return max(self.chain.poll_interval_seconds, FOLLOW_SECONDS_MIN)

    async def run_once(self) -> bool:
        """Bring every sending up to date, and show nodes those they lack."""
        name = self.chain.name
        async with connection(self._pool) as conn:
            cursor = await blocks.cursor(conn, name)
            if cursor is None:
                return False
            before = await self._turn(conn, cursor.finalized)
        if not before:
            await self._witness.believed([], {})  # nothing is doubted for ever
            return False
        nonces = await self._nonces(before)
        told = await self._outcomes(before)
        now = self._clock.now()
        doubt = timedelta(seconds=self.chain.finality_depth * self.chain.block_seconds)
        after = [
            absorb(
                one,
                told[one.id],
                nonce=nonces[one.sender],
                finalized=cursor.finalized,
                now=now,
                doubt=doubt,
            )
            for one in before
        ]
        after = await self._witness.believed(after, told)
        changed = [new for old, new in zip(before, after, strict=True) if new != old]
        if changed:
            await self._write(changed)
        await self._doubt(after)
        await self._serve_all(after, told)
        return False

    async def _turn(self, conn: Conn, finalized: BlockNumber) -> list[Sending]:
        """Return the sendings that are looked at now; after the last ones it is the first again."""
        name, most = self.chain.name, self.sendings_max
        found: list[Sending] = []
        while not found:
            after, self._after = self._after, sendings.BEFORE_ALL
            found = await sendings.list_open(
                conn, name, finalized=finalized, after=after, count_max=most
            )
            if after == sendings.BEFORE_ALL:
                break
        if len(found) == most:
            self._after = (found[-1].sender, found[-1].nonce)
        return found

    async def _nonces(self, before: Sequence[Sending]) -> Mapping[RawAddress, int]:
        """Return the next nonce of each sender; read before the outcomes, as absorb asks for."""
        return await self._transactor.next_nonces(sorted({one.sender for one in before}))

    async def _outcomes(self, before: Sequence[Sending]) -> Told:
        """Ask what became of every version."""
        of = [(one.id, version.signed.tx_hash) for one in before for version in one.versions]
        told: dict[SendingId, list[Outcome]] = {one.id: [] for one in before}
        outcomes = await self._transactor.outcomes([tx_hash for _, tx_hash in of])
        for (sending_id, _), outcome in zip(of, outcomes, strict=True):
            told[sending_id].append(outcome)
        return told

    async def _write(self, changed: Sequence[Sending]) -> None:
        """Write sendings, and what follows for sweeps and payments.

        The watch waits for whoever holds the head, so that is held for payments alone, last.
        """
        now = self._clock.now()
        async with transaction(self._pool) as conn:
            for one in changed:
                await sendings.save(conn, one, moves_of(one))
            ids = {sweep_id for one in changed for sweep_id in one.sweep_ids}
            of_sweeps = await sendings.of_sweeps(conn, ids)
            for before in await sweeps.lock(conn, ids):
                sweep = advance(before, of_sweeps[before.id], now=now)
                await sweeps.save(conn, sweep)
                if sweep.state is not before.state:
                    log.info("sweep", sweep_id=sweep.id, state=sweep.state, why=sweep.why)
            refunded = {one.refund_id for one in changed if one.refund_id is not None}
            of_refunds = await bring_on(conn, refunded, now=now) if refunded else {}
            reached = await hold_head(conn, self.chain.name)
            changes = await moved_on(conn, of_sweeps)
            for payment_id, news in of_refunds.items():
                changes[payment_id] += news
            for of_payment in changes.values():
                of_payment.append(reached)
            events = await apply(conn, changes, now=now)
        if events:
            self._news.set()

    async def _doubt(self, after: Sequence[Sending]) -> None:
        """Let sweeps and refunds say that endpoints do not agree on their transactions."""
        for one in after:
            why = self._witness.held(one.id)
            if why and one.purpose is not Purpose.FUEL:
                await self._say(one, why)

    async def _serve_all(self, after: Sequence[Sending], told: Told) -> None:
        """Do for each sending what is next, some senders at once, each sender's in order."""
        limit = asyncio.Semaphore(AT_ONCE_MAX)
        moving = {one.sweep_id for one in after if one.purpose is Purpose.SWEEP and one.sweep_id}
        async with connection(self._pool) as conn:
            unfuelled = await sendings.unfuelled(conn, moving)

        async def serve(line: Sequence[Sending]) -> None:
            async with limit:
                for one in line:
                    if one.sweep_id in unfuelled and one.purpose is Purpose.SWEEP:
                        break  # it was signed elsewhere beforehand, and its gas has not come
                    await self._serve(one, told[one.id])

        lines: dict[RawAddress, list[Sending]] = defaultdict(list)
        for one in after:
            lines[one.sender].append(one)
        await asyncio.gather(*(serve(line) for line in lines.values()))

    async def _serve(self, one: Sending, outcomes: Sequence[Outcome]) -> None:
        match next_step(one, outcomes, now=self._clock.now()):
            case Next.BROADCAST:
                await self._show_again(one)
            case Next.REPRICE:
                market = await self._transactor.market()
                if self._signer and is_outbid(one.newest.price, market):
                    await self._outbid(one, market)
                elif not is_in_pool(outcomes):
                    await self._show_again(one)
            case Next.WAIT:
                pass

    async def _show_again(self, one: Sending) -> None:
        """Show nodes what none of them has; with less coin in it, if it costs more than before."""
        sent = await self.offer(one)
        poor = sent.verdict is Verdict.POOR and one.is_native and one.purpose is Purpose.SWEEP
        if poor and self._signer and (value := await self._left(one)):
            await self._sign_again(one, value, one.newest.price)
        else:
            await self._say(one, refusal(sent))

    async def _left(self, one: Sending) -> Amount:
        """Return what an address can send beside what that costs now; 0 if it is no less.

        A rollup's fee for the bytes rises and falls, and no transaction can say what it bears.
        """
        price = one.newest.price
        asked = outgoing(one, self.chain.chain_id, one.newest.value, price)
        coin = await self._transactor.balance(one.sender, NATIVE)
        left = coin - cost(price, one.gas) - await self._transactor.data_fee(asked)
        return Amount(left) if 0 < left < one.newest.value else Amount(0)

    async def _outbid(self, one: Sending, market: Market) -> None:
        """Offer more for a sending whose offer is why it is not mined."""
        ceiling = self.chain.settlement.gas_price_max
        price = raised(one.newest.price, market, max_fee_ceiling=ceiling)
        if price is None:
            why = f"gas costs {going_rate(market)} wei, more than gas_price_max_gwei"
            await self._say(one, f"it waits in the pool: {why}")
            return
        value = await self._value_at(one, price)
        if value is None:
            await self._say(one, "it was outbid, and its address has no coin to offer more")
            return
        await self._sign_again(one, value, price)

    async def _sign_again(self, one: Sending, value: Amount, price: Price) -> None:
        """Let another version take the place of those that were shown before."""
        version = await self.version(one, value, price)
        async with transaction(self._pool) as conn:
            await sendings.add_version(conn, one.id, version)
        again = replace(one, versions=(*one.versions, version))
        await self._say(again, await self.show(again, anew=True))

    async def _value_at(self, one: Sending, price: Price) -> Amount | None:
        """Return what a dearer version carries; None if its sender cannot pay for it."""
        before = one.newest
        if one.purpose is not Purpose.SWEEP:
            return before.value
        if one.is_native:  # what it takes off the address stays the same
            left = before.value + cost(before.price, one.gas) - cost(price, one.gas)
            return Amount(left) if left > 0 else None
        coin = await self._transactor.balance(one.sender, NATIVE)
        return before.value if cost(price, one.gas) <= coin else None

    async def _say(self, one: Sending, why: str) -> None:
        """Let sweeps or a refund say why their transaction is not on its way."""
        async with connection(self._pool) as conn:
            for sweep_id in one.sweep_ids:
                await sweeps.say(conn, sweep_id, why)
            if one.refund_id is not None:
                await refunds.say(conn, one.refund_id, why)


async def moved_on(
    conn: Conn, of_sweeps: Mapping[SweepId, Sequence[Sending]]
) -> dict[PaymentId, list[Change]]:
    """Return what has become of the money of payments, by what their sweeps' sendings say."""
    changes: dict[PaymentId, list[Change]] = defaultdict(list)
    for one in await sweepable.taken(conn, list(of_sweeps)):
        moving = latest(of_sweeps[one.sweep_id], Purpose.SWEEP)
        is_mined = moving is not None and moving.state is SendingState.MINED
        place = (moving.block_number, moving.tx_hash) if moving and is_mined else (None, None)
        if one.orphaned:
            continue
        of_payment = changes[one.payment_id]  # what is final concerns it, whether or not it moved
        if (one.swept_in, one.swept_by) != place:
            of_payment.append(TransferSwept(one.key, *place))
    return changes
