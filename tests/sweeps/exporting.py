"""A gateway without keys on a real chain, and the machines that sign for it.

async with exporting(pool, anvil) as (world, exporter, taker):
    await taker.take(signed_by(world, await exporter.export()))         # `ctrip sweep sign`
    await taker.take_raw(signed_elsewhere(await exporter.export()))     # any other program
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bip32 import BIP32  # type: ignore[import-untyped]
from eth_account import Account

from ctrip.core import bundles, vetting
from ctrip.core.bundles import ToSend, ToSign, Unsigned
from ctrip.core.paths import index_in
from ctrip.core.payment import Settles
from ctrip.flows.export import Exporter
from ctrip.flows.take import Taker
from ctrip.store.pool import Pool
from ctrip.wallet.words import seed_of
from tests.faults.world import WORDS
from tests.support.anvil import Anvil
from tests.sweeps.world import TREASURY, SweepingWorld, a_sweeping_world, swept


@asynccontextmanager
async def exporting(
    pool: Pool, anvil: Anvil
) -> AsyncIterator[tuple[SweepingWorld, Exporter, Taker]]:
    async with a_sweeping_world(pool, anvil, chain=swept(mode=Settles.EXPORT)) as world:
        transactor = world.client.transactor()
        common = (world.chain, transactor, pool, world.clock, world.news, None)
        yield world, Exporter(*common, gas_wallet=world.signer.gas_address), Taker(*common)


def signed_by(world: SweepingWorld, bundle: ToSign) -> ToSend:
    """Do what `ctrip sweep sign` does, and see that it would sign this."""
    read = bundles.read(bundles.write(bundle), ToSign)
    assert vetting.faults_of(read, TREASURY, world.signer) == []
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
