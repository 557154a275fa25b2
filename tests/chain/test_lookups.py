"""A payer's transaction, as endpoints tell it that disagree, refuse, or know half of it."""

from typing import Any

import pytest

from ctrip.chain.client import ChainOutage
from ctrip.chain.lookups import TRANSFER, TRANSFER_FROM, token_move
from ctrip.chain.rpc import RpcChain
from ctrip.core.chains import NativeSource
from ctrip.core.ids import NATIVE, Amount, Asset, RawAddress, TxHash
from ctrip.core.transaction import Moved, Transaction
from tests.chain.asking import a_chain, client_of
from tests.chain.lies import down
from tests.chain.lying_node import PAYER, RECEIPTS, SHOP, TOKEN, LyingNode, a_log, word
from tests.support.clock import FakeClock
from tests.support.native_contracts import POLYGON_LOGGER

BY_HASH = "eth_getTransactionByHash"
COUNT = "eth_getTransactionCount"
HASH = TxHash(word(0x7004))
NOBODY = "0x" + "0b" * 20
ARGUMENTS = f"{PAYER[2:]:0>64}{SHOP[2:]:0>64}{7:064x}"


def pooled(nonce: str = "0x5", **fields: object) -> Any:
    """Return what makes a transaction one of the pool."""
    place = {"blockHash": None, "blockNumber": None}
    return lambda _, reply: {**reply, "result": reply["result"] | place | {"nonce": nonce} | fields}


def null(_: Any, reply: Any) -> Any:
    return {**reply, "result": None}


def mined_count(count: int) -> Any:
    return lambda _, reply: {"id": reply["id"], "jsonrpc": "2.0", "result": hex(count)}


async def known(chain: RpcChain) -> Transaction:
    found = await chain.transaction(HASH)
    assert found is not None
    return found


async def test_what_was_mined_is_told_with_its_coin_and_its_tokens(chain: RpcChain) -> None:
    found = await known(chain)
    payer, shop = RawAddress(PAYER), RawAddress(SHOP)
    assert found.block is not None
    assert (found.block.number, found.succeeded) == (4, True)
    assert found.moved == (
        Moved(asset=NATIVE, sender=payer, recipient=shop, amount=Amount(4)),
        Moved(asset=Asset(TOKEN), sender=payer, recipient=shop, amount=Amount(7)),
    )


async def test_a_second_endpoint_may_know_what_the_first_does_not(
    pair: RpcChain, node: LyingNode
) -> None:
    node.alter(BY_HASH, null)
    assert (await known(pair)).block is not None
    assert (await pair.transaction(TxHash(word(0x7009)))) is not None


async def test_a_second_endpoint_may_have_mined_what_waits_at_the_first(
    pair: RpcChain, node: LyingNode
) -> None:
    node.alter(BY_HASH, pooled())
    node.alter(COUNT, mined_count(5))
    assert (await known(pair)).block is not None


async def test_what_only_one_endpoint_knows_is_known(
    pair: RpcChain, node: LyingNode, other: LyingNode
) -> None:
    node.alter(BY_HASH, null)
    other.alter(BY_HASH, pooled())
    other.alter(COUNT, mined_count(5))
    assert (await known(pair)).block is None


@pytest.mark.parametrize(
    ("count", "replaced", "held_up"), [(6, True, False), (5, False, False), (3, False, True)]
)
async def test_what_its_sender_did_meanwhile_tells_whether_it_can_be_mined(
    chain: RpcChain, node: LyingNode, count: int, *, replaced: bool, held_up: bool
) -> None:
    node.alter(BY_HASH, pooled())
    node.alter(COUNT, mined_count(count))
    found = await known(chain)
    assert (found.is_replaced, found.is_held_up) == (replaced, held_up)


@pytest.mark.parametrize(
    ("method", "change"),
    [
        (RECEIPTS, null),
        (RECEIPTS, lambda _, r: {**r, "result": r["result"] | {"blockHash": word(1)}}),
        ("eth_getBlockByNumber", null),
    ],
    ids=["no receipt", "receipt of another block", "no block"],
)
async def test_what_is_only_half_there_is_in_no_block(
    chain: RpcChain, node: LyingNode, method: str, change: Any
) -> None:
    node.alter(method, change)
    node.alter(COUNT, mined_count(9))  # this one among them
    found = await known(chain)
    assert (found.block, found.moved, found.is_replaced) == (None, (), False)


