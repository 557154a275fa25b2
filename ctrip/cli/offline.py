"""How `ctrip sweep sign` works, on a machine with keys and nothing else.

Nothing is signed before all of the file was found to be right: see core/vetting.py for what that
means. The person who carries the file is shown what it does in sums, and asked.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import typer
from msgspec import Struct, json

from ctrip.checks import Unusable, address
from ctrip.core.abi import on_one_line
from ctrip.core.bundles import B, ToSign, lower, outgoing, read, signed, write
from ctrip.core.errors import ConfigError
from ctrip.core.ids import NATIVE, Address, Amount, Asset
from ctrip.core.money import in_coins
from ctrip.core.paths import index_in
from ctrip.core.vetting import Total, faults_of, fee_max, move_of, totals
from ctrip.dumps import forbid_dumps
from ctrip.settings import Settlement
from ctrip.wallet.derive import checksum
from ctrip.wallet.keystore import open_signer
from ctrip.wallet.private_files import write_private
from ctrip.wallet.sign import Signer

FILE_BYTES_MAX: Final = 33_554_432  # bytes: twice as much as the most transactions take
FAULTS_SHOWN_MAX: Final = 20  # a file of another account has a fault in each transaction
COIN_DECIMALS: Final = 18  # of every EVM chain's native coin
COINS: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,18})?", re.ASCII)
REFUND_COINS: Final = re.compile(rf"coin=({COINS.pattern})", re.ASCII)
REFUND_TOKENS: Final = re.compile(r"(0x[0-9a-fA-F]{40})=([0-9]{1,78})", re.ASCII)


class Limits(Struct, frozen=True, kw_only=True):
    """What whoever signs knows from elsewhere than the file."""

    treasury: str
    chain_id: int | None
    fee_max: str  # whole coins; "" for any
    refund_max: tuple[str, ...] = ()  # of each asset, as typed


class GivenBack(Struct, frozen=True, kw_only=True):
    """A refund: who gets it, how much, and for which payment, as the file says."""

    to: Address
    asset: Asset
    amount: Amount
    payment_id: UUID
    asked_at: datetime


class Summary(Struct, frozen=True, kw_only=True):
    """What a file does, for people and as --json prints it."""

    chain: str
    chain_id: int
    account: str
    treasury: Address
    transactions: int
    moves: list[Total]
    refunds: list[GivenBack]
    fee_max: Amount  # wei
    units: dict[Asset, tuple[str, int]]  # what the file calls its assets: symbol and decimals


class Work(Struct, frozen=True):
    """A file that was found to be right, and who can sign it."""

    bundle: ToSign
    signer: Signer
    summary: Summary


def prepare(file: Path, keys: Settlement, limits: Limits) -> Work:
    """Read a file and the keys; raise ConfigError with all that is wrong with either."""
    forbid_dumps()
    try:
        address(limits.treasury)
    except Unusable as fault:
        raise ConfigError(f"--treasury: {fault}") from None
    bundle = bundle_in(file, ToSign)
    signer = open_signer(keys)
    may_go = allowances(limits.refund_max)
    faults = [*faults_of(bundle, lower(limits.treasury), signer, may_go), *beyond(bundle, limits)]
    if faults:
        left_out = len(faults) - FAULTS_SHOWN_MAX
        more = [f"and {left_out} faults more"] if left_out > 0 else []
        lines = [f"{file}: {fault}" for fault in faults[:FAULTS_SHOWN_MAX]]
        raise ConfigError("\n".join([*lines, *more, "nothing was signed"]))
    return Work(bundle, signer, summary_of(bundle, signer))


def bundle_in(file: Path, kind: type[B]) -> B:
    """Read a file of transactions."""
    return bundle_of(file, text_in(file), kind)


def text_in(file: Path) -> bytes:
    """Return what is in a file that is not too large to be one of ours."""
    try:
        with file.open("rb") as stream:
            text = stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror})") from None
    if len(text) > FILE_BYTES_MAX:
        raise ConfigError(f"{file}: is too large")
    return text


def bundle_of(file: Path, text: bytes, kind: type[B]) -> B:
    """Read the text of a file."""
    try:
        return read(text, kind)
    except ConfigError as fault:
        raise ConfigError(f"{file}: {fault}") from None


def beyond(bundle: ToSign, limits: Limits) -> list[str]:
    """Say which limits a file does not keep."""
    faults = []
    if limits.chain_id not in {None, bundle.chain_id}:
        faults.append(f"is for the chain {bundle.chain_id}")
    if limits.fee_max and fee_max(bundle) > wei(limits.fee_max):
        coins = in_coins(fee_max(bundle), COIN_DECIMALS)
        faults.append(f"could take {coins} coins of fees, and --fee-max is {limits.fee_max}")
    return faults


def allowances(typed: Sequence[str]) -> dict[Asset, Amount]:
    """Read how much of each asset may be given back, in units that no file can bend."""
    found: dict[Asset, Amount] = {}
    for text in typed:
        coins, tokens = REFUND_COINS.fullmatch(text), REFUND_TOKENS.fullmatch(text)
        if coins:
            asset, amount = NATIVE, wei(coins[1])
        elif tokens:
            asset, amount = Asset(tokens[1].lower()), int(tokens[2])
        else:
            raise ConfigError(
                "--refund-max: must be coin=0.5 (whole coins), or a token's contract and its"
                " smallest units, such as 0xdAC17F958D2ee523a2206206994597C13D831ec7=30000000"
            )
        if asset in found:
            raise ConfigError(f"--refund-max: says twice how much of {asset} may go; say it once")
        found[asset] = Amount(amount)
    return found


def wei(coins: str) -> int:
    """Read an amount of whole coins as it is typed."""
    if not COINS.fullmatch(coins):
        raise ConfigError("--fee-max: must be whole coins, such as 0.05")
    whole, _, part = coins.partition(".")
    return int(whole + part.ljust(COIN_DECIMALS, "0"))


def summary_of(bundle: ToSign, signer: Signer) -> Summary:
    """Return what a file does."""
    return Summary(
        chain=on_one_line(bundle.chain),
        chain_id=bundle.chain_id,
        account=signer.fingerprint,
        treasury=checksum(lower(bundle.treasury)),
        transactions=len(bundle.transactions),
        moves=totals(bundle),
        refunds=list(refunds_in(bundle)),
        fee_max=fee_max(bundle),
        units={
            Asset(lower(unit.contract)) if unit.contract else NATIVE: (
                on_one_line(unit.symbol),
                unit.decimals,
            )
            for unit in bundle.units
        },
    )


def refunds_in(bundle: ToSign) -> Iterator[GivenBack]:
    """Return each refund, for people to hold against what they know."""
    for one in bundle.transactions:
        if one.refund is not None and (move := move_of(one)):
            yield GivenBack(
                to=checksum(move.to),
                asset=move.asset,
                amount=move.amount,
                payment_id=one.refund.payment_id,
                asked_at=one.refund.asked_at,
            )


def as_text(summary: Summary) -> str:
    """Return what a file does, for people."""
    lines = [
        f"chain     {summary.chain}, {summary.chain_id}",
        f"account   {summary.account}",
        f"treasury  {summary.treasury}",
        "",
    ]
    for move in summary.moves:
        where = "gas for deposit addresses" if move.is_gas else f"to {summary.treasury}"
        where = "REFUNDS, to those below" if move.is_refund else where
        lines.append(f"{move.count:>6} x  {told(move.amount, move.asset, summary)}  {where}")
    for one in summary.refunds:
        asked = one.asked_at.strftime("%Y-%m-%d %H:%M")
        lines += [
            f"  refund  {told(one.amount, one.asset, summary)}",
            f"          to {one.to}, for payment {one.payment_id}, asked for at {asked}",
        ]
    fees = told(summary.fee_max, NATIVE, summary)
    return "\n".join([*lines, f"  fees, at most  {fees}", ""])


def told(amount: Amount, asset: Asset, summary: Summary) -> str:
    """Return an amount as the file's own words for it, and in those that it cannot bend."""
    plain = "wei" if asset == NATIVE else f"of {asset}"
    if asset not in summary.units:
        return f"{amount} {plain}"
    symbol, decimals = summary.units[asset]
    return f"{in_coins(amount, decimals)} {symbol} ({amount} {plain})"


def as_json(summary: Summary) -> str:
    """Return the same as JSON."""
    return json.encode(summary).decode()


def ask() -> None:
    """Let somebody say yes."""
    if not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask at; give --yes if you have read the above")
    if not typer.confirm("Sign all of it?", err=True):
        raise ConfigError("nothing was signed")


def finish(work: Work, out: Path) -> None:
    """Sign everything and write it down; never over a file."""
    bundle, signer = work.bundle, work.signer
    done = [
        (one.id, signer.sign(outgoing(one, bundle.chain_id), index=index_in(one.path)))
        for one in bundle.transactions
    ]
    fault = write_private(out, write(signed(bundle, done)))
    if fault:
        raise ConfigError(fault.text)
