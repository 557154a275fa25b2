"""A gateway without keys on a real chain, and the machines that sign for it.

async with exporting(pool, anvil) as (world, exporter, taker):
    await taker.take(signed_by(world, await exporter.export()))         # `ctrip sweep sign`
    await taker.take_raw(signed_elsewhere(await exporter.export()))     # any other program

async with exporting_refunds(pool, anvil) as world:                     # the same, and it refunds
    await world.taker.take(signed_by(world, await world.exporter.export(), ANY))
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from bip32 import BIP32  # type: ignore[import-untyped]
from eth_account import Account

from ctrip.core import bundles, vetting
from ctrip.core.bundles import ToSend, ToSign, Unsigned
from ctrip.core.ids import AMOUNT_MAX, NATIVE, Amount, Asset, RefundId, TxHash
from ctrip.core.paths import index_in
from ctrip.core.payment import Payment, Settles
from ctrip.core.vetting import NOTHING
from ctrip.flows.adopt import Adopter
from ctrip.flows.export import Exporter
from ctrip.flows.follow import Follower
from ctrip.flows.give_back import Refunds
from ctrip.flows.settling import Wallets
from ctrip.flows.take import Taker
from ctrip.store.pool import Pool
from ctrip.wallet.words import seed_of
from tests.faults.world import WORDS, RunOnce
from tests.support.anvil import Anvil
from tests.sweeps.refunding import REFUNDED, RefundingWorld, a_refunding_world, refunding
from tests.sweeps.world import TREASURY, SweepingWorld, a_sweeping_world, swept
from tests.wild.world import USD

ETHER: Final = 10**18
ANY: Final = {asset: Amount(AMOUNT_MAX) for asset in (NATIVE, Asset(USD))}  # may be given back


@asynccontextmanager
async def exporting(
    pool: Pool, anvil: Anvil
) -> AsyncIterator[tuple[SweepingWorld, Exporter, Taker]]:
    async with a_sweeping_world(pool, anvil, chain=swept(mode=Settles.EXPORT)) as world:
        transactor = world.client.transactor()
        common = (world.chain, transactor, pool, world.clock, world.news, None)
        yield world, Exporter(*common, Wallets(gas=world.signer.gas_address)), Taker(*common)


class ExportingWorld(RefundingWorld):
    """A gateway that moves money and refunds by exports alone; `world.signer` is elsewhere."""

    def _start(self) -> dict[str, RunOnce]:
        duties = super()._start()
        common = (self._chain, self._client.transactor(), self._pool, self.clock, self._news, None)
        self.exporter = Exporter(*common, self.elsewhere)
        self.without_payouts = Exporter(*common, Wallets(gas=self.signer.gas_address))
        self.taker, self.adopter = Taker(*common), Adopter(*common)
        self.follower = Follower(*common)
        del duties["refund"]
        return {**duties, "follow": self.follower.run_once}

    @property
    def elsewhere(self) -> Wallets:
        return Wallets(gas=self.signer.gas_address, payout=self.signer.payout_address)

    @property
    def asking(self) -> Refunds:
        return Refunds([self.chain], None, self.pool, self.clock, self.elsewhere)

    async def asked(self, amount: int = ETHER, *, in_tokens: bool = False) -> Payment:
        """Let a payment be paid, and ask for all of it back."""
        payment = await self.paid(amount, in_tokens=in_tokens)
        await self.look()
        await self.refund(payment)
        return payment

    async def nonces(self) -> list[tuple[str, int]]:
        return [(one["state"], one["nonce"]) for one in await self.sendings()]

    async def is_paid_once(self, payment: Payment, amount: int = ETHER) -> None:
        await self.settle(5)
        assert await self.states() == ["final"]
        assert await self.balance(REFUNDED, payment.asset) == amount
        assert await self.refunded(payment) == (amount, 1)

    async def used(self, tx_hash: TxHash, by: Unsigned | None = None) -> bool:
        """Say that a transaction has the nonce of a refund; of the only one, unless it is said."""
        ids = [by.refund.id] if by and by.refund else [row["id"] for row in await self.refunds()]
        found = await self.client.transaction(tx_hash)
        assert found is not None
        return await self.adopter.used(RefundId(ids[0]), found)


@asynccontextmanager
async def exporting_refunds(
    pool: Pool, anvil: Anvil, urls: Sequence[str] = (), *, sweeps: bool = False
) -> AsyncIterator[ExportingWorld]:
    chain = refunding(mode=Settles.EXPORT)
    async with a_refunding_world(
        pool, anvil, urls, chain=chain, kind=ExportingWorld, sweeps=sweeps
    ) as world:
        assert isinstance(world, ExportingWorld)
        yield world


def signed_by(
    world: SweepingWorld, bundle: ToSign, refund_max: Mapping[Asset, Amount] = NOTHING
) -> ToSend:
    """Do what `ctrip sweep sign` does, and see that it would sign this."""
    read = bundles.read(bundles.write(bundle), ToSign)
    assert vetting.faults_of(read, TREASURY, world.signer, refund_max) == []
    return signed(world, read)


def signed(world: SweepingWorld, bundle: ToSign) -> ToSend:
    """Sign whatever stands in a file."""
    sign = world.signer.sign
    done = [
        (one.id, sign(bundles.outgoing(one, bundle.chain_id), index=index_in(one.path)))
        for one in bundle.transactions
    ]
    return bundles.signed(bundle, done)


def signed_elsewhere(bundle: ToSign, **changes: str) -> list[str]:
    """Sign each transaction by its eth_transaction alone, with eth-account."""
    return [by_eth_account(one, **changes) for one in bundle.transactions]


def by_eth_account(one: Unsigned, **changes: str) -> str:
    root = BIP32.from_seed(seed_of(bytearray(WORDS.reveal().encode())))
    key = root.get_privkey_from_path(one.path)
    done = Account.sign_transaction({**one.eth_transaction, **changes}, key)
    return str(done.raw_transaction.to_0x_hex())


async def by_hand(world: SweepingWorld, raws: list[str]) -> TxHash:
    """Let a block have what was signed, without any gateway."""
    [tx_hash] = [TxHash(await world.anvil.rpc("eth_sendRawTransaction", one)) for one in raws]
    await world.mine(4)
    await world.look()
    return tx_hash
