"""A transaction by its hash, from one endpoint, with all that its receipt shows.

Anybody may come with any hash, so none is a fault of the endpoint: what it does not know, or
has in a block that is not on its chain, is an answer, and what it refuses is nothing it is
blamed for. Nobody can talk an endpoint out of use by asking.
"""

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from ctrip.chain import decode, transfers
from ctrip.chain.decode import ADDRESS, WireFullReceipt, WireLog, matching, quantity
from ctrip.chain.endpoint import Provider
from ctrip.chain.failover import Unable
from ctrip.chain.receipts import RECEIPT, height_of
from ctrip.chain.tips import BY_NUMBER, header_of
from ctrip.chain.transfers import COINS
from ctrip.chain.wire import Call, NodeRefused, Refusal, replies
from ctrip.core.blocks import Header
from ctrip.core.chains import NativeSource
from ctrip.core.ids import NATIVE, Amount, Asset, RawAddress, TxHash
from ctrip.core.transaction import Moved, Transaction

BY_HASH: Final = "eth_getTransactionByHash"
COUNT: Final = "eth_getTransactionCount"
NO_DATA: Final = "0x"
HEX: Final = re.compile(r"[0-9a-f]*")
WORD_DIGITS: Final = 64
ADDRESS_DIGITS: Final = 40
# What wallets send to a token, and whether its arguments begin with who pays.
TRANSFER: Final = "0xa9059cbb"  # transfer(address,uint256)
TRANSFER_FROM: Final = "0x23b872dd"  # transferFrom(address,address,uint256)


class WireAsked(Struct, frozen=True, rename="camel"):
    """A transaction by its hash. Rollups have kinds of their own, which lack some fields."""

    hash: str
    sender: str = field(name="from")
    to: str | None = None
    value: str = "0x0"
    nonce: str = "0x0"
    input: str = NO_DATA
    block_hash: str | None = None


ASKED: Final = replies(WireAsked)


async def read(provider: Provider, tx_hash: TxHash, native: NativeSource) -> Transaction | None:
    """Return what an endpoint knows of a transaction; None if nothing."""
    try:
        return await _read(provider, tx_hash, native)
    except NodeRefused as fault:
        why = str(fault)
    raise Unable(why)


async def _read(provider: Provider, tx_hash: TxHash, native: NativeSource) -> Transaction | None:
    if (wire := await _asked(provider, tx_hash)) is None:
        return None
    sent = transaction(tx_hash, wire)
    if wire.block_hash is None:
        count = await _count(provider, sent.sender)
        # It may have been mined meanwhile, and be the last of those that were counted.
        again = await _asked(provider, tx_hash)
        return sent if again and again.block_hash else replace(sent, sender_nonce=count)
    receipt = await _receipt(provider, tx_hash)
    block = await _block(provider, receipt) if receipt else None
    if receipt is None or block is None:
        return sent
    # Blocks from before Byzantium (2017) have receipts without a status.
    succeeded = receipt.status is None or quantity(receipt.status) == 1
    shown = moved(sent, receipt.logs, block, native) if succeeded else ()
    return replace(sent, block=block, succeeded=succeeded, moved=shown)


async def _asked(provider: Provider, tx_hash: TxHash) -> WireAsked | None:
    """Return a transaction as it was sent, if the endpoint knows it."""
    [reply] = await provider.ask([Call(BY_HASH, (tx_hash,))], ASKED)
    check(provider, BY_HASH, reply.error)
    wire = reply.result
    return wire if wire and wire.hash.lower() == tx_hash else None


async def _receipt(provider: Provider, tx_hash: TxHash) -> WireFullReceipt | None:
    """Return the receipt, if the endpoint has it by now."""
    [reply] = await provider.ask([Call(RECEIPT, (tx_hash,))], decode.FULL_RECEIPTS)
    check(provider, RECEIPT, reply.error)
    return reply.result if reply.result and reply.result.block_hash else None


