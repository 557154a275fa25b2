"""Blocks as geth spells them, made up: every field of it, in its order, and its sizes.

A block of 200 transactions is 207 kB: with input data, access lists, withdrawals, and a
bloom filter that holds the transfers of the three tokens and as many bits of others as a
busy block has. It is made once and can then be had at every height, each time with that
height's number, time, hash and parent.
"""

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final, NamedTuple

from msgspec import Struct, json

from ctrip.chain.blooms import mask_of
from ctrip.chain.decode import TRANSFER
from ctrip.core.abi import erc20_transfer
from ctrip.core.ids import Amount, RawAddress

CHAIN_ID: Final = 1
TOKENS: Final = tuple(RawAddress("0x" + digit * 40) for digit in "abc")
EPOCH: Final = 1_700_000_000  # time of block 0
FINAL_DEPTH: Final = 64  # blocks

# Where a height's own values go in what is made beforehand.
NUMBER: Final = "0x1111111"
TIME: Final = "0x22222222"
HASH: Final = "0x" + "3" * 64
PARENT: Final = "0x" + "4" * 64
PAYMENT: Final = "0x" + "6" * 64  # the hash of a transaction that pays
MARKS: Final = re.compile(f'({NUMBER}|{TIME}|{HASH}|{PARENT}|{PAYMENT})(?=")'.encode())

SENDS_COIN: Final = 0.4  # of the transactions
INPUT_BYTES: Final = ((40, 0), (27, 68), (20, 228), (8, 420), (5, 1_316))  # in percent
LISTED_SLOTS: Final = 0.08  # of the transactions have an access list
LOG_EVERY: Final = 5  # transactions
WITHDRAWALS: Final = 16
BLOOM_BITS: Final = 900  # of 2048, as in a busy block


class Shape(Struct, frozen=True):
    """What the chain is like."""

    transactions: int = 200
    logs: int = 40  # of a block: transfers of the three tokens
    made: int = 16  # blocks that are made beforehand
    block_seconds: float = 12.0
    head: int = 1_000_000
    final_depth: int = FINAL_DEPTH
    final_every: int = 1  # blocks become final at once; 32 in an epoch of Ethereum
    pays: RawAddress | None = None  # that the first of the blocks that are made pays a token to


class Piece:
    """JSON with gaps for a height's own values."""

    def __init__(self, value: object) -> None:
        pieces = MARKS.split(json.encode(value))
        self._parts, self._marks = pieces[0::2], pieces[1::2]

    def at(self, values: Mapping[bytes, bytes]) -> bytes:
        """Return the JSON for a height."""
        joined = [self._parts[0]]
        for mark, part in zip(self._marks, self._parts[1:], strict=True):
            joined += (values[mark], part)
        return b"".join(joined)


class Made(NamedTuple):
    """One block, in the ways it is asked for."""

    full: Piece
    header: Piece
    logs: Piece


def make(shape: Shape, chance: Random, *, pays: RawAddress | None = None) -> Made:
    """Make a block as geth spells it; one that pays has its first transfer go to that address."""
    transactions = [a_transaction(place, chance) for place in range(shape.transactions)]
    logs = [a_log(place, transactions, chance) for place in range(shape.logs)]
    if pays:
        transactions[0] |= {
            "hash": PAYMENT,
            "input": erc20_transfer(pays, Amount(1)),
            "to": TOKENS[0],
        }
        logs[0] |= {"transactionHash": PAYMENT, "topics": [*logs[0]["topics"][:2], padded(pays)]}
    header = a_header(logs, chance)
    hashes = [transaction["hash"] for transaction in transactions]
    return Made(
        Piece({**header, "transactions": transactions}),
        Piece({**header, "transactions": hashes}),
        Piece(logs),
    )


