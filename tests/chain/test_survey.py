"""What an endpoint can do, and what tokens say of themselves, asked of a real node.

Between them is a proxy where the node should do worse than it does.
"""

import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

from ctrip.chain.survey import Survey, survey
from ctrip.chain.tokens import TokenSaid, symbol_in, verify_tokens
from ctrip.clock import SystemClock
from ctrip.core.chains import Chain, Token
from ctrip.core.finality import Depth
from ctrip.core.ids import ChainName, RawAddress
from ctrip.settings import Secret
from ctrip.wallet.derive import checksum
from tests.chain.asking import HANG_SECONDS, TIMEOUT_SECONDS
from tests.chain.lies import response
from tests.chain.lying_node import HEIGHT, PATH, LyingNode
from tests.support.anvil import INVALID, Anvil, running_anvil
from tests.support.clock import FakeClock
from tests.support.rpc_proxy import RpcProxy, proxy

NAME = ChainName("testnet")
NOTHING_THERE = RawAddress("0x" + "ab" * 20)


@pytest.fixture(scope="module")
async def anvil() -> AsyncIterator[Anvil]:
    async with running_anvil() as anvil:
        await anvil.mine(70)  # so that there is a final block
        yield anvil


@pytest.fixture(scope="module")
async def dollar(anvil: Anvil) -> Token:
    return a_token(await anvil.deploy_token(symbol="USD₮0", decimals=6))


@pytest.fixture
async def between(anvil: Anvil) -> AsyncIterator[RpcProxy]:
    async with proxy(anvil.url) as between:
        yield between


def a_token(contract: RawAddress, *, decimals: int = 6, symbol: str = "USDT") -> Token:
    return Token(
        chain=NAME,
        chain_id=31337,
        contract=checksum(contract),
        symbol=symbol,
        decimals=decimals,
    )


def a_chain(*tokens: Token, chain_id: int = 31337) -> Chain:
    return Chain(
        name=NAME,
        chain_id=chain_id,
        confirmations=Depth(blocks=3),
        finality_depth=64,
        poll_interval_seconds=1,
        tokens=tokens,
    )


async def look(chain: Chain, *urls: str, seconds: float = TIMEOUT_SECONDS) -> list[Survey]:
    secrets = [Secret(url) for url in urls]
    return await survey(chain, secrets, SystemClock(), timeout_seconds=seconds)


async def look_once(chain: Chain, url: str, seconds: float = TIMEOUT_SECONDS) -> Survey:
    [seen] = await look(chain, url, seconds=seconds)
    return seen


async def faults_of(chain: Chain, *urls: str, seconds: float = TIMEOUT_SECONDS) -> list[str]:
    secrets = [Secret(url) for url in urls]
    return await verify_tokens(chain, secrets, timeout_seconds=seconds)


async def test_a_good_endpoint_is_described(anvil: Anvil, dollar: Token) -> None:
    height = int(await anvil.rpc("eth_blockNumber"), 16)
    seen = await look_once(a_chain(dollar), anvil.url)
    assert seen == Survey(
        label="testnet",
        chain_id="31337",
        head=height,
        head_age_seconds=seen.head_age_seconds,
        finalized=height - 2,
        safe=height - 1,
        logs_by_hash=True,
        logs_range=height + 1,  # the chain has no more
        traces="debug_traceBlockByHash",
        balances_at_once=True,
        tokens=[TokenSaid(contract=dollar.contract, decimals=6, symbol="USD₮0")],
    )


async def test_the_age_of_the_head_is_told(anvil: Anvil) -> None:
    block = await anvil.rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003  its JSON
    clock = FakeClock(datetime.fromtimestamp(int(block["timestamp"], 16), UTC))
    clock.move(seconds=90)
    [seen] = await survey(a_chain(), [Secret(anvil.url)], clock)
    assert seen.head_age_seconds == 90


async def test_several_endpoints_are_numbered(anvil: Anvil) -> None:
    seen = await look(a_chain(), anvil.url, anvil.url)
    assert [one.label for one in seen] == ["testnet, endpoint 1 of 2", "testnet, endpoint 2 of 2"]


async def test_an_endpoint_of_another_chain_is_asked_nothing_more(between: RpcProxy) -> None:
    seen = await look_once(a_chain(chain_id=56), between.url)
    assert seen == Survey(
        label="testnet", fault="it is on chain 31337, not on 56", chain_id="31337"
    )
    assert set(between.methods) == {"eth_chainId"}


