"""`ctrip sweep batcher`: where the contract of batches is, and how it gets there."""

from contextlib import AsyncExitStack

from msgspec import Struct

from ctrip import logs
from ctrip.chain.batcher import FACTORY, batcher_of, deployment
from ctrip.chain.rpc import RpcChain
from ctrip.cli.chains import network_of
from ctrip.clock import SystemClock
from ctrip.core.errors import ConfigError
from ctrip.core.ids import Address, raw
from ctrip.core.payment import Settles
from ctrip.settings import Settings, secrets_of
from ctrip.wallet.derive import checksum
from ctrip.wallet.keystore import open_signer

NOTHING = "0x"


class Batcher(Struct, frozen=True, kw_only=True):
    """A chain's contract, as --json prints it."""

    chain: str
    contract: Address
    treasury: Address
    gas_wallet: Address
    deployed: bool
    factory: bool  # the chain has what deploys it
    to: Address
    data: str


async def look(settings: Settings, name: str) -> Batcher:
    """Return where the contract of a chain is, and whether it is there."""
    network = network_of(settings.networks, name)
    settlement = network.chain.settlement
    if settlement.mode is not Settles.SWEEP or settlement.treasury is None:
        raise ConfigError(f'{name} has no batches: they are for the mode "sweep"')
    logs.configure(settings.log, secrets_of(settings))
    treasury, gas_wallet = raw(settlement.treasury), open_signer(settings.settlement).gas_address
    contract = batcher_of(treasury, gas_wallet)
    async with AsyncExitStack() as stack:
        client = RpcChain(network.chain, network.rpc_urls, SystemClock())
        stack.push_async_callback(client.close)
        deployed, factory = [
            await client.transactor().code(owner) != NOTHING for owner in (contract, FACTORY)
        ]
    return Batcher(
        chain=name,
        contract=checksum(contract),
        treasury=settlement.treasury,
        gas_wallet=checksum(gas_wallet),
        deployed=deployed,
        factory=factory,
        to=checksum(FACTORY),
        data=deployment(treasury, gas_wallet),
    )


def as_text(found: Batcher) -> str:
    """Return it for an operator."""
    about = (
        f"contract {found.contract} on {found.chain}, for the treasury {found.treasury}"
        f" and the gas wallet {found.gas_wallet}"
    )
    if found.deployed:
        return f"{about}: it is there"
    if not found.factory:
        return f"{about}: nothing is at {found.to}, which deploys it, so it cannot be on this chain"
    return (
        f"{about}: it is not there yet\n"
        "To deploy it, send this from any wallet (1 million gas):\n"
        f"to    {found.to}\nvalue 0\ndata  {found.data}"
    )
