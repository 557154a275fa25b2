"""The files that ctrip comes with: chains.yaml, config.example.toml and the page on them."""

import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from ctrip.checks import expected
from ctrip.config import TABLES, load, variable_of
from ctrip.core.chains import Chain, NativeSource
from ctrip.core.finality import confirmations_for
from ctrip.core.ids import Address, raw
from ctrip.feeds import PriceEntry
from ctrip.networks import ChainEntry
from ctrip.settings import Network, Secret
from ctrip.terms import TermsEntry, TierEntry
from ctrip.wallet.derive import checksum
from tests.config.writing import ANVIL, WORDS, faults, write

ROOT = Path(__file__).parents[2]
CHAINS = yaml.safe_load((ROOT / "chains.yaml").read_text())["chains"]
PAGE = (ROOT / "docs" / "configuration.md").read_text()
FIELDS = [(table, field) for table, kind in TABLES.items() for field in fields(kind)]


def shipped() -> dict[str, Network]:
    environ = {
        "CTRIP_CHAINS_USE": ",".join(CHAINS),
        "CTRIP_WALLET_MNEMONIC": WORDS,
        "CTRIP_DATABASE_URL": "postgresql://db/ctrip",
        "CTRIP_CHAINS_FILE": str(ROOT / "chains.yaml"),
    }
    return {network.chain.name: network for network in load(None, environ).networks}


def test_the_networks_that_are_promised_are_there() -> None:
    ids = {name: network.chain.chain_id for name, network in shipped().items()}
    promised = {
        "anvil": 31337, "bsc": 56, "ethereum": 1, "polygon": 137, "arbitrum": 42161,
        "base": 8453, "optimism": 10, "avalanche": 43114, "gnosis": 100, "sepolia": 11155111,
    }  # fmt: skip
    assert ids == promised


def test_every_address_is_written_with_its_checksum() -> None:
    written = [token["address"] for chain in CHAINS.values() for token in chain["tokens"]]
    assert len(written) == 18
    assert written == [checksum(raw(Address(address))) for address in written]


def test_every_feed_is_written_with_its_checksum_and_no_two_coins_share_one() -> None:
    written = [
        (name, price["feed"])
        for name, chain in CHAINS.items()
        for asset in (chain["coin"], *chain["tokens"])
        for price in asset.get("prices", {}).values()
    ]
    read = [
        (name, source.feed)
        for name, network in shipped().items()
        for prices in (network.chain.coin_prices, *(t.prices for t in network.chain.tokens))
        for source in prices
    ]
    assert written == read
    assert len(written) == len(set(written)) == 26


def test_stable_coins_have_the_decimals_of_their_chain() -> None:
    for name, network in shipped().items():
        decimals = 18 if name == "bsc" else 6
        assert {token.decimals for token in network.chain.tokens} <= {decimals}


def test_blocks_of_authority_chains_are_marked() -> None:
    marked = {name for name, network in shipped().items() if network.chain.poa}
    assert marked == {"bsc", "polygon"}


def test_two_operators_stand_behind_every_public_chain() -> None:
    for name, network in shipped().items():
        hosts = {url.reveal().split("/")[2].split(".", 1)[1] for url in network.rpc_urls}
        assert len(hosts) == (1 if name == "anvil" else 2)
        assert "binance" not in str(hosts), "dataseeds answer no eth_getLogs"


def test_a_reason_stands_beside_every_depth() -> None:
    lines = (ROOT / "chains.yaml").read_text().split("\n")
    for name in ("confirmations", "finality_depth"):
        numbers = [line for line in lines if line.startswith(f"    {name}: ")]
        assert len(numbers) == len(CHAINS)
        without = [line for line in numbers if "#" not in line]
        assert len(without) <= 2, "optimism is as base, sepolia as ethereum"


def test_the_page_on_chains_gives_the_reason_for_every_default() -> None:
    page = (ROOT / "docs" / "chains.md").read_text()
    table = page.split("### What is shipped, and why\n")[1].split("\n### ")[0]
    rows = re.findall(r"^\| (`.+?`) \| (\S.*?) \|", table, flags=re.MULTILINE)
    said = {name: after for names, after in rows for name in re.findall(r"`(\w+)`", names)}
    assert said == {name: str(entry["confirmations"]) for name, entry in CHAINS.items()}


def depth(chain: Chain, *, pace_seconds: float) -> int:
    return confirmations_for(chain.confirmations, pace_seconds=pace_seconds)


def test_a_depth_given_as_time_grows_when_blocks_get_faster() -> None:
    timed = {name: n.chain for name, n in shipped().items() if n.chain.confirmations.seconds}
    assert set(timed) == {"bsc", "polygon", "arbitrum"}
    for chain in timed.values():
        now, twice = (depth(chain, pace_seconds=chain.block_seconds / n) for n in (1, 2))
        assert twice == 2 * now - 1
        assert twice < chain.finality_depth
    assert depth(timed["bsc"], pace_seconds=timed["bsc"].block_seconds) == 21


