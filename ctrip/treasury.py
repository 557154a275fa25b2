"""Where confirmed money goes, as chains.yaml and config.toml say it.

What a chain's entry leaves open is said by [settlement] of config.toml for all chains. The treasury
stands in these files alone: nobody who gets at the database, or at the API, can change it.
"""

from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta, Struct

from ctrip.checks import Rule, Unusable, address
from ctrip.core.chains import Settlement
from ctrip.core.ids import Address, RawAddress
from ctrip.core.payment import Settles
from ctrip.sheet import Sheet, Steps, read_entry
from ctrip.wallet.derive import checksum

GWEI: Final = 10**9  # wei
GWEI_MAX: Final = 1_000_000  # a thousand times what any chain has asked for


class SettlementEntry(Struct, frozen=True, kw_only=True):
    """What becomes of a chain's money, as written."""

    mode: Settles | None = None
    treasury: str | None = None
    gas_price_max_gwei: Annotated[float, Meta(gt=0, le=GWEI_MAX)] | None = None
    fee_percent_max: Annotated[float, Meta(gt=0, le=100)] = 10.0


def read_settlement(written: object, path: Steps, sheet: Sheet, common: Settlement) -> Settlement:
    """Read what becomes of a chain's money; `common` is what [settlement] says."""
    entry = read_entry(SettlementEntry, written, path, sheet, RULES)
    if entry is None:
        return common
    ceiling, mode = entry.gas_price_max_gwei, entry.mode or common.mode
    treasury = spelt(entry.treasury) if entry.treasury else common.treasury
    if entry.mode not in {None, Settles.HOLD} and treasury is None:
        sheet.fault(path, "names no treasury; write the address that money goes to")
    return Settlement(
        mode=mode,
        treasury=treasury,
        gas_price_max=None if ceiling is None else round(ceiling * GWEI),
        fee_percent_max=entry.fee_percent_max,
    )


def spelt(text: str) -> Address:
    """Return an address that was checked, in its EIP-55 spelling."""
    return checksum(RawAddress(text.lower()))


def treasury_address(text: str | None) -> None:
    """Refuse what is no address, and the one that nobody has."""
    if text is None:
        return
    address(text)
    if not int(text, 16):
        raise Unusable("is the zero address, from which nothing comes back; write your own")


RULES: Final[Mapping[str, Rule]] = {"treasury": treasury_address}
