"""A glance at a block says what reading all of it says, or that it does not know."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert
from msgspec.structs import replace

from ctrip.chain import decode, glance, transfers
from ctrip.chain.decode import Contradiction, Garbled, WireLog, WireTransaction
from ctrip.chain.transfers import LOG_TRANSFER, POLYGON_COIN, Sought
from ctrip.chain.whole import Whole
from ctrip.core.blocks import Header
from ctrip.core.chains import NativeSource
from ctrip.core.ids import BlockHash, BlockNumber, RawAddress, TxHash
from tests.chain.lying_node import (
    PAYER,
    SHOP,
    TOKEN,
    TRANSFER,
    Json,
    a_log,
    a_transaction,
    block_hash,
    word,
)

MINED: Final = tuple(TxHash(word(0xA000 + place)) for place in range(4))
HEADER: Final = Header(
    number=BlockNumber(4),
    hash=BlockHash(block_hash(4)),
    parent_hash=BlockHash(block_hash(3)),
    time=datetime(2027, 1, 1, tzinfo=UTC),
)
TOKENS: Final = (RawAddress(TOKEN), RawAddress("0x" + "7" * 40))
ASKED: Final = [transfers.sought(TOKENS, native) for native in NativeSource]

# What else may stand in a field of a log: it cannot be true, cannot be read, or is spelled oddly.
ODD: Final[list[tuple[str, object]]] = [
    ("removed", True),
    ("blockHash", block_hash(5)),
    *[("blockNumber", number) for number in ("0x5", "0x04", "4", "")],
    *[("logIndex", index) for index in ("0x0", "0x63", "-0x1", "0x_1")],
    *[("transactionIndex", place) for place in ("0x0", "0x3", "0x63", "")],
    *[("transactionHash", tx_hash) for tx_hash in (MINED[1], word(9), "0x1")],
    *[("address", contract) for contract in (SHOP, POLYGON_COIN, TOKENS[1], "")],
    ("topics", []),
    ("topics", [TRANSFER]),
    ("topics", [word(1), word(2), word(3)]),
    ("topics", [LOG_TRANSFER, word(2), word(3), word(4)]),
    ("topics", [TRANSFER, word(2), word(3), word(4)]),
    *[("topics", [TRANSFER, word(2), last]) for last in ("0x5b", "0x" + "g" * 64, word(5) + "0")],
]
ALOUD: Final = ("address", "blockHash", "transactionHash", "blockNumber", "topics")


def in_capitals(value: object) -> object:
    if isinstance(value, str):
        return "0x" + value[2:].upper()
    return [in_capitals(one) for one in value] if isinstance(value, list) else value


@st.composite
def sound(draw: st.DrawFn) -> list[Json]:
    """Make logs of one block as a node sends them."""
    places = sorted(draw(st.lists(st.integers(0, len(MINED) - 1), max_size=5)))
    return [
        a_log(
            4,
            address=draw(st.sampled_from(TOKENS)),
            topics=[TRANSFER, word(int(PAYER, 16)), word(draw(st.integers(1, 2**160 - 1)))],
            transactionIndex=hex(place),
            transactionHash=MINED[place],
            logIndex=hex(2 * index),
        )
        for index, place in enumerate(places)
    ]


def oddities(log: Json) -> list[Json]:
    """Return a log with each thing changed about it that may be odd."""
    aloud = [(name, in_capitals(log[name])) for name in ALOUD]
    return [{**log, name: value} for name, value in (*ODD, *aloud)]


@st.composite
def odd(draw: st.DrawFn) -> list[Json]:
    """Make such logs and change some of them, or their order."""
    logs = draw(sound().filter(bool))
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(logs) - 1))
        logs[at] = draw(st.sampled_from(oddities(logs[at])))
    return draw(st.permutations(logs)) if draw(st.booleans()) else logs


def a_whole(logs: list[Json], transactions: tuple[TxHash, ...] | None) -> Whole:
    return Whole(HEADER, "0x", transactions, logs=convert(logs, list[WireLog]))


def at_a_glance(*wholes: Whole, asked: Sought) -> set[RawAddress] | None:
    seen = glance.receivers(wholes, asked)
    return None if seen is None else set(seen)


def in_full(*wholes: Whole, asked: Sought) -> set[RawAddress] | str:
    """Return what log by log is found, or what is wrong."""
    try:
        return {to for whole in wholes for to in glance.in_full(whole, asked)}
    except (Contradiction, Garbled) as fault:
        return str(fault)


@given(sound(), st.sampled_from([MINED, None]), st.sampled_from(ASKED))
def test_logs_as_nodes_send_them_are_seen_at_a_glance(
    logs: list[Json], mined: tuple[TxHash, ...] | None, asked: Sought
) -> None:
    whole = a_whole(logs, mined)
    assert at_a_glance(whole, asked=asked) == in_full(whole, asked=asked)


@pytest.mark.parametrize("mined", [MINED, None])
@pytest.mark.parametrize("asked", ASKED)
def test_of_one_odd_log_a_glance_says_the_same_or_nothing(
    asked: Sought, mined: tuple[TxHash, ...] | None
) -> None:
    good = [
        a_log(4, logIndex=hex(index), transactionIndex=hex(place), transactionHash=MINED[place])
        for index, place in enumerate([0, 1, 1, 2])
    ]
    for at, log in enumerate(good):
        for one in oddities(log):
            whole = a_whole([*good[:at], one, *good[at + 1 :]], mined)
            assert at_a_glance(whole, asked=asked) in (None, in_full(whole, asked=asked)), one


@given(odd(), st.sampled_from([MINED, None]), st.sampled_from(ASKED))
def test_of_odd_logs_a_glance_says_the_same_or_nothing(
    logs: list[Json], mined: tuple[TxHash, ...] | None, asked: Sought
) -> None:
    whole = a_whole(logs, mined)
    assert at_a_glance(whole, asked=asked) in (None, in_full(whole, asked=asked))


def of_block(number: int, logs: list[Json], mined: tuple[TxHash, ...] | None) -> Whole:
    """Make a block of another height, with its own hashes, of logs that were made for HEADER's."""
    own_mined = tuple(TxHash(word(number << 64 | int(tx_hash, 16))) for tx_hash in MINED)
    own = {hex(HEADER.number): hex(number), HEADER.hash: block_hash(number)}
    own |= dict(zip(MINED, own_mined, strict=True))
    names = ("blockNumber", "blockHash", "transactionHash")
    moved = [{**log, **{name: own.get(log[name], log[name]) for name in names}} for log in logs]
    header = replace(HEADER, number=BlockNumber(number), hash=BlockHash(block_hash(number)))
    return Whole(header, "0x", mined and own_mined, logs=convert(moved, list[WireLog]))