def test_every_chain_says_how_fast_it_is() -> None:
    assert all("block_seconds" in entry for entry in CHAINS.values())
    for network in shipped().values():
        assert network.chain.poll_interval_seconds < 6 * network.chain.block_seconds + 1


def test_polygon_shows_its_native_coin_in_logs_and_the_others_do_not() -> None:
    sources = {name: network.chain.native for name, network in shipped().items()}
    assert sources.pop("polygon") is NativeSource.POLYGON
    assert set(sources.values()) == {NativeSource.TRANSACTIONS}


def test_the_example_loads_as_it_is() -> None:
    settings = load(ROOT / "config.example.toml", {})
    assert [network.chain.name for network in settings.networks] == ["anvil"]


def test_the_account_of_the_example_is_refused_on_a_real_chain() -> None:
    (found,) = faults(ROOT / "config.example.toml", {"CTRIP_CHAINS_USE": "anvil,ethereum"})
    assert "[wallet] xpub: is printed in manuals" in found


def uncommented() -> dict[str, dict[str, Any]]:
    """Read the example with its commented lines as well."""
    text = (ROOT / "config.example.toml").read_text()
    return tomllib.loads(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE))


def test_the_example_shows_every_field_and_nothing_else() -> None:
    shown = {(table, name) for table, entries in uncommented().items() for name in entries}
    every = {(table, field.name) for table, field in FIELDS}
    files = {(table, f"{field.name}_file") for table, field in FIELDS if field.type is Secret}
    assert every <= shown <= every | files


@pytest.mark.parametrize(("table", "field"), FIELDS, ids=[f"{t}.{f.name}" for t, f in FIELDS])
def test_the_example_shows_the_default(table: str, field: FieldInfo) -> None:
    given = {("database", "url"), ("wallet", "xpub"), ("chains", "use")}  # what one must choose
    if (table, field.name) not in given:
        assert uncommented()[table][field.name] == plain(field)


@pytest.mark.parametrize(("table", "field"), FIELDS, ids=[f"{t}.{f.name}" for t, f in FIELDS])
def test_the_page_explains_every_field(table: str, field: FieldInfo) -> None:
    section = PAGE.split(f"### [{table}]\n")[1].split("\n##")[0]
    variable, default = (
        variable_of(table, field.name),
        "required" if field.required else literal(field),
    )
    row = f"| `{field.name}` | `{variable}` | {expected(field.type)} | {default} | "
    assert row in section
    assert ("secret; " in section.split(row)[1].split("\n")[0]) == (field.type is Secret)


def test_the_page_knows_no_field_that_does_not_exist() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(CTRIP_\w+)` \|", PAGE, flags=re.MULTILINE)
    assert set(rows) == {(field.name, variable_of(table, field.name)) for table, field in FIELDS}


@pytest.mark.parametrize("field", fields(ChainEntry), ids=lambda field: str(field.name))
def test_the_page_explains_every_field_of_a_network(field: FieldInfo) -> None:
    default = "required" if field.required else literal(field)
    assert f"| `{field.name}` | {expected(field.type)} | {default} | " in PAGE


ASSET_FIELDS = [*fields(TierEntry), *fields(TermsEntry), *fields(PriceEntry)]


@pytest.mark.parametrize("field", ASSET_FIELDS, ids=lambda f: f.name)
def test_the_page_explains_what_may_be_asked_of_an_asset(field: FieldInfo) -> None:
    rows = [line for line in PAGE.split("\n") if line.startswith(f"| `{field.name}` | ")]
    assert any(expected(field.type) in row for row in rows)


def test_the_terms_that_the_page_shows_are_read(tmp_path: Path) -> None:
    example = PAGE.split("Of a tier:")[1].split("```yaml\n")[1].split("```")[0]
    entry = ANVIL.replace("    confirmations: 3\n    ", "    ").replace(
        "    coin: {symbol: ETH}\n", textwrap.indent(example, "    ")
    )
    text = entry.replace("rpc_url: http:", "rpc_urls: [http://127.0.0.2, http:").replace(
        ":8545", ":8545]"
    )
    (network,) = load(write(tmp_path, chains=text), {}).networks
    (usdc,) = network.chain.tokens
    assert [tier.below for tier in usdc.terms.tiers] == [20_000_000, 10**10, 10**12]
    assert usdc.terms.second_opinion_above == 2_500_500_000


def plain(field: FieldInfo) -> object:
    """Return a default as TOML would hold it."""
    default = field.default if field.default is not NODEFAULT else field.default_factory()
    if isinstance(default, Secret):
        return default.reveal()
    return list(default) if isinstance(default, tuple) else default


def literal(field: FieldInfo) -> str:
    """Return a default as the page writes it."""
    value = plain(field)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def test_every_struct_of_settings_says_which_table_it_is() -> None:
    for table, kind in TABLES.items():
        assert issubclass(kind, Struct)
        assert (kind.__doc__ or "").startswith(f"[{table}]: ")
