"""Was the answer empty because the block is, or because the node does not know better?

A block's header has a Bloom filter of the addresses and topics of its logs. If it holds
the Transfer topic and one of our contracts and the node shows no log, there are three
ways: the logs are missing; the contract logged something else; or chance. The receipts
of the block decide: their logs must make up the very filter of the header. Without them,
a second endpoint that shows nothing either is believed. A filter so full that chance
alone would set our bits says nothing and is not looked at.

Some chains fill their filters wrongly. When doubts come again and again and none is
ever settled, the check is switched off for as long as the process lives, and that is
said aloud.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from eth_hash.auto import keccak

from ctrip import logs
from ctrip.chain import decode
from ctrip.chain.decode import Contradiction, Garbled, WireFullReceipt
from ctrip.chain.endpoint import Provider
from ctrip.chain.transfers import Sought
from ctrip.chain.wire import Call
from ctrip.core.blocks import Header
from ctrip.core.ids import BlockHash, BlockNumber

BITS: Final = 2048
FULL: Final = BITS * 37 // 100  # bits; beyond it chance sets the 3 bits of an address in 1 of 20
UNSETTLED_MAX: Final = 10  # doubts in a row; two endpoints settle one, and so do receipts
DOUBTS_KEPT_MAX: Final = 64  # blocks that some endpoint called empty
OWED_KEPT_MAX: Final = 64  # blocks whose logs are to be read yet: of some branches
RECEIPTS: Final = "eth_getBlockReceipts"

log = logs.get("ctrip.chain")


class Glanced(NamedTuple):
    """A block that was read without its logs."""

    header: Header
    bloom: str


class Blooms:
    """The check, for one chain."""

    def __init__(self, chain: str, *, is_on: bool) -> None:
        self.is_on = is_on
        self._chain = chain
        self._unsettled = 0
        self._said_empty: dict[str, set[str]] = {}  # labels, by block hash
        self._owed: dict[str, Glanced] = {}  # by block hash, in the order in which they were read

    def owe(self, blocks: Iterable[Glanced]) -> None:
        """Remember blocks, to be checked when their logs are read."""
        self._owed |= {block.header.hash: block for block in blocks}
        while len(self._owed) > OWED_KEPT_MAX:
            del self._owed[next(iter(self._owed))]

    def owed(self, block: BlockHash, above: BlockNumber) -> Sequence[Glanced]:
        """Return a block and those below it, newest first, as far as they are remembered."""
        line = []
        while (glanced := self._owed.get(block)) and glanced.header.number > above:
            line.append(glanced)
            block = glanced.header.parent_hash
        return line

    async def check_empty(
        self, provider: Provider, header: Header, bloom: str, asked: Sought
    ) -> None:
        """Raise Contradiction if a block that was shown without logs seems to have some."""
        if not (self.is_on and may_have(bloom, asked)):
            return
        if (settled := await self._settled(provider, header, bloom, asked)) is False:
            raise Contradiction("logs of a block were left out, as its receipts show")
        labels = self._said_empty.setdefault(header.hash, set())
        labels.add(provider.label)
        if settled or len(labels) > 1:
            self._unsettled = 0
            return
        while len(self._said_empty) > DOUBTS_KEPT_MAX:
            del self._said_empty[next(iter(self._said_empty))]
        self._unsettled += 1
        if self._unsettled >= UNSETTLED_MAX:
            self.is_on = False
            log.warning("logs are no longer checked against bloom filters", chain=self._chain)
        raise Contradiction("no logs of a block whose bloom filter announces some")

    async def _settled(
        self, provider: Provider, header: Header, bloom: str, asked: Sought
    ) -> bool | None:
        """Return True if the receipts prove that nothing is missing, False if they show more."""
        if provider.lacks(RECEIPTS):
            return None
        calls = [Call(RECEIPTS, (header.hash,))]
        [reply] = await provider.ask(calls, decode.BLOCK_RECEIPTS)
        if reply.result is None:
            provider.lack(RECEIPTS)
            return None
        marks = set(asked.marks())
        for one in (entry for receipt in reply.result for entry in receipt.logs):
            if one.topics and (one.topics[0].lower(), one.address.lower()) in marks:
                return False
        return True if bloom_of(reply.result) == int(bloom, 16) else None


def may_have(bloom: str, asked: Sought) -> bool:
    """Tell whether a filter announces logs of those that are asked for, and not by chance."""
    bits = bits_of(bloom)
    return bits.bit_count() <= FULL and names(bits, asked)


def announces(bloom: str, asked: Sought) -> bool:
    """Tell whether a filter announces logs of those that are asked for."""
    return names(bits_of(bloom), asked)


def names(bits: int, asked: Sought) -> bool:
    """Tell whether a filter may have been given the topic and the contract of such a log."""
    return any(holds(bits, topic) and holds(bits, contract) for topic, contract in asked.marks())


def bits_of(bloom: str) -> int:
    """Return the bits of a filter."""
    try:
        return int(bloom or "0x0", 16)
    except ValueError:
        raise Garbled("a bloom filter is not hex") from None


def holds(bits: int, item: str) -> bool:
    """Tell whether a filter may have been given an item."""
    mask = mask_of(item)
    return bits & mask == mask


def bloom_of(receipts: Iterable[WireFullReceipt]) -> int:
    """Return the filter that logs make up (Yellow Paper, 4.3.1)."""
    items: set[str] = set()
    for receipt in receipts:
        for one in receipt.logs:
            items |= {one.address.lower(), *(topic.lower() for topic in one.topics)}
    return union(mask_of.__wrapped__(item) for item in items)


def union(masks: Iterable[int]) -> int:
    """Return the bits of all masks."""
    bits = 0
    for mask in masks:
        bits |= mask
    return bits


@lru_cache(maxsize=4096)  # our contracts and topics, again and again
def mask_of(item: str) -> int:
    """Return the three bits of an address or a topic."""
    try:
        digest = keccak(bytes.fromhex(item.removeprefix("0x")))
    except ValueError:
        raise Garbled("a topic or an address is not hex") from None
    pairs = (int.from_bytes(digest[at : at + 2]) for at in (0, 2, 4))
    return union(1 << pair % BITS for pair in pairs)
