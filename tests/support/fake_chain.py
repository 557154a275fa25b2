"""A chain in memory, with forks and faults on demand: the one fake ChainClient.

    chain = FakeChain()
    paid = chain.pay(address, 5)                      # in the pool
    chain.pay_token(token, address, 7)
    chain.mine()                                      # both in a block
    chain.reorg(1)                                    # both gone, as on a real node
    chain.reorg(1, keep=[paid])                       # mined again, with its hash

It behaves as anvil does where the two can be compared (tests/chain/test_client_conformance.py):
a reorganised chain has the height it had, other hashes, and forgets what is not kept. The
same calls make the same hashes, always.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from ctrip.chain.client import ChainOutage, EndpointState, InconsistentChain, Ours
from ctrip.core.blocks import (
    Block,
    Head,
    Header,
    Holding,
    NativeCall,
    NativeMove,
    Opinion,
    Receipt,
    Span,
    TokenLog,
)
from ctrip.core.ids import Amount, BlockHash, BlockNumber, RawAddress, TxHash
from ctrip.core.payment import Source, Transfer
from ctrip.core.price import NoRound, Round
from ctrip.core.transaction import Transaction
from tests.support import fake_blocks
from tests.support.fake_blocks import PAYER, Mined, Move, Tx, digest, seen

GENESIS: Final = datetime(2026, 1, 1, tzinfo=UTC)


class FakeChain:
    """ChainClient, and the network behind it."""

    def __init__(
        self, *, chain_id: int = 31337, finality_lag: int = 2, block_seconds: float = 1
    ) -> None:
        self.finality_lag = finality_lag  # blocks; raise it and finality stands still
        self.is_down = False  # every call is a ChainOutage
        self.traces = True  # an endpoint can show what contracts moved
        self.disagrees: str = ""  # what a second endpoint says instead, if it does
        self.hidden: set[TxHash] = set()  # whose logs the first endpoint does not show
        self.feeds: dict[RawAddress, Round | NoRound] = {}  # what aggregators say
        self.second_feeds: dict[RawAddress, Round | NoRound] = {}  # to a second endpoint
        self.asked: Counter[str] = Counter()  # how often each method was called
        self._chain_id = chain_id
        self._block_time = timedelta(seconds=block_seconds)
        self._known, self._pool = dict[TxHash, Tx](), list[Tx]()
        self._forks = 0
        self._blocks: list[Mined] = []
        self._before: defaultdict[str, list[Callable[[], object]]] = defaultdict(list)
        self._append((), GENESIS)

    # What happens on the network

    def pay(
        self, to: RawAddress, amount: int, *, sender: RawAddress = PAYER, fails: bool = False
    ) -> TxHash:
        """Send native coin. A failing transaction is mined and moves nothing."""
        tx_hash = self._next_hash()
        call = NativeCall(tx_hash=tx_hash, sender=sender, recipient=to, amount=Amount(amount))
        return self._submit(Tx(tx_hash, call=call if amount else None, fails=fails))

    def pay_token(
        self, contract: RawAddress, to: RawAddress, amount: int, *, sender: RawAddress = PAYER
    ) -> TxHash:
        """Send tokens."""
        return self.pay_tokens(Move(contract, to, amount, sender))

    def pay_tokens(self, *moves: Move, fails: bool = False, silently: bool = False) -> TxHash:
        """Send several times in one transaction, as exchanges do; or to recipients in storage."""
        return self._submit(Tx(self._next_hash(), moves=moves, fails=fails, is_silent=silently))

    def forward(
        self, *payouts: tuple[RawAddress, int], fails: bool = False, silently: bool = False
    ) -> TxHash:
        """Let a contract send native coin, which no list of transactions shows."""
        tx = fake_blocks.forwarded(self._next_hash(), payouts)
        return self._submit(replace(tx, fails=fails, is_silent=silently))

    def resend(self, tx_hash: TxHash) -> TxHash:
        """Put a transaction that a reorg dropped back into the pool."""
        return self._submit(self._known[tx_hash])

    def mine(self, blocks: int = 1, *, at: datetime | None = None) -> Header:
        """Mine the pool into the first of some blocks and return the last of them."""
        for _ in range(blocks):
            txs, self._pool = tuple(self._pool), []
            self._append(txs, at or self.tip.time + self._block_time)
            at = None
        return self.tip

    def reorg(self, depth: int, *, keep: Sequence[TxHash] = ()) -> Header:
        """Replace the last blocks by others; of their transactions `keep` go into the first."""
        assert 0 < depth < len(self._blocks), "the genesis block stays"
        self._forks += 1
        dropped = self._blocks[-depth:]
        del self._blocks[-depth:]
        kept = tuple(self._known[tx_hash] for tx_hash in keep)
        for old in dropped:
            self._append(kept, old.header.time)
            kept = ()
        return self.tip

    def forget(self, tx_hash: TxHash) -> None:
        """Let it turn out that only the first endpoint ever knew of a transaction."""
        del self._known[tx_hash]

    def before_next(self, method: str, act: Callable[[], object]) -> None:
        """Do something just before the next call of a method: a reorg between two questions."""
        self._before[method].append(act)

    def shorten(self, depth: int) -> list[Mined]:
        """Take the last blocks away, as from a node that lags; what is mined next is a fork."""
        self._forks += 1
        cut, self._blocks = self._blocks[-depth:], self._blocks[:-depth]
        return cut

    def lengthen(self, blocks: Sequence[Mined]) -> None:
        """Give blocks back that were taken away."""
        self._blocks += blocks

    def mined(self) -> list[Mined]:
        """Return the chain, from its genesis block on."""
        return list(self._blocks)

    @property
    def tip(self) -> Header:
        return self._blocks[-1].header

    # What a ChainClient is asked

    async def chain_id(self) -> int:
        """Return the id that the chain was made with."""
        self._asked("chain_id")
        return self._chain_id

    async def head(self) -> Head:
        """Return the tip, and the final block some way below it."""
        self._asked("head")
        finalized = max(0, self.tip.number - self.finality_lag)
        safe = max(0, self.tip.number - self.finality_lag // 2)
        return Head(latest=self.tip, finalized=BlockNumber(finalized), safe=BlockNumber(safe))

    async def headers(self, numbers: Sequence[BlockNumber], *, again: bool = False) -> list[Header]:
        """Return the headers of those heights that the chain has."""
        self._asked("headers again" if again else "headers")
        return [self._blocks[number].header for number in numbers if number <= self.tip.number]

    async def blocks(
        self,
        first: BlockNumber,
        last: BlockNumber,
        *,
        tokens: Collection[RawAddress],
        ours: Ours | None = None,
        at_a_glance: bool = False,
    ) -> list[Block]:
        """Return a range of blocks, all of it there."""
        self._asked("blocks")
        if last > self.tip.number:
            raise InconsistentChain("fake: a block that should be there is not")
        mined = self._blocks[first : last + 1]
        if at_a_glance and ours:
            return await fake_blocks.glanced(mined, tokens, self.hidden, ours)
        read = [seen(one, tokens, self.hidden) for one in mined]
        return await fake_blocks.only_ours(read, ours) if ours else read

    async def logs(
        self, above: BlockNumber, last: BlockNumber, block: BlockHash, **asked: Any
    ) -> Sequence[TokenLog]:
        """Return the logs of blocks that are still there."""
        self._asked("logs")
        if not self._has(last, block):
            raise InconsistentChain("fake: another block is in the place of one that was read")
        mined = self._blocks[above + 1 : last + 1]
        return [log for one in mined for log in seen(one, asked["tokens"], self.hidden).logs]

    async def span(
        self,
        above: BlockNumber,
        last: BlockNumber,
        *,
        tokens: Collection[RawAddress],
        again: bool = False,
        ours: Ours | None = None,  # noqa: ARG002  its logs are of blocks that are there
    ) -> Span:
        """Return the logs of a range; another endpoint hides none."""
        self._asked("span")
        if last > self.tip.number:
            raise InconsistentChain("fake: a block that should be there is not")
        hidden = set() if again else self.hidden
        blocks = [seen(mined, tokens, hidden) for mined in self._blocks[above + 1 : last + 1]]
        return Span(
            anchor=self._blocks[above].header,
            last=self._blocks[last].header,
            logs=tuple(log for block in blocks for log in block.logs),
        )

    async def receipts(self, tx_hashes: Sequence[TxHash]) -> list[Receipt]:
        """Return what became of mined transactions."""
        self._asked("receipts")
        return fake_blocks.receipts(self._blocks, tx_hashes)

    async def transaction(self, tx_hash: TxHash) -> Transaction | None:
        """Return what is known of a transaction; what a reorg dropped is not."""
        self._asked("transaction")
        return fake_blocks.looked_up(self._blocks, self._pool, tx_hash)

    async def holdings(
        self, at: Header, asked: Sequence[Holding], *, again: bool = False
    ) -> list[Amount]:
        """Add up what came to each address until then, and what went."""
        self._asked("holdings again" if again else "holdings")
        if not self._has(at.number, at.hash):
            raise ChainOutage("fake: the block is unknown")
        sums = fake_blocks.held(self._blocks[: at.number + 1])
        return [Amount(sums[one]) for one in asked]

    async def moves(self, at: Header) -> list[NativeMove] | None:
        """Return what contracts forwarded in a block."""
        self._asked("moves")
        if not self.traces:
            return None
        if not self._has(at.number, at.hash):
            raise ChainOutage("fake: the block is unknown")
        txs = self._blocks[at.number].txs
        return [inner for tx in txs if not tx.fails for inner in tx.inner]

    async def opinion(self, transfer: Transfer) -> Opinion:
        """Agree if the transfer is there, unless told otherwise."""
        self._asked("opinion")
        known = transfer.source is Source.BALANCE or transfer.key.tx_hash in self._known
        there = known and self._has(transfer.block_number, transfer.block_hash)
        return fake_blocks.opinion(self.disagrees or ("" if there else "it shows another block"))

    async def round(self, feed: RawAddress) -> Round | NoRound:
        """Return what a feed was made to say, read beside the tip."""
        return (await self.rounds(feed, count=1))[0]

    async def rounds(self, feed: RawAddress, *, count: int = 2) -> list[Round | NoRound]:
        """Return what it was made to say through one endpoint and the other."""
        self._asked("round")
        if count > 1 and not self.second_feeds:
            raise ChainOutage("fake: there is no second endpoint")
        said = [self.feeds, self.second_feeds][:count]
        read = [feeds.get(feed, NoRound("does not answer as a feed does")) for feeds in said]
        time = self.tip.time
        return [one if isinstance(one, NoRound) else replace(one, block_time=time) for one in read]

    def endpoints(self) -> Sequence[EndpointState]:
        """Return the one there is."""
        return [EndpointState(label="fake", ok=not self.is_down, head=self.tip.number)]

    async def close(self) -> None:
        """There is nothing to give back."""

    def _asked(self, method: str) -> None:
        self.asked[method] += 1
        for act in self._before.pop(method, []):
            act()
        if self.is_down:
            raise ChainOutage("fake: the connection failed")

    def _has(self, number: BlockNumber, block: BlockHash) -> bool:
        return number <= self.tip.number and self._blocks[number].header.hash == block

    def _next_hash(self) -> TxHash:
        return TxHash(digest("transaction", len(self._known)))

    def _submit(self, tx: Tx) -> TxHash:
        self._known[tx.hash] = tx
        self._pool.append(tx)
        return tx.hash

    def _append(self, txs: tuple[Tx, ...], time: datetime) -> None:
        number = len(self._blocks)
        parent = BlockHash(self.tip.hash if number else "0x" + "00" * 32)
        header = Header(
            number=BlockNumber(number),
            hash=BlockHash(digest(parent, number, self._forks, *(tx.hash for tx in txs))),
            parent_hash=parent,
            time=time,
        )
        self._blocks.append(Mined(header, txs))
