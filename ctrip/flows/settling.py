"""What every duty that moves money is given, and how transactions are made, signed and shown.

A version is on record before it is shown (store/sendings.py); so whoever shows it may be killed at
any moment, and another shows the same bytes.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace

from ctrip import logs
from ctrip.chain.transactor import Transactor
from ctrip.clock import Clock
from ctrip.core.abi import erc20_transfer
from ctrip.core.chains import Chain
from ctrip.core.fees import Price
from ctrip.core.ids import NATIVE, Amount, Asset, RawAddress, SendingId, raw
from ctrip.core.outgoing import Authorization, Outgoing, Sent, Signed, Verdict
from ctrip.core.sending import UNDER_WAY, Part, Sending, SendingState, Version, outgoing
from ctrip.store import lines, sendings
from ctrip.store.pool import Pool, connection
from ctrip.wallet.sign import Signer

# A second one for the same sweep would move or spend twice. One that failed did neither.
SAME_AGAIN: Final = UNDER_WAY | {SendingState.MINED}

log = logs.get("ctrip.settle")


def silently(_: str) -> None:
    """Tell nobody."""


class Wallets(Struct, frozen=True, kw_only=True):
    """The addresses of wallets whose keys are elsewhere."""

    gas: RawAddress | None = None
    payout: RawAddress | None = None


NO_WALLETS: Final = Wallets()
D = TypeVar("D", bound="Settling")


class Settling:
    """A duty on the money of one chain; `warn` hears what an operator can do for it.

    `wallets` are for a duty without a signer, which knows its own.
    """

    def __init__(
        self,
        chain: Chain,
        transactor: Transactor,
        pool: Pool,
        clock: Clock,
        news: asyncio.Event,
        signer: Signer | None,
        wallets: Wallets = NO_WALLETS,
        *,
        warn: Callable[[str], None] = silently,
    ) -> None:
        self.chain = chain
        self._transactor = transactor
        self._pool = pool
        self._clock = clock
        self._news = news
        self._signer = signer
        self._wallets = wallets
        self._gas_wallet = signer.gas_address if signer else wallets.gas
        self._payout_wallet = signer.payout_address if signer else wallets.payout
        self._warn = warn
        self.begin()

    def beside(self, duty: type[D]) -> D:
        """Return another duty that is given the same."""
        return duty(
            self.chain,
            self._transactor,
            self._pool,
            self._clock,
            self._news,
            self._signer,
            self._wallets,
            warn=self._warn,
        )

    def begin(self) -> None:
        """Set up what is remembered between passes; nothing of it is needed after a restart."""

    def keys(self) -> Signer:
        """Return the keys, which a duty that signs was given."""
        assert self._signer is not None, f"{self.chain.name} is swept without keys"  # noqa: S101
        return self._signer

    @property
    def gas_wallet(self) -> RawAddress:
        """Return who pays for the gas of tokens."""
        assert self._gas_wallet is not None, f"{self.chain.name} has no gas wallet"  # noqa: S101
        return self._gas_wallet

    @property
    def payout_wallet(self) -> RawAddress:
        """Return who pays refunds."""
        wallet = self._payout_wallet
        assert wallet is not None, f"{self.chain.name} has no payout wallet"  # noqa: S101
        return wallet

    def treasury(self) -> RawAddress:
        """Return where money goes, which a chain that is swept has."""
        treasury = self.chain.settlement.treasury
        assert treasury is not None, f"{self.chain.name} is swept to nowhere"  # noqa: S101
        return raw(treasury)

    def plain(self, sender: RawAddress, to: RawAddress, value: Amount) -> Outgoing:
        """Return a transaction that moves coin, without nonce, gas and price."""
        return Outgoing(
            chain_id=self.chain.chain_id,
            sender=sender,
            nonce=0,
            to=to,
            value=value,
            gas=0,
            max_fee=0,
            priority_fee=None,
        )

    def moving(self, sender: RawAddress, asset: Asset, to: RawAddress, amount: Amount) -> Outgoing:
        """Return a transaction that moves an amount of an asset, without nonce, gas and price."""
        if asset == NATIVE:
            return self.plain(sender, to, amount)
        call = self.plain(sender, RawAddress(asset), Amount(0))
        return replace(call, data=erc20_transfer(to, amount))

    async def next_nonce(self, sender: RawAddress) -> int:
        """Return the next place in a sender's line, by the chain and by what we wrote."""
        on_chain = await self._transactor.next_nonce(sender)
        async with connection(self._pool) as conn:
            ours = await lines.next_nonce(conn, self.chain.name, sender)
        return max(on_chain, ours)

    async def purse(self) -> Amount:
        """Return what the gas wallet holds and has not promised yet."""
        gas_wallet = self.gas_wallet
        balance = await self._transactor.balance(gas_wallet, NATIVE)
        async with connection(self._pool) as conn:
            promised = await lines.promised(conn, self.chain.name, gas_wallet)
        return Amount(max(0, balance - promised))

    async def version(self, sending: Sending, value: Amount, price: Price) -> Version:
        """Sign a version of a sending, in a thread: it takes milliseconds of CPU."""
        unsigned, keys = outgoing(sending, self.chain.chain_id, value, price), self.keys()

        def sign() -> Signed:
            lent = authorizations(keys, unsigned, sending.parts)
            return keys.sign(replace(unsigned, authorizations=lent), index=sending.derivation_index)

        signed = await asyncio.to_thread(sign)
        return Version(signed=signed, value=value, price=price, created_at=self._clock.now())

    async def show(self, sending: Sending, *, anew: bool = False) -> str:
        """Show nodes a sending's newest version; return why they do not want it, or nothing."""
        return refusal(await self.offer(sending, anew=anew))

    async def offer(self, sending: Sending, *, anew: bool = False) -> Sent:
        """Show nodes a sending's newest version, and note it where it is taken."""
        version = sending.newest
        sent = await self._transactor.send(version.signed)
        if sent.verdict is Verdict.TAKEN:
            async with connection(self._pool) as conn:
                await sendings.note_sent(conn, sending.id, self._clock.now(), anew=anew)
            return sent
        log.warning(
            "transaction is not taken",
            chain=self.chain.name,
            tx_hash=version.signed.tx_hash,
            purpose=sending.purpose,
            verdict=sent.verdict,
            why=sent.why,
        )
        return sent


def refusal(sent: Sent) -> str:
    """Return why nodes do not want a transaction; nothing if they do.

    Whoever spent its nonce is found out by its receipt, or by time.
    """
    wanted = sent.verdict in {Verdict.TAKEN, Verdict.NONCE_SPENT}
    return "" if wanted else f"nodes refuse it: {sent.why}"


def authorizations(
    keys: Signer, batch: Outgoing, parts: Sequence[Part]
) -> tuple[Authorization, ...]:
    """Let the contract that a batch calls act for those addresses that have not let it before."""
    return tuple(
        keys.authorize(batch.chain_id, batch.to, part.nonce, index=part.derivation_index)
        for part in parts
        if part.nonce is not None
    )


def new_sending_id() -> SendingId:
    """Return an id that nothing has yet."""
    return SendingId(uuid4())
