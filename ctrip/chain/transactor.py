"""What ctrip needs of a chain to send transactions, beside what it needs to watch it (client.py).

One thing is a Transactor: chain/transact.py, over the endpoints that the chain is read from.
"""

from collections.abc import Sequence
from typing import Protocol

from ctrip.core.fees import Market
from ctrip.core.ids import Amount, Asset, RawAddress, TxHash
from ctrip.core.outgoing import Outcome, Outgoing, Reverts, Sent, Signed, TooPoor


class Transactor(Protocol):
    """One network, to send to. Every method raises ChainOutage or InconsistentChain, nothing else.

    All are safe to repeat: the same bytes sent twice are one transaction.
    """

    async def market(self) -> Market:
        """Return what gas costs, not older than a block."""
        ...

    async def gas_for(self, outgoing: Outgoing) -> int | Reverts | TooPoor:
        """Return the gas a transaction needs, with a margin; its own gas and price count not."""
        ...

    async def data_fee(self, outgoing: Outgoing) -> Amount:
        """Return the wei that an OP-stack chain may take beside the gas; 0 elsewhere."""
        ...

    async def next_nonce(self, sender: RawAddress) -> int:
        """Return how many transactions of a sender are in blocks."""
        ...

    async def balance(self, owner: RawAddress, asset: Asset) -> Amount:
        """Return what an address holds now."""
        ...

    async def send(self, signed: Signed) -> Sent:
        """Show a transaction to every endpoint; one that takes it is enough.

        After a ChainOutage it may be out all the same.
        """
        ...

    async def outcomes(self, tx_hashes: Sequence[TxHash]) -> list[Outcome]:
        """Return what became of transactions, in order; a block that was dropped is none."""
        ...
