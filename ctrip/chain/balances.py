"""How much an address holds: many balances in one eth_call, or each in a call of its own.

The one call has no `to`. A node then runs its data as code that would create a contract,
and returns what that code returns: so a small program with the questions behind it is a
batch, on every chain, with nothing deployed. It asks native coin of the EVM and tokens of
their contracts; a token that refuses, is not there or says less than a number holds 0.
Where gas runs short it reverts as a whole: a token that got too little gas would seem to
hold nothing.

What is returned counts as a contract's code to the node, with two limits: its length
(EIP-170), and that it must not begin with 0xef (EIP-3541), as a large balance might. So
it begins with a zero byte.
"""

import re
from collections.abc import Sequence
from typing import Final

from ctrip.chain.decode import Garbled, quantity
from ctrip.chain.wire import Call
from ctrip.core.abi import BALANCE_OF, erc20_balance_of
from ctrip.core.blocks import Header, Holding
from ctrip.core.ids import NATIVE, Amount, Asset, RawAddress

# Questions in one call: 12 kB of code (nodes take 49,152 bytes, EIP-3860), 9.6 kB of answer
# (24,576 bytes, EIP-170), and 3 to 12 million gas, which the 30 million that many nodes give
# a call can pay.
ASKED_MAX: Final = 300

# For one token: proxies and rebasing tokens need up to 100,000. What asks for more than this
# never answers, and costs the other questions no more than this.
TOKEN_GAS_MAX: Final = 1_000_000
# Below this the program gives up: a call gets at most 63/64 of what is left (EIP-150).
GAS_MIN: Final = TOKEN_GAS_MAX * 64 // 63 + 10_000

WORD_DIGITS: Final = 64  # hex digits of 32 bytes
MARK: Final = "0x00"  # what an answer begins with
ANSWER: Final = re.compile(rf"{MARK}([0-9a-fA-F]*)")
DATA: Final = re.compile(r"0x([0-9a-fA-F]*)")
NO_CONTRACT: Final = "00" * 20  # stands for native coin: no token is at address zero

# Memory: 0x00 the question, 40 bytes of contract and owner; 0x5c what the token is sent;
# 0x60 what it says; 0x80 the answer. The stack holds where the next answer is written and
# where the next question is read.
PROGRAM: Final = "".join(
    (
        f"63{BALANCE_OF}604052",  # the selector, which ends at 0x60
        "6081",  # write the first answer here
        "606f",  # read the first question here: where the program ends
        "5b80381115606657",  # LOOP, 0x0c: at the end of the code? go to DONE
        "602881600039",  # CODECOPY the question
        "60005160601c",  # the contract
        "60145160601c",  # the owner
        "81602e57",  # is there a contract? go to TOKEN
        "31605256",  # BALANCE; go to STORE
        "5b606052",  # TOKEN, 0x2e: the owner, as the argument
        f"62{GAS_MIN:06x}5a10606157",  # less GAS than that? go to SHORT
        f"602060606024605c8462{TOKEN_GAS_MAX:06x}fa",  # STATICCALL
        "601f3d111660605102",  # what it said, times whether it said 32 bytes
        "5b8352",  # STORE, 0x52: write the answer
        "506028019060200190600c56",  # both 40 and 32 bytes on; go to LOOP
        "5b600080fd",  # SHORT, 0x61: REVERT
        "5b50608090036080f3",  # DONE, 0x66: RETURN
    )
)


def call_data(asked: Sequence[Holding]) -> str:
    """Return the data of an eth_call without `to` that answers up to ASKED_MAX questions."""
    return f"0x{PROGRAM}" + "".join(question(holding) for holding in asked)


def question(holding: Holding) -> str:
    """Return a question as the program reads it."""
    contract = NO_CONTRACT if holding.asset == NATIVE else digits(holding.asset)
    return contract + digits(holding.owner)


def digits(address: Asset | RawAddress) -> str:
    """Return an address without its 0x."""
    return address.removeprefix("0x")


def read(result: str, count: int) -> list[Amount]:
    """Return the balances that the call of `call_data` gave, in the order of the questions."""
    answer = ANSWER.fullmatch(result)
    if not answer or len(answer[1]) != count * WORD_DIGITS:
        raise Garbled("the balances are not one number for each question")
    words = answer[1]
    starts = range(0, len(words), WORD_DIGITS)
    return [Amount(int(words[start : start + WORD_DIGITS], 16)) for start in starts]


def single(asked: Holding, at: Header) -> Call:
    """Return the call that asks for one balance in the state after this very block (EIP-1898)."""
    return held(asked, {"blockHash": at.hash})


def held(asked: Holding, block: object) -> Call:
    """Return the call that asks for one balance, at a block in any spelling that nodes know."""
    if asked.asset == NATIVE:
        return Call("eth_getBalance", (asked.owner, block))
    return Call("eth_call", ({"to": asked.asset, "data": erc20_balance_of(asked.owner)}, block))


def read_single(result: str | None, asked: Holding | None = None) -> Amount:
    """Return the balance that the call of `single` gave; a token that gave none holds 0.

    Only who knows what was asked can tell 1 to 31 bytes of a token, which hold nothing, from
    the number of a native balance.
    """
    if asked and asked.asset == NATIVE:
        return Amount(quantity(result or ""))
    data = DATA.fullmatch(result or "0x")
    if not data:
        raise Garbled("a balance is not hex")
    if len(data[1]) >= WORD_DIGITS:
        return Amount(int(data[1][:WORD_DIGITS], 16))
    return Amount(0 if asked or not data[1] else int(data[1], 16))