def a_header(logs: Sequence[dict[str, Any]], chance: Random) -> dict[str, Any]:
    """Return all of a block but its transactions, in geth's order."""
    return {
        "baseFeePerGas": hex(chance.randrange(10**8, 10**11)),
        "blobGasUsed": hex(131_072 * chance.randrange(7)),
        "difficulty": "0x0",
        "excessBlobGas": hex(chance.randrange(10**8)),
        "extraData": word(chance),
        "gasLimit": "0x2aea540",
        "gasUsed": hex(chance.randrange(10**7, 4 * 10**7)),
        "hash": HASH,
        "logsBloom": bloom(logs, chance),
        "miner": address(chance),
        "mixHash": word(chance),
        "nonce": "0x0000000000000000",
        "number": NUMBER,
        "parentBeaconBlockRoot": word(chance),
        "parentHash": PARENT,
        "receiptsRoot": word(chance),
        "requestsHash": word(chance),
        "sha3Uncles": word(chance),
        "size": hex(chance.randrange(60_000, 120_000)),
        "stateRoot": word(chance),
        "timestamp": TIME,
        "transactionsRoot": word(chance),
        "uncles": [],
        "withdrawals": [
            {
                "index": hex(chance.randrange(10**8)),
                "validatorIndex": hex(chance.randrange(10**6)),
                "address": address(chance),
                "amount": hex(chance.randrange(10**8)),
            }
            for _ in range(WITHDRAWALS)
        ],
        "withdrawalsRoot": word(chance),
    }


def a_transaction(place: int, chance: Random) -> dict[str, Any]:
    """Return a transaction of type 2."""
    counts, sizes = zip(*INPUT_BYTES, strict=True)
    [size] = chance.choices(sizes, counts)
    has_value = chance.random() < SENDS_COIN
    slots = [{"address": address(chance), "storageKeys": [word(chance), word(chance)]}]
    return {
        "blockHash": HASH,
        "blockNumber": NUMBER,
        "from": address(chance),
        "gas": hex(chance.randrange(21_000, 10**6)),
        "gasPrice": hex(chance.randrange(10**8, 10**11)),
        "maxFeePerGas": hex(chance.randrange(10**8, 10**11)),
        "maxPriorityFeePerGas": hex(chance.randrange(10**6, 10**9)),
        "hash": word(chance),
        "input": "0x" + chance.randbytes(size).hex(),
        "nonce": hex(chance.randrange(10**6)),
        "to": address(chance),
        "transactionIndex": hex(place),
        "value": hex(chance.randrange(1, 10**20)) if has_value else "0x0",
        "type": "0x2",
        "accessList": slots if chance.random() < LISTED_SLOTS else [],
        "chainId": hex(CHAIN_ID),
        "v": hex(chance.randrange(2)),
        "r": word(chance),
        "s": word(chance),
        "yParity": hex(chance.randrange(2)),
    }


def a_log(place: int, transactions: Sequence[dict[str, Any]], chance: Random) -> dict[str, Any]:
    """Return a transfer of one of the tokens; places in the block rise."""
    index = min(place * LOG_EVERY, len(transactions) - 1)
    return {
        "address": TOKENS[place % len(TOKENS)],
        "topics": [TRANSFER, padded(address(chance)), padded(address(chance))],
        "data": f"0x{chance.randrange(1, 10**12):064x}",
        "blockNumber": NUMBER,
        "blockTimestamp": TIME,
        "transactionHash": transactions[index]["hash"],
        "transactionIndex": hex(index),
        "blockHash": HASH,
        "logIndex": hex(place * 3),
        "removed": False,
    }


def bloom(logs: Sequence[dict[str, Any]], chance: Random) -> str:
    """Return a filter that holds the tokens' logs, and those of others."""
    bits = 0
    for item in {item for log in logs for item in (log["address"], *log["topics"])}:
        bits |= mask_of(item)
    while bits.bit_count() < BLOOM_BITS and logs:
        bits |= 1 << chance.randrange(2048)
    return f"0x{bits:0512x}"


def word(chance: Random) -> str:
    """Return 32 bytes."""
    return "0x" + chance.randbytes(32).hex()


def address(chance: Random) -> str:
    """Return 20 bytes."""
    return "0x" + chance.randbytes(20).hex()


def padded(owner: str) -> str:
    """Return an address as a topic."""
    return f"0x{owner.removeprefix('0x'):0>64}"


def values_at(number: int, block_seconds: float) -> dict[bytes, bytes]:
    """Return what is put into the gaps at a height."""
    values = {
        NUMBER: hex(number),
        TIME: hex(EPOCH + int(number * block_seconds)),
        HASH: hash_at(number),
        PARENT: hash_at(number - 1),
        PAYMENT: f"0x{'feed' * 12}{number:016x}",
    }
    return {mark.encode(): value.encode() for mark, value in values.items()}


def hash_at(number: int) -> str:
    """Return the hash of a block, in which its height can be read."""
    return f"0x{'b10c' * 12}{number & 2**64 - 1:016x}"


def height_of(block_hash: str) -> int:
    """Return the height of the block with this hash."""
    return int(block_hash[-16:], 16)
