"""Rounds of price feeds, from contracts that do odd things and from nodes that lie."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import pytest

from ctrip.chain.aggregators import NO_FEED, feeds_of
from ctrip.chain.client import ChainOutage
from ctrip.chain.rpc import RpcChain
from ctrip.chain.wire import Endpoint
from ctrip.core.chains import Token
from ctrip.core.errors import OutageError
from ctrip.core.ids import Address, RawAddress, raw
from ctrip.core.price import NoRound, RateSource, Round
from ctrip.settings import Secret
from ctrip.wallet.derive import checksum
from tests.chain.asking import a_chain, client_of, read
from tests.chain.lying_node import BLOCKS, LyingNode, word
from tests.chain.worlds import ANVIL
from tests.support.anvil import Anvil, running_anvil
from tests.support.clock import FakeClock

FEED: Final = RawAddress("0x" + "fe" * 20)
ROUND: Final = [2**64 + 5, 250_000_000_000, 1_800_000_000, 1_800_000_007, 2**64 + 5]
CALL: Final = "eth_call"

Json = Any


@pytest.fixture
async def anvil() -> AsyncIterator[Anvil]:
    async with running_anvil() as anvil:
        yield anvil


@pytest.fixture
async def client(anvil: Anvil) -> AsyncIterator[RpcChain]:
    client = RpcChain(ANVIL, [Secret(anvil.url)], FakeClock())
    yield client
    await client.close()


def data(*words: int) -> str:
    return "0x" + "".join(word(one % 2**256)[2:] for one in words)


def says(node: LyingNode, latest: object, decimals: object) -> None:
    """Let a node answer the two questions about a feed."""

    def change(call: Json, reply: Json) -> Json:
        is_round = call["params"][0]["data"] == "0xfeaf968c"
        said = latest if is_round else decimals
        found = {"error": said} if isinstance(said, dict) else {"result": said}
        return {"jsonrpc": "2.0", "id": reply["id"], **found}

    node.alter(CALL, change)


@pytest.mark.parametrize("decimals", [0, 8, 18])
async def test_a_feed_tells_its_own_decimals(anvil: Anvil, client: RpcChain, decimals: int) -> None:
    feed = await anvil.deploy_feed(decimals=decimals)
    await anvil.put_round(feed, round_id=7, value=42, updated_at=9, answered_in=6)
    found = await client.round(feed)
    assert isinstance(found, Round)
    assert (found.answer, found.decimals, found.round_id) == (42, decimals, 7)
    assert (found.updated_at, found.answered_in) == (9, 6)
    assert found.block_time == (await client.head()).latest.time


async def test_a_feed_without_a_round_says_so(anvil: Anvil, client: RpcChain) -> None:
    found = await client.round(await anvil.deploy_feed())
    assert isinstance(found, Round)
    assert (found.answer, found.round_id, found.updated_at) == (0, 0, 0)


async def test_what_is_no_feed_is_none(anvil: Anvil, client: RpcChain) -> None:
    token = await anvil.ensure_token()
    assert await client.round(FEED) == NO_FEED  # no code
    assert await client.round(token) == NO_FEED  # it has decimals() and nothing else
    for code in (
        "0x60006000fd",  # reverts
        "0x60206000f3",  # returns one word
        "0x60a06000f3",  # five words for decimals() as well
        "0xfe",  # burns all gas
        "0x5b600056",  # never ends
    ):
        await anvil.rpc("anvil_setCode", FEED, code)
        assert await client.round(FEED) == NO_FEED


@pytest.mark.parametrize(
    ("latest", "decimals"),
    [
        ("0x", data(8)),
        (data(*ROUND[:4]), data(8)),
        (data(*ROUND, 0), data(8)),
        (data(*ROUND) + "00", data(8)),
        (data(*ROUND), "0x"),
        (data(*ROUND), "0x08"),
        (data(*ROUND), data(8, 0)),
        (data(*ROUND), data(37)),
        (data(*ROUND), data(2**256 - 1)),
        (data(2**80, *ROUND[1:]), data(8)),
        (data(*ROUND[:4], 2**80), data(8)),
        ({"code": 3, "message": "execution reverted"}, data(8)),
        (data(*ROUND), {"code": 3, "message": "execution reverted"}),
    ],
)
async def test_words_that_are_no_round_are_never_a_rate(
    node: LyingNode, chain: RpcChain, latest: object, decimals: object
) -> None:
    says(node, latest, decimals)
    assert await chain.round(FEED) == NO_FEED


async def test_an_answer_below_zero_is_read_as_one(node: LyingNode, chain: RpcChain) -> None:
    says(node, data(ROUND[0], -1, *ROUND[2:]), data(8))
    found = await chain.round(FEED)
    assert isinstance(found, Round)
    assert found.answer == -1


Lever = Callable[[LyingNode], None]


def null_block(node: LyingNode) -> None:
    node.alter(BLOCKS, lambda _, reply: {"id": reply["id"], "result": None})


BAD_ENDPOINTS: Final[dict[str, Lever]] = {
    "null": lambda node: says(node, None, data(8)),
    "not hex": lambda node: says(node, "0x" + "zz" * 160, data(8)),
    "half a byte": lambda node: says(node, data(*ROUND)[:-1], data(8)),
    "no prefix": lambda node: says(node, data(*ROUND)[2:], data(8)),
    "a number": lambda node: says(node, 250_000_000_000, data(8)),
    "a block": lambda node: says(node, node.blocks[3], data(8)),
    "too many requests": lambda node: node.refuse(CALL, 429, "too many requests"),
    "no such method": lambda node: node.refuse(CALL, -32601, "method not found"),
    "no newest block": null_block,
    "another chain": lambda node: setattr(node, "chain_id", 1),
}


@pytest.mark.parametrize("fault", BAD_ENDPOINTS.values(), ids=BAD_ENDPOINTS)
async def test_what_an_endpoint_does_not_answer_another_does(
    node: LyingNode, other: LyingNode, pair: RpcChain, fault: Lever
) -> None:
    says(node, data(*ROUND), data(8))
    says(other, data(*ROUND), data(8))
    fault(node)
    found = await pair.round(FEED)
    assert isinstance(found, Round)
    assert (found.answer, found.decimals) == (250_000_000_000, 8)
    assert len(other.asked) > 0


@pytest.mark.parametrize("fault", BAD_ENDPOINTS.values(), ids=BAD_ENDPOINTS)
async def test_where_nobody_answers_there_is_an_outage(
    node: LyingNode, chain: RpcChain, fault: Lever
) -> None:
    says(node, data(*ROUND), data(8))
    fault(node)
    with pytest.raises(OutageError, match=r"^testnet: (?!.*http)"):
        await chain.round(FEED)


async def test_two_readings_are_of_two_endpoints(
    node: LyingNode, other: LyingNode, pair: RpcChain
) -> None:
    says(node, data(*ROUND), data(8))
    says(other, data(ROUND[0], 1, *ROUND[2:]), data(8))
    assert answers(await pair.rounds(FEED)) == [250_000_000_000, 1]
    other.refuse(CALL, -32601, "method not found")
    with pytest.raises(ChainOutage, match="endpoint 2 of 2"):
        await pair.rounds(FEED)


async def test_an_endpoint_never_confirms_itself(
    node: LyingNode, other: LyingNode, pair: RpcChain
) -> None:
    """The first reads the chain, and does not answer just when it is asked about the rate."""
    await read(pair)
    says(other, data(ROUND[0], 1, *ROUND[2:]), data(8))
    node.refuse(CALL, -32005, "rate limit exceeded")
    with pytest.raises(ChainOutage, match="endpoint 1 of 2"):
        await pair.rounds(FEED)
    says(node, data(*ROUND), data(8))
    assert sorted(answers(await pair.rounds(FEED))) == [1, 250_000_000_000]


def answers(read: list[Round | NoRound]) -> list[int]:
    return [one.answer for one in read if isinstance(one, Round)]


async def test_one_endpoint_has_no_second_reading(node: LyingNode, chain: RpcChain) -> None:
    says(node, data(*ROUND), data(8))
    with pytest.raises(ChainOutage, match="there is no second endpoint"):
        await chain.rounds(FEED)


async def test_an_endpoint_that_is_down_is_an_outage() -> None:
    client = client_of("http://127.0.0.1:9/")
    with pytest.raises(ChainOutage):
        await client.round(FEED)
    await client.close()


async def test_a_feed_is_asked_in_one_request(node: LyingNode, chain: RpcChain) -> None:
    says(node, data(*ROUND), data(8))
    await chain.round(FEED)
    assert node.asked[-1] == [BLOCKS, CALL, CALL]
    assert [call["params"][-1] for call in node.calls[-2:]] == ["latest", "latest"]


async def test_an_endpoint_shows_an_operator_what_each_feed_says(anvil: Anvil) -> None:
    feed = await anvil.ensure_feed()
    nothing = checksum(FEED)
    prices = (RateSource(currency="USD", feed=checksum(feed), heartbeat_seconds=60),)
    token = Token(
        chain=ANVIL.name,
        chain_id=ANVIL.chain_id,
        contract=Address(nothing),
        symbol="T",
        decimals=6,
        prices=(RateSource(currency="USD", feed=nothing), RateSource(currency="EUR"), *prices),
    )
    endpoint = Endpoint("anvil", Secret(anvil.url))
    try:
        one, other = await feeds_of(a_chain(coin_prices=prices, tokens=(token,)), endpoint)
    finally:
        await endpoint.close()
    assert (raw(one.feed), one.description) == (feed, "ETH / USD")
    assert isinstance(one.read, Round)
    assert one.read.answer == 250_000_000_000
    assert (other.feed, other.description, other.read) == (nothing, "", NO_FEED)
