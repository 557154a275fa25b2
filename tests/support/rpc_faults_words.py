"""What providers say when they refuse: each range limit in its own words, and the rest.

The words are those of the providers. Numbers that are a limit in blocks are replaced by
the one that is played here, so that what is said is what is so.
"""

from typing import Final, NamedTuple

from tests.support.rpc_exchange import (
    LOGS,
    Exchange,
    Fault,
    Json,
    Outcome,
    Play,
    Sent,
    refusing,
    with_error,
)

LIMIT: Final = 10  # blocks that these endpoints give the logs of at once
BEHIND: Final = 40  # blocks that ctrip has to catch up with


class Said(NamedTuple):
    """A refusal as a provider words it."""

    code: int
    words: str


RANGES: Final = {
    "Alchemy": Said(
        -32602,
        "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block "
        "range and no limit on the response size. Based on your parameters and the response size "
        "limit, this block range should work: [{first}, {fits}]",
    ),
    "Alchemy, inverted": Said(
        -32602,
        "Log response size exceeded. Based on your parameters and the response size limit, this "
        "block range should work: [{last}, {first}]",
    ),
    "Infura and zkSync": Said(
        -32005,
        "query returned more than 10000 results. Try with this block range [{first}, {fits}].",
    ),
    "QuickNode": Said(-32614, "eth_getLogs is limited to a {limit} range"),
    "1RPC": Said(-32000, "eth_getLogs is limited to a 1000 blocks range"),
    "Ankr": Said(-32600, "block range is too wide"),
    "Ankr, with a number": Said(-32600, "maximum [from, to] blocks distance: {limit}"),
    "publicnode and BSC": Said(-32701, "exceed maximum block range: {limit}"),
    "Polygon": Said(-32005, "eth_getLogs block range too large, range: {span}, max: {limit}"),
    "llamarpc": Said(
        -32602, "query exceeds max results 20000, retry with the range {from_}-{until}"
    ),
    "Arbitrum": Said(-32000, "logs matched by query exceeds limit of 10000"),
    "Avalanche": Said(
        -32000, "requested too many blocks from {from_} to {to}, maximum is set to {limit}"
    ),
    "Cloudflare": Said(-32602, "Max range: {limit}"),
    "Coinbase": Said(-32602, "please limit the query to at most {limit} blocks"),
    "BlockPI": Said(-32602, "eth_getLogs is limited to {limit} block range"),
    "Chainstack": Said(-32602, "Block range limit exceeded."),
    "merkle": Said(-32602, "eth_getLogs range is too large, max is 1k blocks"),
    "thirdweb": Said(-32602, "Maximum allowed number of requested blocks is {limit}"),
    "Blast": Said(-32602, "exceeds the range allowed for your plan ({span} > {limit})"),
    "Hyperliquid": Said(-32603, "query exceeds max block range {limit}"),
    "dRPC": Said(35, "ranges over {limit} blocks are not supported on freetier"),
    "Optimism": Said(-32000, "Block range is too large"),
    "Optimism, by size": Said(-32008, "backend response too large"),
    "Scroll": Said(-32000, "block range is bigger than maxBlockRange"),
    "Monad": Said(-32602, "block range too large"),
    "geth, by time": Said(-32000, "query timeout exceeded"),
    "others, by size": Said(-32000, "too many results, try paginating"),
}

# Refusals of everything, which pass or hold for one endpoint only.
REFUSALS: Final = {
    "Base has no backend": Said(-32011, "no backend is currently healthy to serve traffic"),
    "LlamaNodes has no data": Said(-32043, "Requested data is not available"),
    "dRPC has no route": Said(12, "Can't route your request to suitable provider"),
    "no state": Said(-32000, "missing trie node 0 (path ) state is not available"),
    "aborted": Said(-32000, "execution aborted (timeout = 5s)"),
    "rate limit": Said(-32005, "daily request count exceeded, request rate limited"),
    "rate limit, as a code": Said(429, "Your app has exceeded its compute units per second"),
}


def limiting(said: Said) -> Play:
    """Refuse the logs of more blocks than the limit."""

    def limited(call: Json, reply: Json) -> Json:
        [sought] = call["params"]
        if "fromBlock" not in sought:
            return reply
        first, last = int(sought["fromBlock"], 16), int(sought["toBlock"], 16)
        span = last - first + 1
        if span <= LIMIT:
            return reply
        words = said.words.format(
            limit=LIMIT,
            span=span,
            first=hex(first),
            last=hex(last),
            fits=hex(first + LIMIT - 1),
            from_=first,
            to=last,
            until=first + LIMIT - 1,
        )
        return with_error(reply, said.code, words)

    async def play(x: Exchange) -> Sent:
        return [limited(c, r) if c["method"] == LOGS else r for c, r in await x.pairs()]

    return play


RANGE_FAULTS: Final = tuple(
    Fault(
        name=f"range limit: {who}",
        happens=f"Logs of many blocks are refused: `{said.words}` ({said.code}).",
        answered="The range is halved, grows again slowly, and the limit is remembered.",
        play=limiting(said),
        alone=Outcome.CREDITED,
        behind=BEHIND,
        fast=True,
    )
    for who, said in RANGES.items()
)

REFUSAL_FAULTS: Final = tuple(
    Fault(
        name=f"refusal: {who}",
        happens=f"Every call is refused: `{said.words}` ({said.code}).",
        answered="The next endpoint is asked; alone, the chain turns red and the pass is repeated.",
        play=refusing(None, said.code, said.words),
    )
    for who, said in REFUSALS.items()
)
