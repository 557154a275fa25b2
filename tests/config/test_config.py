"""config.toml and the environment become Settings: what is taken from where."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields

from ctrip.config import TABLES, load, variable_of
from ctrip.settings import Log, Payments, Secret, Server, Settings, Webhooks
from tests.config.writing import ANVIL, CANARY, GOOD, WORDS, with_line, write


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    settings = load(write(tmp_path), {})
    assert settings.database.url.reveal() == "postgresql://ctrip:pw@db:5432/ctrip"
    assert (settings.server, settings.payments) == (Server(), Payments())
    assert (settings.webhooks, settings.log) == (Webhooks(), Log())
    assert [network.chain.name for network in settings.networks] == ["anvil"]


def test_variables_are_enough_without_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    (tmp_path / "config.toml").unlink()
    monkeypatch.chdir(tmp_path)
    settings = load(
        None,
        {
            "CTRIP_DATABASE_URL": "postgres://db/ctrip",
            "CTRIP_WALLET_MNEMONIC": WORDS,
            "CTRIP_CHAINS_USE": "anvil",
            "CTRIP_SERVER_PORT": "0",
            "CTRIP_WEBHOOKS_TIMEOUT_SECONDS": "2.5",
            "CTRIP_WEBHOOKS_ALLOW_CIDRS": "10.0.0.0/8, fd00::/8",
        },
    )
    assert settings.server.port == 0
    assert settings.webhooks.timeout_seconds == 2.5
    assert settings.webhooks.allow_cidrs == ("10.0.0.0/8", "fd00::/8")


def test_a_config_toml_in_the_working_directory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, with_line("port = 81", "server"))
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).server.port == 81


def test_files_of_keys_lie_beside_config_toml_unless_their_paths_are_absolute(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, with_line('mnemonic_file = "keys/words"', "settlement"))
    settlement = load(path, {"CTRIP_SETTLEMENT_GAS_KEYSTORE_FILE": "/run/secrets/gas"}).settlement
    assert settlement.mnemonic_file == str(tmp_path / "keys" / "words")
    assert settlement.gas_keystore_file == "/run/secrets/gas"
    assert (settlement.keystore_file, settlement.mode, settlement.treasury) == ("", "hold", "")


def test_the_path_given_wins_over_the_variable(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    a = write(tmp_path / "a", with_line("port = 81", "server"))
    b = write(tmp_path / "b", with_line("port = 82", "server"))
    environ = {"CTRIP_CONFIG": str(b)}
    assert load(None, environ).server.port == 82
    assert load(a, environ).server.port == 81


def test_other_variables_are_none_of_our_business(tmp_path: Path) -> None:
    load(write(tmp_path), {"PATH": "/bin", "XCTRIP_A": "1", "ctrip_server_port": "x"})


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    environ = {"CTRIP_SERVER_PORT": "", "CTRIP_DATABASE_URL": "", "CTRIP_DATABASE_URL_FILE": ""}
    assert load(write(tmp_path), environ).server.port == 8080


def test_a_database_url_of_the_platform_is_taken_last(tmp_path: Path) -> None:
    path = write(tmp_path)
    platform = {"DATABASE_URL": "postgres://platform/db"}
    assert load(path, platform).database.url.reveal().startswith("postgresql://ctrip")
    write(tmp_path, GOOD.replace('url = "', '# "'))
    assert load(path, platform).database.url.reveal() == "postgres://platform/db"
    environ = platform | {"CTRIP_DATABASE_URL": "postgres://ours/db"}
    assert load(path, environ).database.url.reveal() == "postgres://ours/db"
    (tmp_path / "url").write_text("postgres://file/db\n")
    by_file = {"DATABASE_URL_FILE": str(tmp_path / "url")}
    assert load(path, by_file).database.url.reveal() == "postgres://file/db"


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "words").write_text(f"{WORDS}\n")
    path = write(tmp_path, GOOD.replace(f'mnemonic = "{WORDS}"', 'mnemonic_file = "words"'))
    assert load(path, {}).wallet.mnemonic == Secret(WORDS)


def test_every_variable_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("81\n")
    (tmp_path / "use").write_text("anvil\n")
    environ = {
        "CTRIP_SERVER_PORT_FILE": str(tmp_path / "port"),
        "CTRIP_CHAINS_USE_FILE": str(tmp_path / "use"),
    }
    assert load(write(tmp_path), environ).server.port == 81


def test_a_file_written_on_windows_is_read(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    load(path, {})


plain = st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=20)
VALUES: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("server", "host"): plain,
    ("server", "port"): st.integers(0, 65_535),
    ("server", "auth"): st.sampled_from(["keys", "off"]),
    ("database", "pool_size_max"): st.integers(4, 200),
    ("payments", "expires_in_seconds"): st.integers(60, 604_800),
    ("payments", "late_window_seconds"): st.integers(0, 2_592_000),
    ("payments", "late_payments"): st.sampled_from(["hold", "accept"]),
    ("webhooks", "timeout_seconds"): st.floats(0.001, 60),
    ("webhooks", "allow_cidrs"): st.lists(st.ip_addresses().map(str), max_size=3),
    ("log", "level"): st.sampled_from(["debug", "info", "warning", "error"]),
    ("log", "format"): st.sampled_from(["json", "text"]),
}
chosen = st.fixed_dictionaries({}, optional=VALUES)


@given(in_file=chosen, in_environ=chosen)
def test_a_variable_wins_over_the_file_and_both_over_the_default(
    tmp_path_factory: pytest.TempPathFactory,
    in_file: Mapping[tuple[str, str], Any],
    in_environ: Mapping[tuple[str, str], Any],
) -> None:
    lines = [f"{t}.{f} = {json.dumps(value)}" for (t, f), value in in_file.items()]
    rest = GOOD.replace("[database]\n", "database.").replace("[wallet]\n", "wallet.")
    text = "\n".join(lines) + rest.replace("[chains]\n", "chains.")
    path = write(tmp_path_factory.mktemp("overlay"), text)
    environ = {variable_of(t, f): written(value) for (t, f), value in in_environ.items()}
    settings = load(path, environ)
    for (table, name), value in {**in_file, **in_environ}.items():
        empty = (table, name) in in_environ and environ[variable_of(table, name)] == ""
        expected = in_file.get((table, name), ()) if empty else value
        read = getattr(getattr(settings, table), name)
        assert read == (tuple(expected) if isinstance(expected, list) else expected)
    for table, kind in TABLES.items():
        for field in fields(kind):
            if (table, field.name) in VALUES.keys() - in_file.keys() - in_environ.keys():
                assert getattr(getattr(settings, table), field.name) == field.default


def written(value: object) -> str:
    """Write a value as people write variables."""
    return ",".join(value) if isinstance(value, list) else str(value)


def test_settings_show_no_secret(tmp_path: Path) -> None:
    chains = ANVIL.replace("127.0.0.1:8545", f"rpc.example/{CANARY}")
    text = with_line(f'secret = "{CANARY}"', "webhooks")
    shown = repr(load(write(tmp_path, text, chains), {}))
    assert CANARY not in shown
    assert "sausage" not in shown
    assert "pw@db" not in shown


def test_every_field_has_a_variable_of_its_own() -> None:
    names = [variable_of(t, field.name) for t, kind in TABLES.items() for field in fields(kind)]
    names += [f"{name}_FILE" for name in names] + ["CTRIP_CONFIG"]
    assert len(names) == len(set(names))


def test_every_table_of_settings_is_read() -> None:
    structs = [f.name for f in fields(Settings) if isinstance(f.type, type(Struct))]
    assert list(TABLES) == structs
    assert {field.name for field in fields(Settings)} - TABLES.keys() == {"networks"}
