"""What became of all money on a chain, found by reading all of it in the plainest way.

It judges what settlement says of itself, so nothing here is ctrip's own code. What senders offered
to nodes is read too, by another library: two transactions of one nonce must mean the same.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from tests.support.anvil import Anvil
from tests.support.ledger import TRANSFER

COIN: Final = "native"


class Move(NamedTuple):
    """Money that went from one address to another."""

    tx_hash: str
    sender: str
    recipient: str
    asset: str
    amount: int


class Story(NamedTuple):
    """What is in the blocks of a chain."""

    moves: Sequence[Move]  # nothing of transactions that failed
    fees: Mapping[str, int]  # wei, by who sent
    nonces: Mapping[str, Sequence[int]]

    def of(self, address: str) -> tuple[list[Move], list[Move]]:
        """Return what came to an address and what went from it."""
        came = [move for move in self.moves if move.recipient == address]
        return came, [move for move in self.moves if move.sender == address]

    def balance(self, address: str, asset: str) -> int:
        """Return what an address that began with nothing must hold."""
        came, went = self.of(address)
        left = sum(m.amount for m in came if m.asset == asset)
        left -= sum(m.amount for m in went if m.asset == asset)
        return left - (self.fees.get(address, 0) if asset == COIN else 0)


async def told_by(chain: Anvil) -> Story:
    """Read every transaction of every block."""
    moves: list[Move] = []
    fees: Counter[str] = Counter()
    nonces: dict[str, list[int]] = defaultdict(list)
    for number in range(1, int(await chain.rpc("eth_blockNumber"), 16) + 1):
        block = await chain.rpc("eth_getBlockByNumber", hex(number), True)  # noqa: FBT003  JSON-RPC
        if not block["transactions"]:
            continue
        receipts = await chain.rpc("eth_getBlockReceipts", hex(number))
        for sent, receipt in zip(block["transactions"], receipts, strict=True):
            assert sent["hash"] == receipt["transactionHash"]
            nonces[sent["from"]].append(int(sent["nonce"], 16))
            fees[sent["from"]] += int(receipt["gasUsed"], 16) * int(
                receipt["effectiveGasPrice"], 16
            )
            if receipt["status"] == "0x1":
                moves += moves_of(sent, receipt)
    return Story(moves, fees, nonces)


def moves_of(sent: Mapping[str, Any], receipt: Mapping[str, Any]) -> Iterable[Move]:
    """Return what a transaction moved in coin and in tokens."""
    if value := int(sent["value"], 16):
        yield Move(sent["hash"], sent["from"], sent["to"], COIN, value)
    for entry in receipt["logs"]:
        if entry["topics"][0] == TRANSFER:
            sender, recipient = (f"0x{topic[-40:]}" for topic in entry["topics"][1:])
            amount = int(entry["data"], 16)
            yield Move(sent["hash"], sender, recipient, entry["address"], amount)


def meanings(handed: Iterable[str]) -> dict[tuple[str, int], set[tuple[str, str]]]:
    """Return what signed transactions are for, by sender and nonce: whom they call, with what."""
    found: dict[tuple[str, int], set[tuple[str, str]]] = defaultdict(set)
    for raw in handed:
        sender = Account.recover_transaction(raw).lower()
        said = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        to, data = (HexBytes(said[part]).to_0x_hex() for part in ("to", "data"))
        found[(sender, said["nonce"])].add((to, data))
    return found
