"""Take signatures back that were made elsewhere, by us or by any other program or device.

A transaction is known again by its id, in our own file, or by its sender and nonce, where raw
transactions came alone. Either way it must be what went out, in every field, signed by its sender;
then it is followed like what we sign ourselves. A file is taken whole or not at all, and as often
as one likes: what is on record already is passed over.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.acts import left_to_refund
from ctrip.core.bundles import ToSend
from ctrip.core.errors import ConfigError
from ctrip.core.ids import RawAddress, SendingId
from ctrip.core.outgoing import Outgoing, Signed
from ctrip.core.refund import UNBACKED
from ctrip.core.returned import difference, read
from ctrip.core.sending import (
    ON_CHAIN,
    UNDER_WAY,
    Offer,
    Purpose,
    Sending,
    SendingState,
    Version,
    outgoing,
)
from ctrip.core.sweep import advance
from ctrip.flows.refund import bring_on, refund_ids_of
from ctrip.flows.settling import Settling
from ctrip.store import lines, offers, payments, refunds, sendings, sweeps
from ctrip.store.pool import Conn, transaction
from ctrip.wallet.genuine import hash_of, signer_of

FAULTS_SHOWN_MAX: Final = 20  # a file of another account has a fault in each transaction
# A refund has one place in its line: whatever is signed of what was exported is the same payment.
SIGNED_LATE: Final = UNDER_WAY | ON_CHAIN | {SendingState.TAKEN}


class ForeignSignatures(ConfigError):
    """A file came back that is not what went out; the text names each transaction."""


class Came(Struct, frozen=True, kw_only=True):
    """One transaction that came back."""

    named: str  # in errors
    signed: Signed
    sending_id: SendingId | None  # None: it came alone
    outgoing: Outgoing | None = None  # None: it cannot be read
    fault: str = ""  # why

    @property
    def place(self) -> tuple[RawAddress, int] | None:
        return (self.outgoing.sender, self.outgoing.nonce) if self.outgoing else None


class Taker(Settling):
    """The transactions of one chain that were signed elsewhere."""

    async def take(self, signed: ToSend) -> int:
        """Write the signatures of our own file; return how many are new.

        Raise ForeignSignatures for all of it where one is not what went out.
        """
        if (signed.chain, signed.chain_id) != (self.chain.name, self.chain.chain_id):
            raise ForeignSignatures(f"it is for {signed.chain}, chain id {signed.chain_id}")
        came = []
        for one in signed.transactions:
            found = came_as(f"transaction {one.id}", one.raw, SendingId(one.id))
            is_named_right = found.signed.tx_hash == one.hash
            fault = found.fault if is_named_right else "has a hash that is not that of its bytes"
            came.append(replace(found, fault=fault))
        return await self._take(came)

    async def take_raw(self, raws: Sequence[str]) -> int:
        """Write raw transactions, in 0x and hex, as any program gives them; else as take."""
        numbered = enumerate(dict.fromkeys(raws), start=1)
        return await self._take([came_as(f"transaction {n}", raw, None) for n, raw in numbered])

    async def _take(self, came: Sequence[Came]) -> int:
        async with transaction(self._pool) as conn:
            known = await self._known(conn, came)
            out = await self._offers(conn, known)
            matched = [self._match(*both, out) for both in zip(came, known, strict=True)]
            faults = [
                f"{one.named} {fault}"
                for one, fault in zip(came, matched, strict=True)
                if isinstance(fault, str) and fault
            ]
            faults += there_twice(came, known)
            if not faults:
                faults += await self._without_gas(conn, known)
                faults += await self._unbacked(conn, known)
            if faults:
                raise foreign(faults)
            new = [one for one in matched if not isinstance(one, str)]
            for sending, version in new:
                await sendings.sign(conn, sending.id, version)
            await self._go_on(conn, [sending for sending, _ in new])
        return len(new)

    async def _offers(
        self, conn: Conn, known: Sequence[Sending | None]
    ) -> Mapping[SendingId, Sequence[Offer]]:
        """Return at what each was exported, the newest first."""
        here = [one for one in known if one is not None]
        before = await offers.before(conn, [one.id for one in here])
        return {
            one.id: [*([one.exported] if one.exported else []), *before[one.id]] for one in here
        }

    def _match(
        self, came: Came, known: Sending | None, out: Mapping[SendingId, Sequence[Offer]]
    ) -> tuple[Sending, Version] | str:
        """Return the version that came of a sending, or why it is none; "" if it is known."""
        fault = came.fault or fault_of(known, came)
        if fault or known is None or has(known, came.signed):
            return fault
        differences = []
        for offer in out[known.id]:
            exported = outgoing(known, self.chain.chain_id, offer.value, offer.price)
            if not (differs := differing(came, exported)):
                return known, Version(
                    signed=came.signed,
                    value=offer.value,
                    price=offer.price,
                    created_at=self._clock.now(),
                )
            differences.append(differs)
        return differences[0]

    async def _known(self, conn: Conn, came: Sequence[Came]) -> list[Sending | None]:
        """Return what is on record of each, held until the transaction ends."""
        ids = [one.sending_id for one in came if one.sending_id is not None]
        by_id = await sendings.lock(conn, self.chain.name, ids)
        places = {one.place for one in came if one.place}
        by_place = await lines.lock(conn, self.chain.name, list(places))

        def of(one: Came) -> Sending | None:
            if one.sending_id is not None:
                return by_id.get(one.sending_id)
            return by_place.get(one.place) if one.place else None

        return [of(one) for one in came]

    async def _without_gas(self, conn: Conn, known: Sequence[Sending | None]) -> list[str]:
        """Say which sweeps came without the top-up that was to be signed with them."""
        ids = {one.id for one in known if one is not None}
        sweeping = {one.sweep_id for one in known if one is not None and one.sweep_id is not None}
        of_sweeps = await sendings.of_sweeps(conn, sweeping)
        return [
            f"transaction {one.id} is missing: it brings the gas for {one.beneficiary}, which"
            " another of the file moves money from; have it signed too"
            for of_sweep in of_sweeps.values()
            for one in of_sweep
            if one.purpose is Purpose.FUEL
            and one.state is SendingState.UNSIGNED
            and one.id not in ids
        ]

    async def _unbacked(self, conn: Conn, known: Sequence[Sending | None]) -> list[str]:
        """Say which refunds are of money that a reorg took back since they were exported."""
        new = [one for one in known if one is not None and one.state is SendingState.UNSIGNED]
        of = {one.refund_id: one for one in new if one.refund_id is not None}
        found = {one.payment_id: one for one in await refunds.lock(conn, of)}
        return [
            f"transaction {of[found[payment.id].id].id}: {UNBACKED}"
            for payment in await payments.lock(conn, list(found))
            if left_to_refund(payment) < 0
        ]

    async def _go_on(self, conn: Conn, new: Sequence[Sending]) -> None:
        """Bring sweeps and refunds up to what is signed for them."""
        now, ids = self._clock.now(), {one.sweep_id for one in new if one.sweep_id is not None}
        of_sweeps = await sendings.of_sweeps(conn, ids)
        for sweep in await sweeps.lock(conn, ids):
            said = replace(sweep, why="")
            await sweeps.save(conn, advance(said, of_sweeps[sweep.id], now=now))
        refunded = refund_ids_of(new)
        for refund_id in refunded:
            await refunds.say(conn, refund_id, "")
        await bring_on(conn, refunded, now=now)  # payments are told when it is in a block


def came_as(named: str, raw: str, sending_id: SendingId | None) -> Came:
    """Read a transaction, and find out who signed it."""
    text = bytes.fromhex(raw.removeprefix("0x"))
    came = Came(named=named, signed=Signed(hash_of(text), raw), sending_id=sending_id)
    found = read(text)
    if isinstance(found, str):
        return replace(came, fault=found)
    sender = signer_of(found.outgoing, found.y_parity, found.r, found.s)
    if sender is None:
        return replace(came, fault="has a signature that is nobody's")
    return replace(came, outgoing=replace(found.outgoing, sender=sender))


def foreign(faults: Sequence[str]) -> ForeignSignatures:
    """Return the refusal of a file."""
    left_out = len(faults) - FAULTS_SHOWN_MAX
    more = [f"and {left_out} faults more"] if left_out > 0 else []
    remedy = "nothing was taken; have the newest export signed as it is, and import that"
    return ForeignSignatures("\n".join([*faults[:FAULTS_SHOWN_MAX], *more, remedy]))


def fault_of(known: Sending | None, came: Came) -> str:
    """Say why what came back can be none that went out, whatever its fields are."""
    if known is None:
        sender, nonce = came.place or ("", 0)
        whose = f": its sender is {sender}, and its nonce {nonce}"
        return f"was never exported from here{'' if came.sending_id else whose}"
    if has(known, came.signed):
        return ""
    if known.exported is None:
        return "was signed here, and never exported"
    may_be = SIGNED_LATE if known.refund_id is not None else {SendingState.UNSIGNED}
    if known.state not in may_be or (known.final and known.state in ON_CHAIN):
        return f"is {known.state} by now: a later export took its place, or it was signed before"
    return ""


def differing(came: Came, exported: Outgoing) -> str:
    """Say why what came back is not what went out; nothing if it is."""
    found = came.outgoing
    assert found is not None, f"{came.named} was not read"  # noqa: S101
    differs = difference(found, exported)
    if found.sender != exported.sender and differs:
        return f"{differs}; so it is signed by {found.sender}, whoever that is"
    if found.sender != exported.sender:
        return f"is signed by {found.sender}, and was exported for {exported.sender}"
    return differs


def has(known: Sending, signed: Signed) -> bool:
    """Tell whether a sending has this version already."""
    return any(version.signed.tx_hash == signed.tx_hash for version in known.versions)


def there_twice(came: Sequence[Came], known: Sequence[Sending | None]) -> list[str]:
    """Say which transactions of a file are the same one, signed differently."""
    named: dict[SendingId, list[str]] = defaultdict(list)
    for one, sending in zip(came, known, strict=True):
        if sending is not None:
            named[sending.id].append(one.named)
    return [
        f"{' and '.join(names)} have the same sender and nonce; leave one of them out"
        for names in named.values()
        if len(names) > 1
    ]
