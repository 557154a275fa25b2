"""`ctrip dev --sweep`: a treasury on the dev chain, and a gas wallet that has coin.

The words are printed in manuals, so anybody may spend what is here; on this chain it is worth
nothing.
"""

from pathlib import Path
from typing import Final

from msgspec.structs import replace

from ctrip.chain.wire import Endpoint
from ctrip.core.chains import Settlement
from ctrip.core.ids import Address
from ctrip.core.payment import Settles
from ctrip.settings import Settings
from ctrip.settings import Settlement as Keys
from ctrip.wallet.keystore import open_signer

TREASURY: Final = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")  # anvil's second account
SETTLEMENT: Final = Settlement(mode=Settles.SWEEP, treasury=TREASURY)
GAS_MONEY: Final = 10**20  # wei: 100 ETH


async def swept(settings: Settings, folder: Path, words: str) -> Settings:
    """Let confirmed money go to the treasury, and give the gas wallet coin."""
    found = keys(folder, words)
    [network] = settings.networks
    node = Endpoint(network.chain.name, network.rpc_urls[0])
    try:
        gas_wallet = open_signer(found).gas_address
        await node.call("anvil_setBalance", gas_wallet, hex(GAS_MONEY))
    finally:
        await node.close()
    chain = replace(network.chain, settlement=SETTLEMENT)
    return replace(settings, settlement=found, networks=(replace(network, chain=chain),))


def keys(folder: Path, words: str) -> Keys:
    """Leave the words in a file that we alone can read, as an operator would."""
    file = folder / "words"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(words + "\n")
    return Keys(mode="sweep", treasury=TREASURY, mnemonic_file=str(file))