async def _block(provider: Provider, receipt: WireFullReceipt) -> Header | None:
    """Return the block that a receipt names, if it is on the chain."""
    calls = [Call(BY_NUMBER, (hex(height_of(receipt)), False))]
    [reply] = await provider.ask(calls, decode.HEADERS)
    block = header_of(provider, reply)
    same = block is not None and block.hash == (receipt.block_hash or "").lower()
    return block if same else None


async def _count(provider: Provider, sender: RawAddress) -> int:
    """Return how many transactions of an account are in blocks."""
    [reply] = await provider.ask([Call(COUNT, (sender, "latest"))], decode.QUANTITIES)
    check(provider, COUNT, reply.error)
    return quantity(reply.result or "")


def check(provider: Provider, method: str, refusal: Refusal | None) -> None:
    """Raise what an endpoint said instead of an answer."""
    if refusal is not None:
        raise provider.refused(method, refusal)


def transaction(tx_hash: TxHash, wire: WireAsked) -> Transaction:
    """Return what a transaction was meant to do."""
    sender = RawAddress(matching(ADDRESS, wire.sender))
    recipient = RawAddress(matching(ADDRESS, wire.to)) if wire.to else None
    offered = []
    if recipient and (amount := quantity(wire.value)) and recipient != sender:
        offered.append(
            Moved(asset=NATIVE, sender=sender, recipient=recipient, amount=Amount(amount))
        )
    if recipient and (asked := token_move(sender, recipient, wire.input.lower())):
        offered.append(asked)
    return Transaction(
        tx_hash=tx_hash,
        sender=sender,
        recipient=recipient,
        calls=wire.input != NO_DATA,
        offered=tuple(offered),
        nonce=quantity(wire.nonce),
    )


def token_move(sender: RawAddress, contract: RawAddress, data: str) -> Moved | None:
    """Return what call data asks a token to move, if it is such a call."""
    selector, digits = data[: len(TRANSFER)], data[len(TRANSFER) :][: 3 * WORD_DIGITS]
    if selector not in (TRANSFER, TRANSFER_FROM) or not HEX.fullmatch(digits):
        return None
    words = [digits[at : at + WORD_DIGITS] for at in range(0, len(digits), WORD_DIGITS)]
    addresses = 1 if selector == TRANSFER else 2
    if len(words) <= addresses or len(words[addresses]) < WORD_DIGITS:
        return None
    *payer, recipient = [RawAddress("0x" + w[-ADDRESS_DIGITS:]) for w in words[:addresses]]
    if not (amount := int(words[addresses], 16)):
        return None
    return Moved(
        asset=Asset(contract),
        sender=payer[0] if payer else sender,
        recipient=recipient,
        amount=Amount(amount),
    )


def moved(
    sent: Transaction, logs: Sequence[WireLog], block: Header, native: NativeSource
) -> tuple[Moved, ...]:
    """Return what a transaction that succeeded moved: its own coin, and what its logs tell.

    Where the chain logs its coin, those logs tell of the transaction's own too.
    """
    coin = COINS.get(native)
    told = [
        log
        for log in logs
        if (log.topics and log.topics[0].lower() == decode.TRANSFER)
        or (coin and log.address.lower() == coin.contract)
    ]
    asked = transfers.sought({RawAddress(log.address.lower()) for log in told}, native)
    found = transfers.read(transfers.placed(told, block.number, block.number), asked)
    moves = [
        Moved(asset=NATIVE, sender=m.sender, recipient=m.recipient, amount=m.amount)
        for m in (placed.move for placed in found.moves)
    ]
    own = [] if coin else [move for move in sent.offered if move.asset == NATIVE]
    return (
        *own,
        *moves,
        *(
            Moved(asset=Asset(t.contract), sender=t.sender, recipient=t.recipient, amount=t.amount)
            for t in found.logs
        ),
    )
