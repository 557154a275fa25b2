"""Where confirmed money goes, as chains.yaml and config.toml say it.

What a chain's entry leaves open is said by [settlement] of config.toml for all chains. The treasury
stands in these files alone: nobody who gets at the database, or at the API, can change it.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import fields, replace

from ctrip.checks import Rule, treasury
from ctrip.core.chains import GAS_PRICE_MAX, Settlement
from ctrip.core.ids import Address, RawAddress
from ctrip.core.payment import Settles
from ctrip.settings import Network
from ctrip.settings import Settlement as Keys
from ctrip.sheet import Sheet, Steps, read_entry
from ctrip.wallet.derive import checksum

GWEI: Final = 10**9  # wei
GWEI_MAX: Final = 1_000_000  # a thousand times what any chain has asked for
WINDOW_SECONDS_MAX: Final = 86_400  # a payment is not `paid` before: who waits longer wants `hold`


class SettlementEntry(Struct, frozen=True, kw_only=True):
    """What becomes of a chain's money, as written."""

    mode: Settles | None = None
    treasury: str | None = None
    gas_price_max_gwei: Annotated[float, Meta(gt=0, le=GWEI_MAX)] = GAS_PRICE_MAX / GWEI
    fee_percent_max: Annotated[float, Meta(gt=0, le=100)] = 10.0
    batch: bool = False
    batch_window_seconds: Annotated[int, Meta(ge=0, le=WINDOW_SECONDS_MAX)] = 0


def read_settlement(written: object, path: Steps, sheet: Sheet, common: Settlement) -> Settlement:
    """Read what becomes of a chain's money; `common` is what [settlement] says."""
    entry = read_entry(SettlementEntry, written, path, sheet, RULES)
    if entry is None:
        return common
    mode = entry.mode or common.mode
    treasury = spelt(entry.treasury) if entry.treasury else common.treasury
    if entry.mode not in {None, Settles.HOLD} and treasury is None:
        sheet.fault(path, "names no treasury; write the address that money goes to")
    if entry.batch and mode is not Settles.SWEEP:
        sheet.fault(path, f"batch is for the mode sweep, not {mode}; leave it out")
    if entry.batch_window_seconds and not entry.batch:
        sheet.fault(path, "batch_window_seconds is for batch: true; leave it out")
    return Settlement(
        mode=mode,
        treasury=treasury,
        gas_price_max=round(entry.gas_price_max_gwei * GWEI),
        fee_percent_max=entry.fee_percent_max,
        batch=entry.batch,
        batch_window_seconds=entry.batch_window_seconds,
    )


def spelt(text: str) -> Address:
    """Return an address that was checked, in its EIP-55 spelling."""
    return checksum(RawAddress(text.lower()))


def treasury_address(text: str | None) -> None:
    """Refuse what is neither nothing nor an address that somebody may have."""
    if text is not None:
        treasury(text)


RULES: Final[Mapping[str, Rule]] = {"treasury": treasury_address}


def located(settlement: Keys | None, folder: Path) -> Keys | None:
    """Return [settlement] with its files as paths from here."""
    if settlement is None:
        return None
    named = {f.name: getattr(settlement, f.name) for f in fields(settlement)}
    files = {k: str(folder / v) for k, v in named.items() if v and k.endswith("_file")}
    return replace(settlement, **files)


def common(settlement: Keys | None) -> Settlement:
    """Return what [settlement] says for chains that say nothing."""
    if settlement is None:
        return Settlement()
    treasury = spelt(settlement.treasury) if settlement.treasury else None
    return Settlement(mode=Settles(settlement.mode), treasury=treasury)


def faults_of(settlement: Keys | None, networks: Sequence[Network]) -> Iterator[tuple[str, str]]:
    """Yield each field of [settlement] that does not fit the chains in use, and what is wrong."""
    if settlement is None:
        return
    modes = {network.chain.settlement.mode for network in networks}
    if settlement.mode != "hold" and not settlement.treasury:
        yield "treasury", "is missing; write the address that money goes to"
    if Settles.EXPORT in modes and not settlement.gas_wallet:
        yield "gas_wallet", 'is missing; mode = "export" needs its address to pay for tokens\' gas'
    if Settles.SWEEP in modes and not (settlement.mnemonic_file or settlement.keystore_file):
        why = (
            'is missing, and so is keystore_file; mode = "sweep" moves money by itself and needs'
            " the account's words (ctrip keys wallet new)"
        )
        yield "mnemonic_file", why
