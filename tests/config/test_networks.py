"""chains.yaml: what a network must have, and the traps that YAML sets."""

from pathlib import Path

import pytest
import yaml

from ctrip.config import load
from ctrip.core.chains import Chain, NativeSource, Token
from ctrip.core.finality import Depth
from ctrip.core.ids import Address, ChainName
from ctrip.terms import EITHER
from tests.config.writing import ANVIL, CANARY, GOOD, faults, write

USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
FULL = f"""
chains:
  anvil:
    chain_id: 31337
    rpc_urls:
      - http://127.0.0.1:8545
      - https://rpc.example/${{KEY}}
    confirmations: 3
    finality_depth: 64
    poll_interval_seconds: 1
    idle_interval_seconds: 30
    block_seconds: 0.45
    native: polygon
    internal: false
    blooms: false
    daily_calls_max: 90000
    poa: true
    coin: {{symbol: xDAI, decimals: 6}}
    explorer: https://explorer.example
    tokens:
      - {{symbol: USDT, address: "{USDT}", decimals: 18}}
"""
OTHER = ANVIL.replace("chains:\n", "").replace("anvil", "other").replace("31337", "31338")


def test_a_network_is_read_whole(tmp_path: Path) -> None:
    (network,) = load(write(tmp_path, GOOD, FULL), {"KEY": "k"}).networks
    token = Token(
        chain=ChainName("anvil"),
        chain_id=31337,
        contract=Address(USDT),
        symbol="USDT",
        decimals=18,
    )
    assert network.chain == Chain(
        name=ChainName("anvil"),
        chain_id=31337,
        confirmations=Depth(blocks=3),
        finality_depth=64,
        poll_interval_seconds=1.0,
        idle_interval_seconds=30.0,
        block_seconds=0.45,
        native=NativeSource.POLYGON,
        internal=False,
        blooms=False,
        daily_calls_max=90_000,
        poa=True,
        coin="xDAI",
        coin_decimals=6,
        explorer="https://explorer.example",
        tokens=(token,),
    )
    urls = [url.reveal() for url in network.rpc_urls]
    assert urls == ["http://127.0.0.1:8545", "https://rpc.example/k"]


def test_only_the_chains_in_use_become_networks_in_that_order(tmp_path: Path) -> None:
    third = OTHER.replace("other", "third").replace("31338", "31339")
    path = write(tmp_path, GOOD, ANVIL + OTHER + third)
    networks = load(path, {"CTRIP_CHAINS_USE": "third,anvil"}).networks
    assert [network.chain.name for network in networks] == ["third", "anvil"]


def test_chains_yaml_lies_beside_config_toml_or_where_it_says(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "chains.yaml").rename(tmp_path / "networks.yaml")
    assert load(path, {"CTRIP_CHAINS_FILE": "networks.yaml"}).networks
    assert load(path, {"CTRIP_CHAINS_FILE": str(tmp_path / "networks.yaml")}).networks


@pytest.mark.parametrize("spelt", [USDT, USDT.lower(), "0x" + USDT[2:].upper()])
def test_an_address_comes_out_as_eip_55_spells_it(tmp_path: Path, spelt: str) -> None:
    path = write(tmp_path, GOOD, FULL.replace(USDT, spelt))
    (network,) = load(path, {"KEY": "k"}).networks
    assert network.chain.tokens[0].contract == USDT


