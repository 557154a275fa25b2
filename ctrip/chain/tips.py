"""What one endpoint says of its tip: the newest block, and those it calls final and safe.

Nodes say in many ways that they know no such tag. It is said aloud once, the chain's
depth stands in, and the tag is asked for again after a while.
"""

from typing import Final, NamedTuple

from ctrip import logs
from ctrip.chain import decode
from ctrip.chain.decode import Garbled, NotYet, WireHeader
from ctrip.chain.endpoint import Provider
from ctrip.chain.faults import Cure, cure_of_refusal, lacks_the_tag
from ctrip.chain.wire import Call, Reply
from ctrip.core.blocks import Header
from ctrip.core.chains import Chain
from ctrip.core.finality import Tag, Terms
from ctrip.core.ids import BlockNumber

BY_NUMBER: Final = "eth_getBlockByNumber"

log = logs.get("ctrip.chain")


class Tips(NamedTuple):
    """What one endpoint says."""

    provider: Provider
    latest: Header
    finalized: BlockNumber | None  # None: it knows no such tag
    safe: BlockNumber | None


async def tips_of(provider: Provider, chain: Chain) -> Tips:
    """Ask for the newest block and the tags, in one batch."""
    tags = [tag for tag in tags_of(chain) if not provider.lacks(tag)]
    calls = [Call(BY_NUMBER, (name, False)) for name in ("latest", *tags)]
    newest, *named = await provider.ask(calls, decode.HEADERS)
    if (latest := header_of(provider, newest)) is None:
        raise provider.outage("the node has no latest block")
    provider.head = latest
    found: dict[str, BlockNumber] = {}
    for tag, reply in zip(tags, named, strict=True):
        if (block := tagged(provider, reply)) is None:
            log.warning("tag unknown", chain=chain.name, endpoint=provider.label, tag=str(tag))
            provider.lack(tag)
        else:
            found[tag] = block.number
    return Tips(provider, latest, found.get(Tag.FINALIZED), found.get(Tag.SAFE))


async def header_at(provider: Provider, height: BlockNumber) -> Header:
    """Return the block that an endpoint has at a height."""
    calls = [Call(BY_NUMBER, (hex(height), False))]
    [reply] = await provider.ask(calls, decode.HEADERS)
    if (header := header_of(provider, reply)) is None:
        raise NotYet("it does not have a block that should be there")
    if header.number != height:
        raise Garbled("a block is of another height than the one asked for")
    return header


def header_of(provider: Provider, reply: Reply[WireHeader]) -> Header | None:
    """Return a header, or None if the node says that it has no such block."""
    if reply.error and cure_of_refusal(reply.error) is not Cure.WAIT:
        raise provider.refused(BY_NUMBER, reply.error)
    return None if reply.result is None else decode.header(reply.result)


def tagged(provider: Provider, reply: Reply[WireHeader]) -> Header | None:
    """Return the block that a tag stands for, or None where the node does not know the tag."""
    if reply.error and not lacks_the_tag(reply.error):
        raise provider.refused(BY_NUMBER, reply.error)
    return None if reply.result is None else decode.header(reply.result)


def tags_of(chain: Chain) -> list[Tag]:
    """Return the tags to ask for; `safe` only where something is confirmed by it."""
    terms: list[Terms] = [chain.coin_terms, *(token.terms for token in chain.tokens)]
    depths = [chain.confirmations, *(tier.depth for each in terms for tier in each.tiers)]
    is_used = any(depth.tag is Tag.SAFE for depth in depths)
    return [Tag.FINALIZED, Tag.SAFE] if is_used else [Tag.FINALIZED]
