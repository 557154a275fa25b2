"""What a machine with keys signs, and what it refuses.

It trusts a file in nothing but what it can check by itself: the file lay on a stick, and whoever
can write to that can write anything. So it is told the treasury from elsewhere, derives every
address from its path, and signs three kinds of transactions only:

    to the treasury        coin, or tokens by ERC-20's transfer, from an address of ours
    gas for one of those   coin from the gas wallet to a deposit address that a transaction in the
                           same file moves money from
    refunds                the same from the payout wallet to anybody, as far as whoever signs has
                           said how much of each asset may go

What a file says about itself for people (why, symbols, decimals, payments) decides nothing. What a
liar could still do is burn coin as fees, which is why people are shown the sum, and may give a
limit; and have refunds paid to himself, up to what was said. So none is signed unless it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol
from uuid import UUID

from msgspec import Struct

from ctrip.core.abi import SELECTOR_DIGITS, TRANSFER, WORD_DIGITS
from ctrip.core.bundles import NO_DATA, ToSign, Unsigned, in_all_forms, lower, outgoing
from ctrip.core.envelope import fault_of as unsendable
from ctrip.core.ids import NATIVE, Amount, Asset, RawAddress
from ctrip.core.paths import GAS_PATH, PAYOUT_PATH, index_in

ADDRESS_DIGITS: Final = 40
NOTHING: Final[Mapping[Asset, Amount]] = MappingProxyType({})


class Keys(Protocol):
    """The addresses that can be signed for; a Signer is one."""

    @property
    def gas_address(self) -> RawAddress: ...
    @property
    def payout_address(self) -> RawAddress: ...
    def address(self, index: int) -> RawAddress: ...


class Move(Struct, frozen=True):
    """What a transaction moves: an asset, an amount and where to."""

    asset: Asset
    to: RawAddress
    amount: Amount


class Total(Struct, frozen=True, kw_only=True):
    """What all transactions of a kind move together."""

    asset: Asset
    is_gas: bool  # for deposit addresses, and not to the treasury
    is_refund: bool  # to others
    count: int
    amount: Amount


def faults_of(
    bundle: ToSign,
    treasury: RawAddress,
    keys: Keys,
    refund_max: Mapping[Asset, Amount] = NOTHING,
) -> list[str]:
    """Return why a file must not be signed; nothing if every transaction is what it should be.

    `refund_max` is how much of each asset may be given back, as whoever signs knows.
    """
    if lower(bundle.treasury) != treasury:
        return [f"names another treasury than you: {bundle.treasury}"]
    if not bundle.transactions:
        return ["holds no transaction"]
    faults = [*out_of_place(bundle.transactions)]
    spending = {one.path for one in bundle.transactions if index_in(one.path) is not None}
    for place, one in enumerate(bundle.transactions, start=1):
        fault = (
            whose(one, keys)
            or unsendable(outgoing(one, bundle.chain_id))
            or where_to(one, treasury, keys, spending)
            or other_forms(one, bundle.chain_id)
        )
        if fault:
            faults.append(f"transaction {place} ({one.id}) {fault}")
    return [*faults, *too_generous(bundle, refund_max)]


def too_generous(bundle: ToSign, refund_max: Mapping[Asset, Amount]) -> Iterator[str]:
    """Say which assets more is given back of than was said."""
    for total in totals(bundle):
        allowed = refund_max.get(total.asset, Amount(0))
        if total.is_refund and total.amount > allowed:
            asset = "coin (wei)" if total.asset == NATIVE else total.asset
            yield (
                f"gives back {total.amount} of {asset} in {total.count} refunds, and --refund-max"
                f" for that is {allowed}: hold them against what the shop says, then raise it"
            )


def out_of_place(transactions: Sequence[Unsigned]) -> Iterator[str]:
    """Say what is there twice, or waits for what does not come before it."""
    ids: set[UUID] = set()
    refunds: set[UUID] = set()
    nonces: set[tuple[str, int]] = set()
    for place, one in enumerate(transactions, start=1):
        nonce = (one.sender.lower(), one.nonce)
        if one.id in ids:
            yield f"transaction {place} ({one.id}) is there twice"
        if one.refund is not None and one.refund.id in refunds:
            yield f"transaction {place} ({one.id}) pays a refund that another pays"
        if nonce in nonces:
            yield f"transaction {place} ({one.id}) has the sender and nonce of another"
        if one.depends_on is not None and one.depends_on not in ids:
            yield f"transaction {place} ({one.id}) waits for one that is not before it"
        ids.add(one.id)
        refunds |= {one.refund.id} if one.refund is not None else set()
        nonces.add(nonce)


def whose(one: Unsigned, keys: Keys) -> str:
    """Say why the sender is not the address of the path; "" if it is."""
    index = index_in(one.path)
    others = {GAS_PATH: keys.gas_address, PAYOUT_PATH: keys.payout_address}
    if index is None and one.path not in others:
        return "has a path that is of none of our wallets"
    derived = others[one.path] if index is None else keys.address(index)
    if lower(one.sender) != derived:
        return f"is from {one.sender}, and the address of its path {one.path} is {derived}"
    return ""


def other_forms(one: Unsigned, chain_id: int) -> str:
    """Say what else than its fields other programs would sign; "" if it is the same."""
    same = in_all_forms(one, chain_id)
    if one.payload != same.payload:
        return "has a payload that is not that of its fields"
    if one.eth_transaction != same.eth_transaction:
        return "has an eth_transaction that is not that of its fields"
    return ""


def where_to(one: Unsigned, treasury: RawAddress, keys: Keys, spending: set[str]) -> str:
    """Say why money would go where it must not; "" if it goes where it may."""
    move = move_of(one)
    if move is None:
        return "is neither coin alone nor a transfer of a token"
    if one.refund is not None:
        return "" if is_payout(one) else "is a refund, and not from the payout wallet alone"
    if one.to_path is None:
        return "" if move.to == treasury else f"is not to the treasury but to {move.to}"
    index = index_in(one.to_path)
    if one.path != GAS_PATH or move.asset != NATIVE:
        return "names a path that it goes to, and is no coin from the gas wallet"
    if index is None or keys.address(index) != move.to:
        return f"is to {move.to}, which is not the address of {one.to_path}"
    if one.to_path not in spending:
        return f"sends gas to {one.to_path}, which no transaction of the file is from"
    return ""


def is_payout(one: Unsigned) -> bool:
    """Tell whether a transaction is from the payout wallet, to somebody whom we do not know."""
    return one.path == PAYOUT_PATH and one.to_path is None


def move_of(one: Unsigned) -> Move | None:
    """Return what a transaction moves; None if it does anything else, or anything beside."""
    value = Amount(int(one.value))
    if one.data == NO_DATA:
        return Move(NATIVE, lower(one.to), value)
    start = len(NO_DATA) + SELECTOR_DIGITS
    selector, words = one.data[len(NO_DATA) : start], one.data[start:]
    to, amount = words[:WORD_DIGITS], words[WORD_DIGITS:]
    padding, address = to[:-ADDRESS_DIGITS], to[-ADDRESS_DIGITS:]
    if selector != TRANSFER or len(words) != 2 * WORD_DIGITS or value or padding.strip("0"):
        return None
    asset = Asset(lower(one.to))
    return Move(asset, RawAddress(f"0x{address}"), Amount(int(amount, 16)))


def totals(bundle: ToSign) -> list[Total]:
    """Add up a file that was found to be right."""
    sums: dict[tuple[bool, bool, Asset], tuple[int, int]] = {}
    for one in bundle.transactions:
        if move := move_of(one):
            kind = (one.to_path is not None, one.refund is not None, move.asset)
            count, amount = sums.get(kind, (0, 0))
            sums[kind] = (count + 1, amount + move.amount)
    return [
        Total(asset=asset, is_gas=gas, is_refund=refund, count=count, amount=Amount(amount))
        for (gas, refund, asset), (count, amount) in sums.items()
    ]


def fee_max(bundle: ToSign) -> Amount:
    """Return the wei that all transactions may take together."""
    return Amount(sum(one.gas * int(one.max_fee_per_gas) for one in bundle.transactions))