async def test_what_is_mined_while_we_ask_was_not_replaced(
    chain: RpcChain, node: LyingNode
) -> None:
    """The count of its sender's transactions is newer than the answer that it waits."""

    def count(_: Any, reply: Any) -> Any:
        node.alter(BY_HASH, lambda _, reply: reply)
        return mined_count(6)(_, reply)

    node.alter(BY_HASH, pooled())
    node.alter(COUNT, count)
    found = await known(chain)
    assert (found.block, found.is_replaced, found.is_held_up) == (None, False, False)


async def test_what_its_endpoint_forgot_when_its_nonce_was_used_was_replaced(
    chain: RpcChain, node: LyingNode
) -> None:
    def count(_: Any, reply: Any) -> Any:
        node.alter(BY_HASH, null)
        return mined_count(6)(_, reply)

    node.alter(BY_HASH, pooled())
    node.alter(COUNT, count)
    assert (await known(chain)).is_replaced


@pytest.mark.parametrize("method", [BY_HASH, RECEIPTS])
@pytest.mark.parametrize("message", ["internal error", "the method does not exist"])
async def test_an_endpoint_that_refuses_is_not_blamed(
    chain: RpcChain, node: LyingNode, method: str, message: str
) -> None:
    await chain.head()
    node.refuse(method, -32000, message)
    with pytest.raises(ChainOutage, match="testnet: it does not show transactions"):
        await chain.transaction(HASH)
    [state] = chain.endpoints()
    assert (state.ok, state.faults) == (True, 0)


async def test_no_endpoint_is_an_outage_and_one_is_enough(
    pair: RpcChain, node: LyingNode, other: LyingNode
) -> None:
    down(node)
    assert (await known(pair)).succeeded
    down(other)
    with pytest.raises(ChainOutage) as fault:
        await pair.transaction(HASH)
    assert "http" not in str(fault.value)


async def test_asking_does_not_change_which_endpoint_is_read_from(
    pair: RpcChain, node: LyingNode, other: LyingNode
) -> None:
    await pair.head()
    node.alter(BY_HASH, null)
    await known(pair)
    other.asked.clear()
    await pair.headers([(await pair.head()).latest.number])
    assert not other.asked


async def test_where_the_chain_logs_its_coin_it_is_told_once(node: LyingNode) -> None:
    """On Polygon the log of a transaction's own coin is one of many."""
    topics = ["0xe6497e3ee548a3372136af2fcb0696db31fc6cf20260707645068bd3fe97f3c4"]
    topics += [f"0x{a.removeprefix('0x'):0>64}" for a in (POLYGON_LOGGER, NOBODY, SHOP)]
    data = word(9) + "00" * 32 * 4
    node.logs[word(0xB10C << 64 | 4)] = [
        a_log(4, address=POLYGON_LOGGER, topics=topics, data=data, logIndex="0x0"),
        a_log(4, logIndex="0x1"),
    ]
    chain = client_of(node, clock=FakeClock(), chain=a_chain(native=NativeSource.POLYGON))
    found = await known(chain)
    await chain.close()
    assert [(m.asset, m.sender, m.amount) for m in found.moved] == [
        (NATIVE, NOBODY, 9),
        (TOKEN, PAYER, 7),
    ]


def asks(data: str) -> tuple[str, str, int] | None:
    move = token_move(RawAddress(NOBODY), RawAddress(TOKEN), data)
    return None if move is None else (move.sender, move.recipient, move.amount)


def test_what_a_wallet_asks_a_token_to_move_is_read_off_the_call() -> None:
    assert asks(TRANSFER + ARGUMENTS[64:]) == (NOBODY, SHOP, 7)
    assert asks(TRANSFER + ARGUMENTS[64:] + "c0ffee") == (NOBODY, SHOP, 7), "tagged, as some do"
    assert asks(TRANSFER_FROM + ARGUMENTS) == (PAYER, SHOP, 7)


@pytest.mark.parametrize(
    "data",
    [
        "0x",
        TRANSFER,
        TRANSFER + ARGUMENTS[64:-1],
        TRANSFER_FROM + ARGUMENTS[64:],
        TRANSFER + "zz" * 64,
        TRANSFER + "0" * 128,
        "0x12345678" + ARGUMENTS,
        "not hex",
    ],
)
def test_any_other_call_asks_for_nothing_that_we_know(data: str) -> None:
    assert asks(data) is None