async def test_an_empty_chain_can_be_asked() -> None:
    async with running_anvil() as anvil:
        seen = await look_once(a_chain(), anvil.url)
    assert (seen.fault, seen.head, seen.logs_range) == ("", 0, 1)


@pytest.mark.parametrize("dialect", ["geth", "nethermind and reth", "besu and erigon"])
@pytest.mark.parametrize("tag", ["finalized", "safe"])
async def test_a_tag_that_is_not_known_is_none(between: RpcProxy, tag: str, dialect: str) -> None:
    await between.plays(f"no {tag} tag: {dialect}")
    seen = await look_once(a_chain(), between.url)
    assert (getattr(seen, tag), seen.fault, seen.unclear) == (None, "", {})
    assert None not in {seen.finalized, seen.safe} - {getattr(seen, tag)}


LESS: list[tuple[str, str, Callable[[Survey], bool]]] = [
    ("range limit: QuickNode", "", lambda seen: seen.logs_range == 1 and seen.logs_by_hash),
    ("getLogs disabled", "it gives no logs", lambda seen: seen.logs_range == 0),
    ("no traces", "", lambda seen: not seen.traces),
    ("HTML", "the answer is not JSON", lambda seen: seen.head is None),
    ("429 with Retry-After", "HTTP status 429", lambda seen: seen.head is None),
    ("stall", f"no answer within {HANG_SECONDS} seconds", lambda seen: seen.head is None),
]


@pytest.mark.parametrize(("name", "fault", "holds"), LESS, ids=[row[0] for row in LESS])
async def test_what_an_endpoint_cannot_do_is_told(
    between: RpcProxy, name: str, fault: str, holds: Callable[[Survey], bool]
) -> None:
    await between.plays(name)
    seconds = HANG_SECONDS if name == "stall" else TIMEOUT_SECONDS
    seen = await look_once(a_chain(), between.url, seconds)
    assert seen.fault.startswith(fault)
    assert bool(seen.fault) == bool(fault)
    assert holds(seen)


async def test_a_question_without_an_answer_is_open(node: LyingNode) -> None:
    node.lie_about("eth_call", lambda _: "hang")
    node.lie_about("debug_traceBlockByHash", response(text="<html>busy</html>"))
    seen = await look_once(a_chain(a_token(NOTHING_THERE)), node.url, HANG_SECONDS)
    assert (seen.head, seen.logs_by_hash) == (HEIGHT, True)
    assert seen.unclear["balances_at_once"] == f"no answer within {HANG_SECONDS} seconds"
    assert seen.unclear["traces"] == "the answer is not JSON"
    assert (seen.balances_at_once, seen.tokens) == (False, [])


async def test_a_tag_is_not_taken_for_unknown_when_the_node_is_busy(node: LyingNode) -> None:
    node.finalized = {"error": {"code": -32005, "message": "rate limit exceeded"}}
    seen = await look_once(a_chain(), node.url)
    assert seen.finalized is None
    assert seen.unclear["finalized"] == "eth_getBlockByNumber was refused, error -32005"


async def test_tokens_that_are_as_listed_are_no_fault(anvil: Anvil, dollar: Token) -> None:
    assert await faults_of(a_chain(dollar), anvil.url) == []


async def test_wrong_decimals_are_a_fault_that_names_who_says_it(
    anvil: Anvil, dollar: Token
) -> None:
    listed = a_token(RawAddress(dollar.contract.lower()), decimals=18)
    [fault] = await faults_of(a_chain(listed), anvil.url)
    assert fault == (
        f"testnet: token USDT, {dollar.contract}: has 18 decimals in chains.yaml "
        "and 6 on the chain, says testnet; correct the file, or take out an endpoint that lies"
    )


async def test_every_wrong_token_is_told(anvil: Anvil, dollar: Token) -> None:
    other = a_token(await anvil.deploy_token(decimals=18), symbol="DAI")
    listed = a_token(RawAddress(dollar.contract.lower()), decimals=0)
    faults = await faults_of(a_chain(listed, other, a_token(NOTHING_THERE)), anvil.url)
    assert [fault.split(": ", 2)[2].split(";")[0] for fault in faults] == [
        "has 0 decimals in chains.yaml and 6 on the chain, says testnet",
        "has 6 decimals in chains.yaml and 18 on the chain, says testnet",
        "no token is at this address",
    ]