WRONG = [
    ("chain_id: 31337", "chain_id: 0", "chains.anvil.chain_id: must be a whole number from 1"),
    ("chain_id: 31337", 'chain_id: "31337"', "chains.anvil.chain_id: must be a whole number"),
    ("confirmations: 3", "confirmations: 0", "confirmations: must be a whole number of blocks"),
    ("confirmations: 3", "confirmation: 3", "confirmation: is no field; the nearest is confirm"),
    ("confirmations: 3", "confirmations: 65", "confirmations: is deeper than finality_depth;"),
    ("block_seconds: 0.45", "block_seconds: 0", "block_seconds: must be a number above 0 up to"),
    ("idle_interval_seconds: 30", "idle_interval_seconds: 1h", "idle_interval_seconds: must be a"),
    ("native: polygon", "native: logs", "native: must be one of transactions, polygon, eip7708"),
    ("internal: false", "internal: 0", "chains.anvil.internal: must be true or false"),
    ("blooms: false", "bloom: false", "chains.anvil.bloom: is no field; the nearest is blooms"),
    ("daily_calls_max: 90000", "daily_calls_max: -1", "daily_calls_max: must be a whole number"),
    ("finality_depth: 64", "finality_depth: 1.5", "finality_depth: must be a whole number"),
    ("poll_interval_seconds: 1", "poll_interval_seconds: 2s", "seconds: must be a number above 0"),
    ("poll_interval_seconds: 1", "poll_interval_seconds: .nan", "seconds: must be a number above"),
    ("poa: true", 'poa: "yes"', "chains.anvil.poa: must be true or false"),
    ("poa: true", "poa: true\n    poa: false", "chains.anvil.poa: is given twice; remove one"),
    ("symbol: xDAI", "symbol: on", "chains.anvil.coin.symbol: must be text of 1 to 20 char"),
    ("symbol: xDAI", 'symbol: ""', "chains.anvil.coin.symbol: must be text of 1 to 20 char"),
    ("{symbol: xDAI, decimals: 6}", "xDAI", "chains.anvil.coin: must be a mapping of names"),
    ("https://explorer", "explorer", "chains.anvil.explorer: must be an http:// or https://"),
    ("explorer.example", "explorer.example/", "chains.anvil.explorer: must end without a slash"),
    (f'"{USDT}"', USDT, "chains.anvil.tokens[0].address: must be text, in quotes"),
    (USDT, USDT[:-1], "tokens[0].address: must be 0x and 40 hexadecimal digits"),
    (USDT, USDT.replace("0x", "0X"), "tokens[0].address: must be 0x and 40 hexadecimal digits"),
    (USDT, USDT.replace("dAC", "DAC"), "tokens[0].address: has a wrong checksum (EIP-55)"),
    ("decimals: 18", "decimals: 78", "tokens[0].decimals: must be a whole number from 0 up to 77"),
    (", decimals: 18", "", "chains.anvil.tokens[0].decimals: is missing; add it"),
    (", decimals: 18", ", name: T, decimals: 18", "tokens[0].name: is no field"),
    ("http://127", "ws://127", "chains.anvil.rpc_urls: must be an http:// or https:// URL"),
    ("${KEY}", "${KEY", "chains.anvil.rpc_urls: has a ${ that begins no variable"),
    ("${KEY}", "${1}", "chains.anvil.rpc_urls: has a ${ that begins no variable"),
    ("    rpc_urls:", "    rpc_url: http://a\n    rpc_urls:", "must have either rpc_urls"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "fault"), WRONG, ids=[row[1] for row in WRONG])
def test_a_wrong_value_is_named_with_its_remedy(
    tmp_path: Path, right: str, wrong: str, fault: str
) -> None:
    assert right in FULL
    text = FULL.replace(right, wrong, 1)
    found = faults(write(tmp_path, GOOD, text), {"KEY": "k"})
    assert [fault in line for line in found].count(True) == 1


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("chain_id: 31337", "chain_id: 0", 4),
        ("https://rpc.example", "rpc.example", 5),
        ("confirmations: 3", "confirmations: x", 8),
        ("    poa: true\n", "    poa: true\n    poa: true\n", 18),
        ("symbol: xDAI", "symbol: 5", 18),
        ("decimals: 18", "decimals: 78", 21),
        (", decimals: 18", "", 21),
        ("    confirmations: 3\n", "", 3),
    ],
)
def test_a_fault_is_shown_at_its_line(tmp_path: Path, right: str, wrong: str, line: int) -> None:
    found = faults(write(tmp_path, GOOD, FULL.replace(right, wrong)), {"KEY": "k"})
    assert found[0].startswith(f"chains.yaml:{line}: ")


@pytest.mark.parametrize("name", ["ab", "a" * 21, "Anvil", "an vil", "an_vil", "ånvil", "42", "on"])
def test_a_name_fits_what_the_api_accepts(tmp_path: Path, name: str) -> None:
    found = faults(write(tmp_path, GOOD, ANVIL + OTHER.replace("other", name)))
    assert len(found) == 1
    assert "must be 3 to 20 of a-z, 0-9 and -; rename it" in found[0]


def test_every_fault_of_every_chain_is_told_though_none_of_them_is_in_use(tmp_path: Path) -> None:
    bad = OTHER.replace("confirmations: 3", "tokens: [{symbol: A}, 5]").replace("http:", "ws:")
    third = bad.replace("other", "third").replace("31338", "-1")
    found = faults(write(tmp_path, GOOD, ANVIL + bad + third))
    assert [fault.split(": ", 1)[1].split(";")[0] for fault in found] == [
        "chains.other.rpc_url: must be an http:// or https:// URL",
        f"chains.other: {EITHER}",
        "chains.other.tokens[0].address: is missing",
        "chains.other.tokens[0].decimals: is missing",
        "chains.other.tokens[1]: must be a mapping of names and values",
        "chains.third.chain_id: must be a whole number from 1 up to 9223372036854775771",
        "chains.third.rpc_url: must be an http:// or https:// URL",
        f"chains.third: {EITHER}",
        "chains.third.tokens[0].address: is missing",
        "chains.third.tokens[0].decimals: is missing",
        "chains.third.tokens[1]: must be a mapping of names and values",
    ]


