"""`ctrip dev --sweep`: a treasury on the dev chain, and wallets that can pay gas and refunds.

The words are printed in manuals, so anybody may spend what is here; on this chain it is worth
nothing.
"""

from pathlib import Path
from typing import Final

from msgspec.structs import replace

from ctrip.chain.wire import Endpoint
from ctrip.core.chains import Chain, Settlement
from ctrip.core.finality import Terms
from ctrip.core.ids import Address, Amount, raw
from ctrip.core.payment import Settles
from ctrip.dev import token as tokens
from ctrip.settings import Settings
from ctrip.settings import Settlement as Keys
from ctrip.wallet.keystore import open_signer

TREASURY: Final = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")  # anvil's second account
SETTLEMENT: Final = Settlement(mode=Settles.SWEEP, treasury=TREASURY)
GAS_MONEY: Final = 10**20  # wei: 100 ETH
REFUND_MONEY: Final = Amount(10**20)  # the same, to be paid back; of a token as many of its units


async def swept(settings: Settings, folder: Path, words: str) -> Settings:
    """Let confirmed money go to the treasury, and be refunded; fill the wallets that pay for it."""
    found = keys(folder, words)
    [network] = settings.networks
    node = Endpoint(network.chain.name, network.rpc_urls[0])
    try:
        signer = open_signer(found)
        await node.call("anvil_setBalance", signer.gas_address, hex(GAS_MONEY))
        await node.call("anvil_setBalance", signer.payout_address, hex(GAS_MONEY + REFUND_MONEY))
        for token in network.chain.tokens:
            await tokens.mint(node, raw(token.contract), signer.payout_address, REFUND_MONEY)
    finally:
        await node.close()
    chain = refunding(replace(network.chain, settlement=SETTLEMENT))
    return replace(settings, settlement=found, networks=(replace(network, chain=chain),))


def refunding(chain: Chain) -> Chain:
    """Return a chain on which as much may be paid back in a day as there is."""

    def more(terms: Terms) -> Terms:
        return replace(terms, refund_per_day_max=REFUND_MONEY)

    listed = tuple(replace(token, terms=more(token.terms)) for token in chain.tokens)
    return replace(chain, coin_terms=more(chain.coin_terms), tokens=listed)


def keys(folder: Path, words: str) -> Keys:
    """Leave the words in a file that we alone can read, as an operator would."""
    file = folder / "words"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(words + "\n")
    return Keys(mode="sweep", treasury=TREASURY, mnemonic_file=str(file))
