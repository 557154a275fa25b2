"""Where money goes is said for all chains, or for one, and never half."""

import textwrap
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import fields

from ctrip.config import load
from ctrip.core.chains import Chain
from ctrip.core.errors import ConfigError
from ctrip.core.ids import NATIVE, Amount
from ctrip.core.payment import Settles
from ctrip.core.sweep import Rule
from ctrip.treasury import SettlementEntry
from tests.config.writing import ANVIL, GOOD, write

TREASURY: Final = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OTHER: Final = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
GAS_WALLET: Final = f'gas_wallet = "{OTHER}"'
WORDS: Final = 'mnemonic_file = "words"'


def chain(tmp_path: Path, settlement: str = "", entry: str = "", asset: str = "") -> Chain:
    listed = ANVIL.replace("    coin: {symbol: ETH}", f"    coin: {{symbol: ETH{asset}}}")
    chains = listed + (textwrap.indent(f"settlement: {entry}\n", "    ") if entry else "")
    config = f"{GOOD}\n[settlement]\n{settlement}\n"
    [network] = load(write(tmp_path, config=config, chains=chains), {}).networks
    return network.chain


def test_nothing_moves_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert chain(tmp_path).settlement.mode is Settles.HOLD


def test_what_the_table_says_goes_for_every_chain(tmp_path: Path) -> None:
    found = chain(tmp_path, f'mode = "sweep"\ntreasury = "{TREASURY}"\n{WORDS}').settlement
    assert (found.mode, found.treasury) == (Settles.SWEEP, TREASURY)


def test_what_a_chain_says_goes_for_it(tmp_path: Path) -> None:
    entry = f'{{mode: export, treasury: "{OTHER.lower()}", gas_price_max_gwei: 0.5}}'
    found = chain(tmp_path, f'treasury = "{TREASURY}"\n{GAS_WALLET}', entry).settlement
    assert (found.mode, found.treasury) == (Settles.EXPORT, OTHER)
    assert found.gas_price_max == 500_000_000


def test_no_price_of_gas_is_without_a_ceiling(tmp_path: Path) -> None:
    table = f'mode = "sweep"\ntreasury = "{TREASURY}"\n{WORDS}'
    assert chain(tmp_path, table).settlement.gas_price_max == 1_000 * 10**9
    assert chain(tmp_path, table, "{fee_percent_max: 3}").settlement.gas_price_max == 1_000 * 10**9


def test_a_chain_that_is_swept_may_be_swept_in_batches(tmp_path: Path) -> None:
    table = f'mode = "sweep"\ntreasury = "{TREASURY}"\n{WORDS}'
    assert chain(tmp_path, table, "{batch: true}").settlement.batch
    assert not chain(tmp_path, table, "{fee_percent_max: 3}").settlement.batch


def test_batches_wait_for_company_if_that_is_asked_for(tmp_path: Path) -> None:
    table = f'mode = "sweep"\ntreasury = "{TREASURY}"\n{WORDS}'
    assert chain(tmp_path, table, "{batch: true}").settlement.batch_window_seconds == 0
    entry = "{batch: true, batch_window_seconds: 900}"
    assert chain(tmp_path, table, entry).settlement.batch_window_seconds == 900


def test_every_field_has_a_row_in_the_docs() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "settlement.md").read_text()
    table = docs.partition("| of a chain's `settlement` |")[2].partition("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("|")][1:]
    assert {name for row in rows for name in row.split("`")[1::2]} == {
        field.name for field in fields(SettlementEntry)
    }


def test_what_is_worth_moving_is_said_of_each_asset_in_coins(tmp_path: Path) -> None:
    entry = f'{{mode: export, treasury: "{TREASURY}", fee_percent_max: 3}}'
    found = chain(tmp_path, GAS_WALLET, entry, ", sweep_min: 0.01")
    assert found.rule("native") == Rule(amount_min=Amount(10**16), fee_percent_max=3)  # type: ignore[arg-type]


def test_what_may_go_back_in_a_day_is_said_of_each_asset_in_coins(tmp_path: Path) -> None:
    found = chain(tmp_path, asset=", refund_per_day_max: 0.5")
    assert found.terms(NATIVE).refund_per_day_max == 5 * 10**17
    assert chain(tmp_path).terms(NATIVE).refund_per_day_max is None
    with pytest.raises(ConfigError, match=r"refund_per_day_max: has more decimals"):
        chain(tmp_path, asset=f", refund_per_day_max: 0.{'0' * 18}1")


@pytest.mark.parametrize(
    ("settlement", "entry", "says"),
    [
        ('mode = "sweep"', "", "[settlement] treasury: is missing"),
        ('mode = "sweep"', "", "[settlement] mnemonic_file: is missing, and so is keystore_file"),
        ("", f'{{mode: export, treasury: "{TREASURY}"}}', "[settlement] gas_wallet: is missing"),
        ("", "{mode: sweep}", "chains.anvil.settlement: names no treasury"),
        ('treasury = "0x1"', "", "[settlement] treasury: must be 0x and 40"),
        (f'treasury = "{TREASURY[:-1]}9"', "", "[settlement] treasury: has a wrong checksum"),
        (f'treasury = "0x{"0" * 40}"', "", "[settlement] treasury: is the zero address"),
        ("", f'{{treasury: "0x{"0" * 40}"}}', "settlement.treasury: is the zero address"),
        ('payout_wallet = "0x1"', "", "[settlement] payout_wallet: must be 0x and 40"),
        ("", "{mode: keep}", "settlement.mode: must be one of"),
        ("", "{batch: true}", "batch is for the mode sweep, not hold"),
        ("", "{batch_window_seconds: 60}", "batch_window_seconds is for batch: true"),
        ("", "{batch_window_seconds: 86401}", "settlement.batch_window_seconds: must be a"),
        ("", "{batch_window_seconds: -1}", "settlement.batch_window_seconds: must be a"),
        ("", "{gas_price_max_gwei: 0}", "settlement.gas_price_max_gwei: must be a number"),
        ("", "{fee: 1}", "chains.anvil.settlement.fee: is no field"),
    ],
)
def test_a_fault_names_the_field(tmp_path: Path, settlement: str, entry: str, says: str) -> None:
    with pytest.raises(ConfigError) as told:
        chain(tmp_path, settlement, entry)
    assert says in str(told.value)
