"""Take signatures back that were made elsewhere, by us or by any other program or device.

A transaction is known again by its id, in our own file, or by its sender and nonce, where raw
transactions came alone. Either way it must be what went out, in every field, signed by its sender;
then it is followed like what we sign ourselves. A file is taken whole or not at all, and as often
as one likes: what is on record already is passed over.
"""

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.bundles import ToSend
from ctrip.core.errors import ConfigError
from ctrip.core.ids import RawAddress, SendingId, SweepId
from ctrip.core.outgoing import Outgoing, Signed
from ctrip.core.returned import difference, read
from ctrip.core.sending import Purpose, Sending, SendingState, Version, outgoing
from ctrip.core.sweep import advance
from ctrip.flows.settling import Settling
from ctrip.store import lines, sendings, sweeps
from ctrip.store.pool import Conn, transaction
from ctrip.wallet.genuine import hash_of, signer_of


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
            faults = [
                f"{one.named} {fault}"
                for one, sending in zip(came, known, strict=True)
                if (fault := one.fault or fault_of(sending, one, self.chain.chain_id))
            ]
            faults += there_twice(came, known)
            if not faults:
                faults += await self._without_gas(conn, known)
            if faults:
                raise ForeignSignatures("\n".join(faults))
            both = zip(known, came, strict=True)
            new = [(s, c.signed) for s, c in both if s is not None and not has(s, c.signed)]
            for sending, signed in new:
                await sendings.sign(conn, sending.id, self._version(sending, signed))
            await self._go_on(conn, {s.sweep_id for s, _ in new if s.sweep_id is not None})
        return len(new)

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

    def _version(self, one: Sending, signed: Signed) -> Version:
        assert one.exported is not None  # noqa: S101  it is unsigned
        now = self._clock.now()
        return Version(
            signed=signed, value=one.exported.value, price=one.exported.price, created_at=now
        )

    async def _go_on(self, conn: Conn, ids: set[SweepId]) -> None:
        """Bring sweeps up to what is signed for them."""
        of_sweeps = await sendings.of_sweeps(conn, ids)
        for sweep in await sweeps.lock(conn, ids):
            said = replace(sweep, why="")
            await sweeps.save(conn, advance(said, of_sweeps[sweep.id], now=self._clock.now()))


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


def fault_of(known: Sending | None, came: Came, chain_id: int) -> str:
    """Say why what came back is not what went out; nothing if it is."""
    found = came.outgoing
    assert found is not None, f"{came.named} was not read"  # noqa: S101  its fault was told
    if known is None:
        whose = f": its sender is {found.sender}, and its nonce {found.nonce}"
        return f"was never exported from here{whose if came.sending_id is None else ''}"
    if has(known, came.signed):
        return ""
    if known.state is not SendingState.UNSIGNED or known.exported is None:
        return f"is {known.state} by now: a later export took its place, or it was signed before"
    offer = known.exported
    exported = outgoing(known, chain_id, offer.value, offer.price)
    differs = difference(found, exported)
    if found.sender != known.sender and differs:
        return f"{differs}; so it is signed by {found.sender}, whoever that is"
    if found.sender != known.sender:
        return f"is signed by {found.sender}, and was exported for {known.sender}"
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
