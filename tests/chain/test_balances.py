"""Balances, asked of a real node: many in one call without an address, or each alone."""

from collections.abc import AsyncIterator, Sequence

import pytest

from ctrip.chain import balances, decode
from ctrip.chain.decode import Garbled
from ctrip.chain.wire import NodeRefused
from ctrip.core.blocks import Header, Holding
from ctrip.core.ids import AMOUNT_MAX, NATIVE, Amount, Asset, RawAddress
from tests.support.anvil import Anvil, running_anvil

CODE_BYTES_MAX = 24_576  # EIP-170
INITCODE_BYTES_MAX = 49_152  # EIP-3860
BLOCK_GAS = 30_000_000

# Tokens in machine code, each with what it says to everything that is asked of it.
REVERTS = "0x60006000fd"
SAYS_NOTHING = "0x00"
SAYS_31_BYTES = "0x" + "7f" + "ff" * 32 + "600052" + "601f6000f3"
SAYS_A_BYTE = "0x" + "60ff600053" + "60016000f3"
SAYS_64_BYTES = "0x" + "6007600052" + "6009602052" + "60406000f3"
SAYS_ALL = "0x" + "7f" + "ff" * 32 + "600052" + "60206000f3"
SAYS_9_FOR_MUCH_GAS = "0x" + "62007530" + "5b6001900380600457" + "6009600052" + "60206000f3"
BURNS_ALL_GAS = "0xfe"
NEVER_ENDS = "0x5b600056"

ODD_TOKENS = {
    "a token that reverts": (REVERTS, 0),
    "a token that says nothing": (SAYS_NOTHING, 0),
    "a token that is gone": ("0x", 0),
    "a token that says 31 bytes": (SAYS_31_BYTES, 0),
    "a token that says a byte": (SAYS_A_BYTE, 0),
    "a token that says more than a number": (SAYS_64_BYTES, 7),
    "a token that says the largest number": (SAYS_ALL, AMOUNT_MAX),
    "a token that burns all gas": (BURNS_ALL_GAS, 0),
    "a token that never ends": (NEVER_ENDS, 0),
}
NO_BALANCES = [
    "",
    "0x",
    "0x00",
    "00" * 33,
    "0x" + "00" * 32,
    "0x" + "00" * 34,
    "0x01" + "00" * 32,  # what a balance begins with is no balance
    "0x00" + "0" * 63 + "g",
    "0x00" + "0" * 62 + "_1",
    "0x00" + "0" * 64 + "\n",
]
REFUSING = ["a token that reverts", "a token that burns all gas", "a token that never ends"]


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[Anvil]:
    async with running_anvil() as chain:
        yield chain


@pytest.fixture(scope="module")
async def token(chain: Anvil) -> Asset:
    return Asset(await chain.deploy_token())


@pytest.mark.parametrize("amount", [0, 1, 10**18, 0xEF << 248, AMOUNT_MAX])
async def test_one_balance_is_read(chain: Anvil, amount: int) -> None:
    rich = Holding(NATIVE, an_address(1))
    await chain.set_balance(rich.owner, amount)
    assert await holdings(chain, [rich]) == [amount]
    assert await alone(chain, rich) == amount


async def test_native_coin_and_tokens_are_read_together(chain: Anvil, token: Asset) -> None:
    await chain.set_balance(an_address(1), 5)
    await chain.mint(RawAddress(token), an_address(2), 0xEF << 248)
    await chain.mine()
    asked = [Holding(token, an_address(2)), Holding(NATIVE, an_address(1))]
    asked += [Holding(token, an_address(1)), Holding(NATIVE, an_address(3))]
    assert await holdings(chain, asked) == [0xEF << 248, 5, 0, 0]
    assert [await alone(chain, holding) for holding in asked] == [0xEF << 248, 5, 0, 0]


async def test_as_many_as_may_be_asked_are_read_in_their_order(chain: Anvil, token: Asset) -> None:
    asked, held = [], []
    for n in range(balances.ASKED_MAX):
        owner = an_address(1000 + n)
        asked.append(Holding(token if n % 3 else NATIVE, owner))
        held.append(n + 1)
        if n % 3:
            await chain.mint(RawAddress(token), owner, n + 1)
        else:
            await chain.set_balance(owner, n + 1)
    await chain.mine(5)  # as many transactions as the gas of five blocks takes
    assert await holdings(chain, asked) == held


async def test_nothing_asked_is_nothing_read(chain: Anvil) -> None:
    assert await holdings(chain, []) == []


@pytest.mark.parametrize("name", ODD_TOKENS)
async def test_an_odd_token_spoils_no_other_answer(chain: Anvil, token: Asset, name: str) -> None:
    code, said = ODD_TOKENS[name]
    odd = Holding(Asset("0x" + "0d" * 20), an_address(4))
    await chain.rpc("anvil_setCode", odd.asset, code)
    await chain.set_balance(odd.owner, 6)
    await chain.mint(RawAddress(token), an_address(5), 8)
    await chain.mine()
    asked = [odd, Holding(NATIVE, odd.owner), odd, Holding(token, an_address(5))]
    assert await holdings(chain, asked) == [said, 6, said, await alone(chain, asked[3])]


