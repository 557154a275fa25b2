"""What ctrip needs of a chain, and how a chain lets it down.

Two things are a ChainClient: chain/rpc.py, which asks real nodes, and the tests'
FakeChain. Both pass the same conformance tests. All methods are safe to repeat.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from ctrip.core.blocks import (
    Block,
    Head,
    Header,
    Holding,
    NativeMove,
    Opinion,
    Receipt,
    Span,
    TokenLog,
)
from ctrip.core.errors import OutageError
from ctrip.core.ids import Amount, BlockHash, BlockNumber, RawAddress, TxHash
from ctrip.core.payment import Transfer
from ctrip.core.price import NoRound, Round
from ctrip.core.transaction import Transaction

# Which of these addresses are ours?
Ours: TypeAlias = Callable[[Collection[RawAddress]], Awaitable[Collection[RawAddress]]]


class ChainOutage(OutageError):
    """No endpoint gave a usable answer. The text names the chain and the fault, never the URL."""


class InconsistentChain(OutageError):
    """An answer contradicts itself or an earlier one, as in the middle of a reorg: ask again."""


class EndpointState(Struct, frozen=True, kw_only=True):
    """One endpoint, for the eyes of an operator. `label` stands for its URL."""

    label: str
    ok: bool
    why: str = ""  # what is wrong with it, or what it lacks
    calls: int = 0  # JSON-RPC calls sent since start
    requests: int = 0  # HTTP requests that carried them
    bytes_received: int = 0
    seconds: float = 0.0  # spent waiting for answers
    faults: int = 0  # answers that were none
    inconsistencies: int = 0  # answers that could not be true
    head: int | None = None


class ChainClient(Protocol):
    """One network. Every method raises ChainOutage or InconsistentChain, and nothing else."""

    async def chain_id(self) -> int:
        """Return the id the network calls itself (EIP-155)."""
        ...

    async def head(self) -> Head:
        """Return the newest block that a majority of the endpoints has, and the tags' numbers.

        Without a `finalized` tag, the block `finality_depth` below it; without `safe`, the
        final one. The tags' numbers never fall.
        """
        ...

    async def headers(self, numbers: Sequence[BlockNumber], *, again: bool = False) -> list[Header]:
        """Return the canonical headers of these heights, in order, without those above the head."""
        ...

    async def blocks(
        self,
        first: BlockNumber,
        last: BlockNumber,
        *,
        tokens: Collection[RawAddress],
        ours: Ours | None = None,
        at_a_glance: bool = False,
    ) -> list[Block]:
        """Return all blocks first..last, each with its logs of `tokens`, read by its hash.

        `ours` is asked about the addresses in blocks once they are read, and what goes to
        others is left out. It may be asked several times, and about blocks that turn out to
        be of no use.

        Where the chain shows native moves as logs, these are the blocks' `moves` and `calls`
        is empty.

        `at_a_glance`, a block has its logs only if its transactions' data names an address of
        ours, and else owes them; unless its moves are logs.
        """
        ...

    async def logs(
        self,
        above: BlockNumber,
        last: BlockNumber,
        block: BlockHash,
        *,
        tokens: Collection[RawAddress],
        ours: Ours | None = None,
    ) -> Sequence[TokenLog]:
        """Return the logs of the blocks above..last, `above` excluded, that were left out.

        `last` must still be this block, or it is InconsistentChain. `ours` as for a span.
        """
        ...

    async def span(
        self,
        above: BlockNumber,
        last: BlockNumber,
        *,
        tokens: Collection[RawAddress],
        again: bool = False,
        ours: Ours | None = None,
    ) -> Span:
        """Return the logs of the blocks above..last, `above` excluded, in as few calls as can be.

        `again` asks another endpoint than the one that is read from, where there is one. With
        `ours`, what goes to such addresses must be in blocks that the same endpoint shows.
        """
        ...

    async def receipts(self, tx_hashes: Sequence[TxHash]) -> list[Receipt]:
        """Return one receipt for each transaction, in order; a missing one is InconsistentChain."""
        ...

    async def transaction(self, tx_hash: TxHash) -> Transaction | None:
        """Return what is known of a transaction, mined or not; None if no endpoint knows it.

        Every endpoint is asked until one has it in a block. Nothing that it says is credited.
        """
        ...

    async def holdings(
        self, at: Header, asked: Sequence[Holding], *, again: bool = False
    ) -> list[Amount]:
        """Return the balances in the state after this block, in order.

        A token contract that does not answer is a balance of 0. A node without the block's
        state, or without the block, is an outage. `again` as for a span.
        """
        ...

    async def moves(self, at: Header) -> list[NativeMove] | None:
        """Return all native coin that contracts moved in a block; None where no endpoint traces.

        A frame counts when neither it nor one above it failed. The values of transactions
        themselves (ordinal 0) are not among them.
        """
        ...

    async def opinion(self, transfer: Transfer) -> Opinion:
        """Ask whether two endpoints show a transfer; if one does not, most of those that answer."""
        ...

    async def round(self, feed: RawAddress) -> Round | NoRound:
        """Return the newest round of a feed, with the time of the newest block it is read beside.

        What it says is not judged. No contract, one that reverts and one that answers
        something else are a NoRound.
        """
        ...

    async def rounds(self, feed: RawAddress, *, count: int = 2) -> list[Round | NoRound]:
        """Return the same of so many different endpoints; raise ChainOutage if fewer answer."""
        ...

    def endpoints(self) -> Sequence[EndpointState]:
        """Return every endpoint as it is known now, without asking."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...
