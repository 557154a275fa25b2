"""The word of endpoints on what one of them said: do two show it, in the same block?

Which one it was read from is not kept, because the chain is read from another whenever that is
better; so both are asked, and neither's word counts twice. If both show it that is enough. If one
does not all others are asked too, and the majority of those that answer decides, so that one that
is wrong holds nothing up for ever. Of two that differ neither is believed.

For a transaction's value: the block, the receipt, and what was sent to whom. For what a
log shows: the block, the receipt, and that log in it. For money that a trace or a balance
showed: the block, and that the address held as much after it, of whoever has that state still.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from msgspec import Struct

from ctrip.chain import coins, decode, transfers
from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.chain.decode import NotYet, WireFullReceipt
from ctrip.chain.endpoint import Provider
from ctrip.chain.failover import Failover
from ctrip.chain.faults import Cure, cure_of, cure_of_refusal
from ctrip.chain.tips import header_of
from ctrip.chain.transfers import Sought
from ctrip.chain.wire import Call, NodeRefused, replies
from ctrip.core.blocks import Header, Holding, Opinion
from ctrip.core.ids import NATIVE, BlockHash, RawAddress
from ctrip.core.payment import Source, Transfer


class WireSent(Struct, frozen=True, rename="camel"):
    """A transaction by its hash."""

    hash: str
    value: str
    block_hash: str | None = None
    to: str | None = None


SENT: Final = replies(WireSent)
NO_PARENT: Final = BlockHash("")  # nobody asks here what a block stands on
WITNESSES: Final = 2  # who read a transfer may be any of them, so as many must show it now

T = TypeVar("T")
# Returns what an endpoint shows otherwise of each; None of what it cannot tell.
Differing: TypeAlias = Callable[[Provider, Sequence[T]], Awaitable[Sequence[str | None]]]


async def witnessed(
    endpoints: Failover, asked: Sequence[Provider], things: Sequence[T], differing: Differing[T]
) -> list[Opinion]:
    """Return what endpoints say of some things, each asked about those that are open still."""
    # Of each thing, by label: what an endpoint shows otherwise than was seen, or "".
    said: list[dict[str, str]] = [{} for _ in things]
    faults: list[str] = []
    for provider in asked:
        open_ = [number for number, words in enumerate(said) if not is_settled(words)]
        if not open_:
            break

        async def ask(
            provider: Provider, about: Sequence[T] = [things[number] for number in open_]
        ) -> Sequence[str | None]:
            return await differing(provider, about)

        try:
            found = await endpoints.ask_only(provider, ask)
        except (ChainOutage, InconsistentChain) as fault:
            faults.append(str(fault))
            continue
        for number, why in zip(open_, found, strict=True):
            if why is not None:
                said[number][provider.label] = why
    return [judge(words, faults) for words in said]


def is_settled(said: Mapping[str, str]) -> bool:
    """Tell whether enough endpoints have answered, and all show what was seen."""
    return len(said) >= WITNESSES and not any(said.values())


def judge(said: Mapping[str, str], faults: Sequence[str]) -> Opinion:
    """Return what follows from what endpoints show otherwise, and the faults of the others."""
    shown = [label for label, why in said.items() if not why]
    first, second, *_ = [*shown, "", ""]
    if denied := {label: why for label, why in said.items() if why}:
        why, others = next(iter(denied.values())), " and ".join(denied)
        if len(shown) > len(denied):
            return Opinion(agrees=True, first=first, second=second, why=why, outvoted=others)
        return Opinion(agrees=False, first=first, second=others, why=why)
    if second:
        return Opinion(agrees=True, first=first, second=second, why="")
    why = (
        f"no second endpoint answers: {'; '.join(faults)}"
        if faults
        else "there is no second endpoint"
    )
    return Opinion(agrees=False, first=first, second="", why=why)


async def differs(provider: Provider, transfer: Transfer, asked: Sought) -> str:
    """Return what an endpoint shows otherwise than the transfer says, or nothing."""
    if not await _has_block(provider, transfer):
        return f"it shows another block {transfer.block_number}, or none"
    if transfer.source in (Source.TRACE, Source.BALANCE):
        return await _held(provider, transfer)
    receipt = await _receipt(provider, transfer)
    if receipt is None or receipt.block_hash is None:
        return "it shows no receipt of the transaction"
    if receipt.block_hash.lower() != transfer.block_hash:
        return "it shows the transaction in another block"
    if receipt.status is None or decode.quantity(receipt.status) != 1:
        return "it shows that the transaction failed"
    if transfer.source is Source.TRANSACTION:
        return await _sent(provider, transfer)
    return "" if shows(receipt, transfer, asked) else "it shows no such transfer"


async def _has_block(provider: Provider, transfer: Transfer) -> bool:
    call = Call("eth_getBlockByNumber", (hex(transfer.block_number), False))
    [reply] = await provider.ask([call], decode.HEADERS)
    header = header_of(provider, reply)
    return header is not None and header.hash == transfer.block_hash


async def _held(provider: Provider, transfer: Transfer) -> str:
    """Compare what came with what the address held then; nodes forget that after some blocks."""
    at = Header(
        number=transfer.block_number,
        hash=transfer.block_hash,
        parent_hash=NO_PARENT,
        time=transfer.block_time,
    )
    asked = Holding(transfer.key.asset, transfer.key.recipient)
    try:
        [held] = await coins.holdings(provider, at, [asked])
    except NodeRefused as refused:
        if cure_of(refused) in (Cure.BACK_OFF, Cure.NO_CREDIT):
            raise
        return ""
    except NotYet:
        return ""
    if held >= transfer.amount:
        return ""
    return f"it shows that the address holds {held} of {transfer.amount}"


async def _receipt(provider: Provider, transfer: Transfer) -> WireFullReceipt | None:
    call = Call("eth_getTransactionReceipt", (transfer.key.tx_hash,))
    [reply] = await provider.ask([call], decode.FULL_RECEIPTS)
    if reply.error and cure_of_refusal(reply.error) is not Cure.WAIT:
        raise provider.refused(call.method, reply.error)
    return reply.result


async def _sent(provider: Provider, transfer: Transfer) -> str:
    """Compare a transaction's own value."""
    call = Call("eth_getTransactionByHash", (transfer.key.tx_hash,))
    [reply] = await provider.ask([call], SENT)
    if reply.error:
        raise provider.refused(call.method, reply.error)
    sent = reply.result
    if sent is None or (sent.to or "").lower() != transfer.key.recipient:
        return "it shows a transaction to somebody else"
    same = decode.quantity(sent.value) == transfer.amount
    return "" if same else "it shows another amount"


def shows(receipt: WireFullReceipt, transfer: Transfer, asked: Sought) -> bool:
    """Tell whether a receipt has the log of a transfer."""
    ours = [log for log in receipt.logs if log.address.lower() in asked.contracts]
    found = transfers.placed(ours, transfer.block_number, transfer.block_number)
    if transfer.key.asset == NATIVE:
        moves = [one.move for one in transfers.read(found, asked).moves]
        return any(
            (move.recipient, move.amount, move.ordinal)
            == (transfer.key.recipient, transfer.amount, transfer.key.ordinal)
            for move in moves
        )
    contract = RawAddress(transfer.key.asset)
    wanted = [one for one in found if one.log.topics and one.log.topics[0] == decode.TRANSFER]
    logs = transfers.read(wanted, asked).logs
    return any(
        (log.contract, log.recipient, log.amount)
        == (contract, transfer.key.recipient, transfer.amount)
        for log in logs
    )
