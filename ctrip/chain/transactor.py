"""What ctrip needs of a chain to send transactions, beside what it needs to watch it (client.py).

One thing is a Transactor: chain/transact.py, over the endpoints that the chain is read from. Every
method raises ChainOutage or InconsistentChain where no endpoint gave an answer that could be
used, and nothing else. All are safe to repeat, `send` too: the same bytes are the same transaction.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from ctrip.core.blocks import Opinion
from ctrip.core.fees import Market
from ctrip.core.ids import Amount, Asset, RawAddress, TxHash
from ctrip.core.outgoing import Outcome, Outgoing, Reverts, Sent, Signed, TooPoor


class Transactor(Protocol):
    """Prices, tries out, sends and follows transactions on one chain."""

    async def market(self) -> Market:
        """Return what gas costs, in wei a unit, as it was at most a block ago.

        It is what one endpoint says; only a ceiling bounds what a lie could cost.
        """
        ...

    async def usual_base_fee(self) -> int | None:
        """Return what blocks of the last hour asked for, in the middle; None if nobody tells."""
        ...

    async def gas_for(self, outgoing: Outgoing) -> int | Reverts | TooPoor:
        """Return the gas to offer, a tenth more than the transaction needs now.

        It reverts or is too poor only if no endpoint that is well says otherwise: one that lags
        does not know of money that came just now. Gas and price of `outgoing` do not matter.
        """
        ...

    async def data_fee(self, outgoing: Outgoing) -> Amount:
        """Return what the sender needs beside gas, in wei: 0 except on rollups of the OP stack.

        The size of `outgoing` and its gas matter, its nonce and price do not. Read it once, for
        the amount and for the transaction: the next answer is another.
        """
        ...

    async def next_nonce(self, sender: RawAddress) -> int:
        """Return how many transactions of an address are in blocks, which is its next nonce."""
        ...

    async def next_nonces(self, senders: Sequence[RawAddress]) -> Mapping[RawAddress, int]:
        """Return the same for many, asked in batches."""
        ...

    async def balance(self, owner: RawAddress, asset: Asset) -> Amount:
        """Return what an address holds in the newest block, in base units."""
        ...

    async def code(self, owner: RawAddress) -> str:
        """Return the code of an address in the newest block, as 0x and hex."""
        ...

    async def send(self, signed: Signed) -> Sent:
        """Hand a transaction to every endpoint that is well; one that takes it is enough.

        A ChainOutage means that nobody said anything: the transaction may be out all the same.
        """
        ...

    async def outcomes(self, tx_hashes: Sequence[TxHash]) -> list[Outcome]:
        """Return what became of each transaction, in order.

        One that the first endpoint does not know is looked for at all that are well.
        """
        ...

    async def second_look(self, seen: Sequence[Outcome]) -> list[Opinion]:
        """Return whether a second endpoint shows what was seen of each that is in a block.

        If one does not the majority of all that answer decides, and an opinion names those that
        were outvoted. Where none is well and has come so far, it names none, and is no denial.
        """
        ...