@pytest.mark.parametrize("name", [name for name in ODD_TOKENS if name not in REFUSING])
async def test_an_odd_token_holds_the_same_when_it_is_asked_alone(chain: Anvil, name: str) -> None:
    code, said = ODD_TOKENS[name]
    odd = Holding(Asset("0x" + "0d" * 20), an_address(4))
    await chain.rpc("anvil_setCode", odd.asset, code)
    assert await alone(chain, odd) == said


@pytest.mark.parametrize("name", REFUSING)
async def test_a_token_that_fails_is_a_refusal_when_it_is_asked_alone(
    chain: Anvil, name: str
) -> None:
    odd = Holding(Asset("0x" + "0d" * 20), an_address(4))
    await chain.rpc("anvil_setCode", odd.asset, ODD_TOKENS[name][0])
    with pytest.raises(NodeRefused):
        await alone(chain, odd)


async def test_balances_are_those_after_the_block_that_is_named(chain: Anvil, token: Asset) -> None:
    both = [Holding(NATIVE, an_address(6)), Holding(token, an_address(6))]
    await chain.send(an_address(6), 1)
    await chain.mint(RawAddress(token), an_address(6), 2)
    await chain.mine()
    before = await newest(chain)
    await chain.send(an_address(6), 10)
    await chain.mint(RawAddress(token), an_address(6), 20)
    await chain.mine()
    assert await holdings(chain, both) == [11, 22]
    assert await holdings(chain, both, at=before) == [1, 2]
    assert [await alone(chain, holding, at=before) for holding in both] == [1, 2]


async def test_too_little_gas_is_a_refusal_and_never_a_smaller_balance(chain: Anvil) -> None:
    dear = Holding(Asset("0x" + "de" * 20), an_address(7))
    await chain.rpc("anvil_setCode", dear.asset, SAYS_9_FOR_MUCH_GAS)
    answers = []
    for gas in range(100_000, 2_500_000, 25_000):
        try:
            answers.append(await holdings(chain, [dear], gas=gas))
        except NodeRefused:
            assert not answers  # what was enough once is enough
    assert answers
    assert all(answer == [9] for answer in answers)


async def test_what_is_asked_at_most_stays_within_the_limits_of_nodes(chain: Anvil) -> None:
    asked = [Holding(Asset(an_address(n)), an_address(n)) for n in range(balances.ASKED_MAX)]
    data = balances.call_data(asked)
    assert len(data) // 2 - 1 <= INITCODE_BYTES_MAX
    answer = await chain.rpc("eth_call", {"data": data}, "latest")
    assert len(answer) // 2 - 1 <= CODE_BYTES_MAX
    gas = int(await chain.rpc("eth_estimateGas", {"data": data}), 16)
    assert gas <= BLOCK_GAS / 2


@pytest.mark.parametrize("answer", NO_BALANCES)
def test_what_is_no_balance_is_garbled(answer: str) -> None:
    with pytest.raises(Garbled):
        balances.read(answer, 1)


@pytest.mark.parametrize("answer", ["1", "0y", "0x1g", "0x_1", "-0x1", "0x1\n"])
@pytest.mark.parametrize("asset", [None, NATIVE, Asset("0x" + "0d" * 20)])
def test_what_is_no_single_balance_is_garbled(answer: str, asset: Asset | None) -> None:
    with pytest.raises(Garbled):
        balances.read_single(answer, Holding(asset, an_address(1)) if asset else None)


@pytest.mark.parametrize("answer", [None, "", "0x"])
def test_a_native_balance_that_is_not_there_is_garbled(answer: str | None) -> None:
    with pytest.raises(Garbled):
        balances.read_single(answer, Holding(NATIVE, an_address(1)))


def test_a_single_balance_is_read_without_knowing_of_what() -> None:
    assert balances.read_single("0x1f") == 31
    assert balances.read_single("0x" + "00" * 31 + "07" + "ff" * 32) == 7
    assert balances.read_single("0x") == 0
    assert balances.read_single(None) == 0


def an_address(n: int) -> RawAddress:
    return RawAddress(f"0x{0xB0 << 152 | n:040x}")


async def newest(chain: Anvil) -> Header:
    found = await chain.rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003  JSON-RPC
    return decode.header(
        decode.WireHeader(
            number=found["number"],
            hash=found["hash"],
            parent_hash=found["parentHash"],
            timestamp=found["timestamp"],
        )
    )


async def holdings(
    chain: Anvil, asked: Sequence[Holding], *, at: Header | None = None, gas: int | None = None
) -> list[Amount]:
    """Ask for all in one call."""
    block = {"blockHash": at.hash} if at else "latest"
    call = {"data": balances.call_data(asked)} | ({"gas": hex(gas)} if gas else {})
    return balances.read(await chain.rpc("eth_call", call, block), len(asked))


async def alone(chain: Anvil, asked: Holding, *, at: Header | None = None) -> Amount:
    """Ask for one in a call of its own."""
    call = balances.single(asked, at or await newest(chain))
    return balances.read_single(await chain.rpc(call.method, *call.params), asked)
