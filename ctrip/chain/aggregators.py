"""What one coin is worth, as a contract on the chain says: latestRoundData() and decimals().

They are asked together with the newest block: an endpoint that lags or stands still would
hand out an old round, which alone looks as good as a new one. What a contract answers that
is no round is an answer too, and never a rate; what an endpoint does not answer is asked of
the next one.
"""

import re
from typing import Final

from msgspec import Struct

from ctrip.chain import decode
from ctrip.chain.blocks import BY_NUMBER, present
from ctrip.chain.client import ChainOutage
from ctrip.chain.coins import ANSWERS, Said
from ctrip.chain.decode import Garbled, WireHeader
from ctrip.chain.endpoint import Provider
from ctrip.chain.faults import Cure, cure_of_refusal
from ctrip.chain.tokens import symbol_in
from ctrip.chain.wire import Call, Endpoint
from ctrip.core.chains import Chain
from ctrip.core.ids import Address, RawAddress
from ctrip.core.price import FEED_DECIMALS_MAX, NoRound, Round

CALL: Final = "eth_call"
LATEST_ROUND: Final = "0xfeaf968c"  # selector of latestRoundData()
DECIMALS: Final = "0x313ce567"  # selector of decimals()
DESCRIPTION: Final = "0x7284e416"  # selector of description(), such as "ETH / USD"

DATA: Final = re.compile(r"0x((?:[0-9a-fA-F]{2})*)")
WORD_DIGITS: Final = 64  # hex digits of 32 bytes
ROUND_WORDS: Final = 5  # roundId, answer, startedAt, updatedAt, answeredInRound
ROUND_ID_MAX: Final = 2**80 - 1
SIGN: Final = 2**255  # an int256 from here on is below zero
NO_FEED: Final = NoRound("does not answer as a feed does")


class FeedSaid(Struct, frozen=True, kw_only=True):
    """What a feed says, through one endpoint; None where the endpoint does not answer."""

    feed: Address
    description: str = ""
    read: Round | NoRound | None = None


async def latest(provider: Provider, feed: RawAddress) -> Round | NoRound:
    """Return the newest round of a feed."""
    shown, *replies = await provider.ask(questions(feed), ANSWERS)
    wire = present(provider, shown)
    for reply in replies:
        if reply.error and cure_of_refusal(reply.error, CALL) is not Cure.GIVE_IN:
            raise provider.refused(CALL, reply.error)
    return read(wire, *replies)


def questions(feed: RawAddress | Address) -> list[Call]:
    """Return what is asked of an endpoint about a feed."""
    asked = [
        Call(CALL, ({"to": feed, "data": what}, "latest")) for what in (LATEST_ROUND, DECIMALS)
    ]
    return [Call(BY_NUMBER, ("latest", False)), *asked]


def read(shown: str | WireHeader | None, round_said: Said, decimals_said: Said) -> Round | NoRound:
    """Return the round that the answers are, in the order of the questions."""
    if not isinstance(shown, WireHeader):
        raise Garbled("the newest block is none")
    words = [*words_of(round_said, ROUND_WORDS), *words_of(decimals_said, 1)]
    if len(words) != ROUND_WORDS + 1:
        return NO_FEED
    round_id, answer, _, updated_at, answered_in, decimals = words
    if max(round_id, answered_in) > ROUND_ID_MAX or decimals > FEED_DECIMALS_MAX:
        return NO_FEED
    return Round(
        answer=answer if answer < SIGN else answer - 2 * SIGN,
        decimals=decimals,
        round_id=round_id,
        updated_at=updated_at,
        answered_in=answered_in,
        block_time=decode.header(shown).time,
    )


def words_of(said: Said, count: int) -> list[int]:
    """Return the numbers that a function returned; none if it is not so many."""
    if said.error:
        return []
    if not isinstance(said.result, str):
        raise Garbled("what a contract returned is not text")
    found = DATA.fullmatch(said.result)
    if not found:
        raise Garbled("what a contract returned is not hex")
    digits = found[1]
    if len(digits) != count * WORD_DIGITS:
        return []
    return [int(digits[at : at + WORD_DIGITS], 16) for at in range(0, len(digits), WORD_DIGITS)]


async def feeds_of(chain: Chain, endpoint: Endpoint) -> tuple[FeedSaid, ...]:
    """Ask each feed of a chain through one endpoint, whatever its answer is worth."""
    sources = [*chain.coin_prices, *(price for token in chain.tokens for price in token.prices)]
    feeds = dict.fromkeys(source.feed for source in sources if source.feed)
    return tuple([await heard(endpoint, feed) for feed in feeds])


async def heard(endpoint: Endpoint, feed: Address) -> FeedSaid:
    """Return what one feed says."""
    asked = [*questions(feed), Call(CALL, ({"to": feed, "data": DESCRIPTION}, "latest"))]
    try:
        shown, *replies, described = await endpoint.batch(asked, ANSWERS)
        round_read = read(shown.result, *replies)
    except (ChainOutage, Garbled):
        return FeedSaid(feed=feed)
    hexed = DATA.fullmatch(described.result) if isinstance(described.result, str) else None
    description = symbol_in(bytes.fromhex(hexed[1])) if hexed else ""
    return FeedSaid(feed=feed, description=description, read=round_read)