async def test_one_endpoint_that_contradicts_the_file_is_enough(
    anvil: Anvil, dollar: Token
) -> None:
    async with running_anvil() as other:
        await other.rpc("anvil_setCode", dollar.contract, returning(18))
        [fault] = await faults_of(a_chain(dollar), anvil.url, other.url)
    assert "and 18 on the chain, says testnet, endpoint 2 of 2; correct" in fault


async def test_an_address_without_a_token_is_no_fault_where_another_endpoint_shows_it(
    anvil: Anvil, dollar: Token
) -> None:
    async with running_anvil() as behind:
        assert await faults_of(a_chain(dollar), behind.url, anvil.url) == []
        [fault] = await faults_of(a_chain(dollar), behind.url)
    assert fault.endswith("no token is at this address; correct it in chains.yaml")


async def test_a_contract_that_refuses_to_say_is_no_fault(anvil: Anvil) -> None:
    token = a_token(RawAddress("0x" + "cd" * 20))
    await anvil.rpc("anvil_setCode", token.contract, INVALID)
    assert await faults_of(a_chain(token), anvil.url) == []
    assert (await look_once(a_chain(token), anvil.url)).tokens == [
        TokenSaid(contract=token.contract)
    ]


async def test_decimals_that_no_token_has_are_no_token(anvil: Anvil) -> None:
    token = a_token(RawAddress("0x" + "ce" * 20))
    await anvil.rpc("anvil_setCode", token.contract, returning(256))
    [fault] = await faults_of(a_chain(token), anvil.url)
    assert "no token is at this address" in fault


@pytest.mark.parametrize("name", ["HTML", "stall", "wrong chain id", "503"])
async def test_an_endpoint_that_does_not_answer_leaves_it_open(
    between: RpcProxy, dollar: Token, name: str
) -> None:
    await between.plays(name)
    listed = a_token(RawAddress(dollar.contract.lower()), decimals=18)
    assert await faults_of(a_chain(listed), between.url, seconds=HANG_SECONDS) == []


async def test_an_endpoint_of_another_chain_says_nothing_about_tokens(
    anvil: Anvil, dollar: Token
) -> None:
    listed = a_token(RawAddress(dollar.contract.lower()), decimals=18)
    assert await faults_of(a_chain(listed, chain_id=56), anvil.url) == []


@pytest.mark.parametrize(
    ("data", "symbol"),
    [
        (b"MKR".ljust(32, b"\0"), "MKR"),
        (b"", ""),
        (b"\0" * 31 + b"\x20" + b"\0" * 31 + b"\x04" + b"USDC" + b"\0" * 28, "USDC"),
        (b"\0" * 31 + b"\x20" + b"\xff" * 32 + b"LONG", "LONG"),
        (b"\0" * 31 + b"\x20" + b"\0" * 31 + b"\x09" + b"\x1b[31m\nRE\xff", "[31mRE�"),
        (b"\0" * 31 + b"\x20" + b"\0" * 31 + b"\x40" + b"x" * 64, "x" * 20),
    ],
    ids=["bytes32", "nothing", "string", "false length", "control signs", "endless"],
)  # fmt: skip
def test_a_symbol_is_read_whatever_a_contract_returns(data: bytes, symbol: str) -> None:
    assert symbol_in(data) == symbol


async def test_no_answer_shows_where_the_endpoint_is(node: LyingNode) -> None:
    said: list[str] = []
    asked: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: look(a_chain(), node.url),
        lambda: look(a_chain(chain_id=1), node.url),
        lambda: look(a_chain(), node.url.replace("127.0.0.1:", "127.0.0.1:1")),
        lambda: faults_of(a_chain(a_token(NOTHING_THERE)), node.url),
    )
    for ask in asked:
        try:
            said.append(repr(await ask()))
        except Exception as fault:  # noqa: BLE001  whatever it is, it must show no URL
            said.append("".join(traceback.format_exception(fault)))
    for secret in (node.url, PATH, "planted-key"):
        assert secret not in "".join(said)


def returning(number: int) -> str:
    """Return the code of a contract that answers everything with a number."""
    return f"0x61{number:04x}60005260206000f3"
