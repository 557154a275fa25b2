"""Gather all that is known of a payment, or of a transaction that is said to have paid one.

What is on record is read from the store; how the chain does is what the watcher last saw of
it. Only a transaction is looked for outside, on all chains that are served at once, because
payers mix chains up. Each chain has a short time for its answer, and one that does not give
it is a fact like the others.

Whoever asks hears of their own payments only: another's does not exist for them, and money
that went to another's address went to an address that is not theirs.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from ctrip.chain.client import ChainClient, ChainOutage, InconsistentChain
from ctrip.clock import Clock
from ctrip.core.case import About, Case, Complaint, Delivery, Look, Reading, Trouble
from ctrip.core.chains import Chain
from ctrip.core.explain import Explanation, explain
from ctrip.core.ids import BlockNumber, ChainName, KeyId, PaymentId, TxHash
from ctrip.core.payment import Payment
from ctrip.flows.health import Health
from ctrip.store import blocks, delivery_log, payment_sets, payments
from ctrip.store.pool import Conn, Pool, connection

LOOK_SECONDS_MAX: Final = 5.0  # for a chain's answer; somebody waits
LOOKS_AT_ONCE_MAX: Final = 4  # questions that go to all chains: nobody spends the endpoints' quotas
EVENTS_MAX: Final = 200  # of one payment; a payer who sends dust makes more
DELIVERIES_MAX: Final = 1_000  # of them
PAYMENTS_MAX: Final = 20  # that one transaction paid, of which the first is explained
ADDRESSES_MAX: Final = 1_000  # that one transaction paid


class Explainer:
    """Who is asked why."""

    def __init__(
        self,
        chains: Sequence[Chain],
        clients: Mapping[ChainName, ChainClient],
        pool: Pool,
        clock: Clock,
        health: Health,
        *,
        timeout_seconds: float = LOOK_SECONDS_MAX,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._chains = {chain.name: chain for chain in chains}
        self._clients = clients
        self._pool = pool
        self._clock = clock
        self._health = health
        self._looking = asyncio.Semaphore(LOOKS_AT_ONCE_MAX)

    async def explain(
        self, about: About, *, owner: KeyId | None, tx_hash: TxHash | None = None
    ) -> Explanation | None:
        """Explain a payment or a transaction; None if this owner has no such payment.

        `tx_hash` is a transaction to be held against the payment that `about` names.
        """
        tx_hash = about.tx_hash or tx_hash
        async with connection(self._pool) as conn:
            payment = await named(conn, about, owner)
        if payment is None and about.tx_hash is None:
            return None
        complaint = await self._complaint(tx_hash, owner) if tx_hash else None
        if complaint and (meant := payment.id if payment else first_meant(complaint)):
            # Also one that was read before: its money may be on record since the chains were asked.
            async with connection(self._pool) as conn:
                payment = await payments.find(conn, meant, owner=owner)
        case = Case(now=self._clock.now(), chains=self._chains, complaint=complaint)
        return explain(await self._with_payment(case, payment) if payment else case)

    async def _complaint(self, tx_hash: TxHash, owner: KeyId | None) -> Complaint:
        """Ask every chain for a transaction, and the store whom it paid."""
        async with self._looking:
            looks = await asyncio.gather(*(self._look(name, tx_hash) for name in self._chains))
        found = [look.found for look in looks if look.found]
        to = {moved.recipient for one in found for moved in (*one.moved, *one.offered)}
        async with connection(self._pool) as conn:
            ours = await payment_sets.of_owner(conn, sorted(to)[:ADDRESSES_MAX], owner=owner)
            paid = await payment_sets.paid_by(
                conn, list(self._chains), tx_hash, owner=owner, count_max=PAYMENTS_MAX
            )
        return Complaint(tx_hash=tx_hash, looks=tuple(looks), ours=ours, paid=tuple(paid))

    async def _look(self, name: ChainName, tx_hash: TxHash) -> Look:
        """Ask one chain for a transaction."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                found = await self._clients[name].transaction(tx_hash)
        except TimeoutError:
            return Look(chain=name, fault=f"no answer within {self._timeout_seconds:g} seconds")
        except (ChainOutage, InconsistentChain) as fault:
            return Look(chain=name, fault=str(fault))
        return Look(chain=name, found=found)

    async def _with_payment(self, case: Case, payment: Payment) -> Case:
        """Put together what is on record of a payment and of its chain."""
        async with connection(self._pool) as conn:
            announced = await delivery_log.announced(conn, payment.id, count_max=EVENTS_MAX)
            deliveries = await delivery_log.of_payment(
                conn, payment.id, now=case.now, count_max=DELIVERIES_MAX
            )
            reading = await self._reading(conn, payment)
        return replace(
            case,
            payment=payment,
            reading=reading,
            announced=tuple(announced),
            deliveries=tuple(told(delivery) for delivery in deliveries),
        )

    async def _reading(self, conn: Conn, payment: Payment) -> Reading | None:
        """Return how far the payment's chain was read; None if it is not served."""
        if (chain := self._chains.get(payment.chain)) is None:
            return None
        part = self._health.chain(chain.name)
        paces = await blocks.paces(conn)
        reading = Reading(
            head=None if part.head is None else BlockNumber(part.head),
            fault="" if part.ok else part.why,
            pace_seconds=paces.get(chain.name, chain.block_seconds),
            troubles=tuple(
                Trouble(state.label, state.why or "it is behind the others")
                for state in part.endpoints
                if state.why or not state.ok
            ),
        )
        if (place := (await blocks.places(conn)).get(chain.name)) is None:
            return reading
        since = await blocks.newest_at(conn, chain.name, payment.created_at)
        ago = (place.time - payment.created_at).total_seconds() / reading.pace_seconds
        return replace(
            reading,
            read=place.number,
            read_until=place.time,
            has_gap=await blocks.whole(conn, chain.name) is None,
            since=BlockNumber(max(0, place.number - round(ago))) if since is None else since,
            since_is_estimate=since is None,
        )


async def named(conn: Conn, about: About, owner: KeyId | None) -> Payment | None:
    """Return the payment that an id or an address names."""
    meant = about.payment_id
    if about.address:
        found = await payment_sets.of_owner(conn, [about.address], owner=owner)
        meant = found.get(about.address)
    return await payments.find(conn, meant, owner=owner) if meant else None


def first_meant(complaint: Complaint) -> PaymentId | None:
    """Return the payment that a transaction has to do with, the first of several."""
    return next(iter((*complaint.paid, *complaint.ours.values())), None)


def told(delivery: delivery_log.Delivery) -> Delivery:
    """Put a delivery into the words of the core."""
    return Delivery(
        type=delivery.type,
        endpoint_id=delivery.endpoint_id,
        state=delivery.state,
        attempts=delivery.attempts,
        outcome=delivery.outcome,
        at=delivery.ended_at or delivery.due_at,
    )


async def glance(
    chains: Sequence[Chain], clients: Mapping[ChainName, ChainClient], pool: Pool, health: Health
) -> None:
    """Look at every chain once: for commands, beside which no watcher runs."""
    async with connection(pool) as conn:
        places = await blocks.places(conn)

    async def look(name: ChainName) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS_MAX):
                head = await clients[name].head()
        except TimeoutError:
            health.fails(f"watch {name}", f"no answer within {LOOK_SECONDS_MAX:g} seconds")
        except (ChainOutage, InconsistentChain) as fault:
            health.fails(f"watch {name}", str(fault))
        else:
            read = places[name].number if name in places else BlockNumber(0)
            health.saw(name, head=head.latest, read=read)

    await asyncio.gather(*(look(chain.name) for chain in chains))
