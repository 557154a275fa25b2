"""What ctrip needs of a chain, and how a chain lets it down.

Two things are a ChainClient: chain/rpc.py, which asks a real node, and the tests'
FakeChain. Both pass the same conformance tests. All methods are safe to repeat.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from ctrip.core.blocks import Block, Head, Header, Receipt
from ctrip.core.errors import OutageError
from ctrip.core.ids import BlockNumber, RawAddress, TxHash


class ChainOutage(OutageError):
    """No endpoint gave a usable answer. The text names the chain and the fault, never the URL."""


class InconsistentChain(OutageError):
    """An answer contradicts itself or an earlier one, as in the middle of a reorg: ask again."""


class ChainClient(Protocol):
    """One network. Every method raises ChainOutage or InconsistentChain, and nothing else."""

    async def chain_id(self) -> int:
        """Return the id the network calls itself (EIP-155)."""
        ...

    async def head(self) -> Head:
        """Return the newest block and the number of the newest final one."""
        ...

    async def headers(self, numbers: Sequence[BlockNumber]) -> list[Header]:
        """Return the canonical headers of these heights, in order, without those above the head."""
        ...

    async def blocks(
        self, first: BlockNumber, last: BlockNumber, *, tokens: Collection[RawAddress]
    ) -> list[Block]:
        """Return all blocks first..last, each with its logs of `tokens`, read by its hash."""
        ...

    async def receipts(self, tx_hashes: Sequence[TxHash]) -> list[Receipt]:
        """Return one receipt for each transaction, in order; a missing one is InconsistentChain."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...