@given(
    st.lists(st.one_of(sound(), odd()), max_size=4),
    st.sampled_from([MINED, None]),
    st.sampled_from(ASKED),
)
def test_of_some_blocks_a_glance_says_the_same_or_nothing(
    sent: list[list[Json]], mined: tuple[TxHash, ...] | None, asked: Sought
) -> None:
    wholes = [of_block(number, logs, mined) for number, logs in enumerate(sent, start=40)]
    assert at_a_glance(*wholes, asked=asked) in (None, in_full(*wholes, asked=asked))


@given(st.lists(sound(), max_size=4), st.sampled_from([MINED, None]), st.sampled_from(ASKED))
def test_some_blocks_as_nodes_send_them_are_seen_at_a_glance(
    sent: list[list[Json]], mined: tuple[TxHash, ...] | None, asked: Sought
) -> None:
    wholes = [of_block(number, logs, mined) for number, logs in enumerate(sent, start=40)]
    assert at_a_glance(*wholes, asked=asked) == in_full(*wholes, asked=asked)


RECIPIENTS: Final[dict[str, Callable[[str], str | None]]] = {
    "as it is": lambda to: to,
    "in capitals": lambda to: "0x" + to[2:].upper(),
    "of nobody": lambda _: None,
    "too long": lambda to: to + "0",
    "too short": lambda to: to[:-1],
    "no hex": lambda to: to[:-1] + "g",
}


@given(
    st.lists(
        st.tuples(
            st.integers(1, 2**160 - 1).map(lambda number: f"0x{number:040x}"),
            st.sampled_from(sorted(RECIPIENTS)),
        ),
        max_size=4,
    )
)
def test_who_is_offered_coin_is_seen_at_a_glance_or_not_at_all(
    recipients: list[tuple[str, str]],
) -> None:
    sent = [a_transaction(4, 5, to=RECIPIENTS[how](to)) for to, how in recipients]
    transactions = convert(sent, list[WireTransaction])
    try:
        full = [tx.to for tx in decode.readable(decode.paying(transactions))]
    except Garbled:
        full = None
    seen = glance.recipients(transactions)
    assert seen in (None, full)
    if all(how in ("as it is", "of nobody") for _, how in recipients):
        assert seen is not None


@pytest.mark.parametrize(
    ("size", "texts", "is_so"),
    [
        (3, ["0xa", "0xb"], True),
        (3, [], True),
        (3, ["0xa", "0xab", "0x"], False),
        (3, ["0xA"], False),
    ],
)
def test_hex_of_one_size_is_told(size: int, texts: list[str], is_so: bool) -> None:  # noqa: FBT001
    assert glance.are_hex(texts, size) is is_so
