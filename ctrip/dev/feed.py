"""The price feed of a dev chain: contracts/TestFeed.sol, which says what it was told to say.

It answers as the feeds of real chains do, so a price can be asked for at once. Like the
test token it has one ADDRESS on every fresh dev chain.
"""

from pathlib import Path
from typing import Final

from ctrip.chain.artifacts import Artifact, artifact_in
from ctrip.chain.wire import Endpoint
from ctrip.core.ids import Address, RawAddress, raw
from ctrip.core.price import RateSource
from ctrip.dev.child import CannotStart
from ctrip.dev.token import WORD_BYTES, mined, text, word

DESCRIPTION: Final = "ETH / USD"
DECIMALS: Final = 8  # as all of Chainlink's feeds in dollars have
ANSWER: Final = 2_500 * 10**DECIMALS  # dollars for one ether: easily checked by head
HEARTBEAT_SECONDS: Final = (
    604_800  # a round is made at each start; a week is as long as one may say
)

DEPLOYER: Final = RawAddress("0x23618e81e3f5cdf7f54c3d65f7fbc0abf5b21e8f")  # anvil's last but one
ADDRESS: Final = Address("0x95bD8D42f30351685e96C62EDdc0d0613bf9a87A")

ARTIFACT: Final = Path(__file__).parent / "contracts" / "TestFeed.json"
WORD: Final = 2**256


def artifact() -> Artifact:
    """Return the compiled contract."""
    return artifact_in(ARTIFACT)


def source() -> RateSource:
    """Return the feed as chains.yaml would list it."""
    return RateSource(currency="USD", feed=ADDRESS, heartbeat_seconds=HEARTBEAT_SECONDS)


async def ensure(node: Endpoint) -> None:
    """Make sure that the feed is there, and that it says its price as of now."""
    if await node.call("eth_getCode", ADDRESS, "latest") == "0x":
        contract = await deploy(node, DEPLOYER)
        if contract != raw(ADDRESS):
            raise CannotStart(
                f"the price feed landed on {contract}, not on {ADDRESS}, because {DEPLOYER} has "
                "been used on this dev chain: delete the chain's state to begin a new one"
            )
    await answer(node, raw(ADDRESS), ANSWER)


async def deploy(
    node: Endpoint,
    deployer: RawAddress,
    *,
    decimals: int = DECIMALS,
    description: str = DESCRIPTION,
) -> RawAddress:
    """Deploy a feed from an unlocked account, mine it, and return its address."""
    arguments = word(decimals) + word(2 * WORD_BYTES) + text(description)
    receipt = await mined(node, {"from": deployer, "data": artifact().bytecode + arguments})
    return RawAddress(receipt["contractAddress"].lower())


async def answer(node: Endpoint, feed: RawAddress, value: int) -> None:
    """Let a feed begin and end its next round now."""
    await _call(node, feed, "answer(int256)", value)


async def put(
    node: Endpoint,
    feed: RawAddress,
    *,
    round_id: int,
    value: int,
    updated_at: int,
    answered_in: int,
) -> None:
    """Let a feed show any round, also one that no honest feed would."""
    signature = "put(uint80,int256,uint256,uint80)"
    await _call(node, feed, signature, round_id, value, updated_at, answered_in)


async def _call(node: Endpoint, feed: RawAddress, signature: str, *arguments: int) -> None:
    data = "".join(word(argument % WORD) for argument in arguments)
    call = {"from": DEPLOYER, "to": feed, "data": f"0x{artifact().selectors[signature]}{data}"}
    await mined(node, call)
