"""Search the blocks in which balances rose, and ask there who paid.

An address is a suspect when it holds more than is on record for it. Somewhere in a line of
blocks it began to: halving finds where in a few questions, asked for all suspects at once.
That block is read with its traces. What it names is found; what is left over there came
unnamed, and the search goes on above. So each suspect comes to an end: its balance is
explained, or noted at the very block where it rose, which says if the money was in time.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip import logs
from ctrip.chain.client import ChainClient, ChainOutage, InconsistentChain
from ctrip.core.blocks import Header, Holding, NativeMove
from ctrip.core.chains import Chain
from ctrip.core.facts import explain
from ctrip.core.ids import NATIVE, Amount, BlockNumber, PaymentId, RawAddress
from ctrip.core.matching import Found
from ctrip.core.payment import Source, Transfer, TransferKey
from ctrip.flows.find import find, lookup, tokens_of
from ctrip.flows.weigh import weighed
from ctrip.store.pool import Pool

LOOKS_MAX: Final = 32  # blocks traced in one search; a trace costs as much as many other calls
# Newest blocks that are traced where no node keeps the state to search by.
LOOKS_WITHOUT_STATE_MAX: Final = 8

log = logs.get("ctrip.trace_back")


class Suspect(Struct):
    """A payment whose address holds more than is on record."""

    payment_id: PaymentId
    owner: RawAddress
    balance: Amount  # at the end of the line
    noted: int  # beyond the record, and known already to be unnamed
    coins: Sequence[Transfer]  # on record, and what the search adds
    own: Sequence[tuple[BlockNumber, int]] = ()  # that our transactions moved, and in which block

    def beyond(self, balance: Amount, at: Header) -> Amount:
        """Return what a balance after a block is beyond the record.

        What only a balance showed came at its block or before, nobody knows when.
        """
        recorded = sum(
            coin.amount
            for coin in self.coins
            if coin.block_number <= at.number or coin.source is Source.BALANCE
        )
        moved = sum(amount for block, amount in self.own if block <= at.number)
        return Amount(max(0, balance - recorded - moved))


class Search:
    """One search along a line of blocks, each the child of the one before."""

    def __init__(
        self,
        chain: Chain,
        client: ChainClient,
        pool: Pool,
        line: Sequence[Header],
        suspects: Sequence[Suspect],
    ) -> None:
        self.found: dict[TransferKey, Found] = {}
        self.unnamed: list[tuple[Suspect, Amount, Header]] = []  # what was held after a block
        self.left: dict[PaymentId, Amount] = {}  # beyond the record still, of those searched
        self.broken_off = False
        self._chain = chain
        self._client = client
        self._pool = pool
        self._line = line
        self._suspects = suspects
        self._looked: set[BlockNumber] = set()
        self._state_is_kept = True
        self._balances: dict[BlockNumber, dict[RawAddress, Amount]] = {}

    async def run(self) -> None:
        """Search for all suspects, or for as many as the bounds allow."""
        top = self._line[-1]
        self._balances[top.number] = {one.owner: one.balance for one in self._suspects}
        for one in self._suspects:
            if len(self._looked) >= LOOKS_MAX:
                self.broken_off = True
                return
            await self._search(one)
            self.left[one.payment_id] = one.beyond(one.balance, top)

    async def _search(self, one: Suspect) -> None:
        if self._state_is_kept:
            try:
                await self._by_halves(one)
            except ChainOutage:
                self._state_is_kept = False
                log.warning("no old state", chain=self._chain.name, first=self._line[0].number)
            else:
                return
        for header in self._line[-LOOKS_WITHOUT_STATE_MAX:]:
            await self._look(header)
        if one.beyond(one.balance, self._line[-1]) > one.noted:
            self._note(one, one.balance, self._line[-1])

    async def _by_halves(self, one: Suspect) -> None:
        """Go from rise to rise; each time what nobody names there is noted."""
        low, top = 0, len(self._line) - 1
        unnamed = await self._beyond(one, low)
        if unnamed > one.noted:
            await self._note_at(one, low)  # it came too long ago
        while await self._beyond(one, top) > unnamed:
            if len(self._looked) >= LOOKS_MAX:
                await self._note_at(one, top)
                return
            low = await self._rise(one, low, top, unnamed)
            await self._look(self._line[low])
            rest = await self._beyond(one, low)
            if rest > unnamed:
                await self._note_at(one, low)
                unnamed = rest

    async def _rise(self, one: Suspect, low: int, top: int, unnamed: Amount) -> int:
        """Return a place after `low` where the balance came to be beyond record and unnamed."""
        while top - low > 1:
            middle = (low + top) // 2
            if await self._beyond(one, middle) > unnamed:
                top = middle
            else:
                low = middle
        return top

    async def _beyond(self, one: Suspect, place: int) -> Amount:
        header = self._line[place]
        return one.beyond(await self._balance(one, header), header)

    async def _balance(self, one: Suspect, at: Header) -> Amount:
        """Return what an address held after a block, asking for all suspects at once."""
        if at.number not in self._balances:
            asked = [Holding(NATIVE, suspect.owner) for suspect in self._suspects]
            owners = [holding.owner for holding in asked]
            balances = await weighed(self._client, at, asked)
            self._balances[at.number] = dict(zip(owners, balances, strict=True))
        return self._balances[at.number][one.owner]

    async def _note_at(self, one: Suspect, place: int) -> None:
        header = self._line[place]
        self._note(one, await self._balance(one, header), header)

    def _note(self, one: Suspect, balance: Amount, at: Header) -> None:
        self.unnamed.append((one, balance, at))

    async def _look(self, header: Header) -> None:
        """Read one block with all that contracts moved in it; it may explain several suspects."""
        if header.number in self._looked:
            return
        tokens, ours = tokens_of(self._chain), lookup(self._pool)
        at = header.number
        [block] = await self._client.blocks(at, at, tokens=tokens, ours=ours)
        if block.header != header:
            raise InconsistentChain(f"{self._chain.name}: the chain changed while it was read")
        moves = await self._moves(header)
        whole = replace(block, moves=tuple(moves))
        for item in await find(self._chain, self._client, self._pool, [whole]):
            self.found[item.transfer.key] = item
            self._explain(item)
        self._looked.add(header.number)

    async def _moves(self, at: Header) -> Sequence[NativeMove]:
        try:
            return await self._client.moves(at) or ()
        except ChainOutage as error:  # what it would have named counts when it is final
            log.warning("no trace", chain=self._chain.name, block=at.number, why=str(error))
            return ()

    def _explain(self, item: Found) -> None:
        """Put what was found on the record of its suspect, as the machine will."""
        transfer = item.transfer
        for one in self._suspects:
            of_one = one.payment_id == item.payment_id and transfer.key.asset == NATIVE
            if of_one and all(coin.key != transfer.key for coin in one.coins):
                one.coins = (*explain(tuple(one.coins), transfer), transfer)