def test_a_chain_id_belongs_to_one_chain(tmp_path: Path) -> None:
    found = faults(write(tmp_path, GOOD, ANVIL + OTHER.replace("31338", "31337")))
    assert found == ["chains.yaml:12: chains.other.chain_id: is that of anvil too; correct one"]


def test_a_token_is_listed_once(tmp_path: Path) -> None:
    twice = FULL + f'      - {{symbol: USDX, address: "{USDT.lower()}", decimals: 18}}\n'
    (found,) = faults(write(tmp_path, GOOD, twice), {"KEY": "k"})
    assert "chains.anvil.tokens[1]: is a contract that is listed before; remove one" in found


def test_a_chain_that_is_given_twice_is_seen(tmp_path: Path) -> None:
    found = faults(write(tmp_path, GOOD, ANVIL + ANVIL.replace("chains:\n", "")))
    assert found == ["chains.yaml:11: chains.anvil: is given twice; remove one"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "chains: is missing; write the networks under one key, chains"),
        ("- anvil", "chains: is missing; write the networks under one key, chains"),
        ("chains: 5", "chains: is missing; write the networks under one key, chains"),
        ("chains:\n  anvil: 5", "chains.anvil: must be a mapping of names and values"),
        ("chains:\n\tanvil: 5", "is not YAML (found character"),
        ("chains: {a: *b}", "is not YAML (found undefined alias"),
        ("chains: !!python/name:os.system x", "is not YAML (could not determine a constructor"),
        ("chains: \x07", "is not YAML; remove the characters that cannot be printed"),
        (f"{ANVIL}\ntokens: []", "tokens: is no field; everything stands under chains"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    found = faults(write(tmp_path, GOOD, text))
    assert found[0].startswith("chains.yaml")
    assert fault in found[0]


def test_an_anchor_may_be_used_again(tmp_path: Path) -> None:
    shared = ANVIL.replace("coin: {", "coin: &ether {") + OTHER.replace("{symbol: ETH}", "*ether")
    networks = load(write(tmp_path, GOOD, shared), {"CTRIP_CHAINS_USE": "other"}).networks
    assert networks[0].chain.coin == "ETH"


def test_an_anchor_that_holds_itself_ends(tmp_path: Path) -> None:
    found = faults(write(tmp_path, GOOD, "chains: &a {anvil: *a}"))
    assert "chains.yaml:1: chains.anvil.anvil: is no field; the nearest is" in found[0]


def test_an_endpoint_asks_for_its_variable_only_in_use(tmp_path: Path) -> None:
    text = ANVIL + OTHER.replace("127.0.0.1", "${HOST}")
    path = write(tmp_path, GOOD, text)
    assert load(path, {}).networks
    in_use = {"CTRIP_CHAINS_USE": "other"}
    (found,) = faults(path, in_use)
    assert found.startswith("chains.yaml:11: chains.other.rpc_urls: ${HOST} is not set; ")
    assert found.endswith("set HOST, or HOST_FILE to a file with it")
    (network,) = load(path, in_use | {"HOST": "a.example"}).networks
    assert network.rpc_urls[0].reveal() == "http://a.example:8545"


def test_an_endpoint_takes_a_variable_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    path = write(tmp_path, GOOD, FULL)
    (network,) = load(path, {"KEY_FILE": str(tmp_path / "key")}).networks
    assert network.rpc_urls[1].reveal() == "https://rpc.example/s3cret"


def test_a_variable_of_an_endpoint_may_begin_like_ours(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, FULL.replace("KEY", "CTRIP_RPC_KEY"))
    assert load(path, {"CTRIP_RPC_KEY": "k"}).networks


def test_an_endpoint_that_its_variable_spoils_is_refused_and_never_shown(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, FULL.replace("https://rpc.example/${KEY}", "${KEY}"))
    (found,) = faults(path, {"KEY": CANARY})
    assert "is no http(s) URL once its variables are filled in" in found
    assert CANARY not in found
    (found,) = faults(path, {"KEY_FILE": CANARY})
    assert "${KEY} the file cannot be read" in found
    assert CANARY not in found


def test_everything_else_is_read_as_yaml_reads_it(tmp_path: Path) -> None:
    entry = yaml.safe_load(FULL)["chains"]["anvil"]
    (network,) = load(write(tmp_path, GOOD, FULL), {"KEY": "k"}).networks
    for name in ("chain_id", "finality_depth", "block_seconds", "native", "poa", "explorer"):
        assert getattr(network.chain, name) == entry[name]
