"""What is wrong with a configuration is said at once, line by line, and without secrets."""

from pathlib import Path
from traceback import TracebackException

import pytest

from ctrip.config import load
from ctrip.core.errors import ConfigError
from tests.config.writing import ANVIL, CANARY, GOOD, faults, line_of, with_line, write

BROKEN = [
    ("port = 70000", "server", "[server] port: must be a whole number from 0 up to 65535"),
    ('port = "80"', "server", "[server] port: must be a whole number from 0 up to 65535"),
    ("port = true", "server", "[server] port: must be a whole number from 0 up to 65535"),
    ("port = 8e1", "server", "[server] port: must be a whole number from 0 up to 65535"),
    ("port = 99999999999999999999999", "server", "[server] port: must be a whole number"),
    ("host = 1", "server", "[server] host: must be text, in quotes"),
    ('auth = "on"', "server", "[server] auth: must be one of keys, off"),
    ('prot = 80', "server", "[server] prot: is no field; the nearest is port"),
    ('public_url = "pay.example.com"', "server", "[server] public_url: must be an http://"),
    ('public_url = "https://a.example/"', "server", "[server] public_url: must end without a"),
    ('public_url = "https://a.example?b"', "server", "[server] public_url: must end without a"),
    ('trusted_proxies = ["proxy"]', "server", "[server] trusted_proxies: must hold networks"),
    ('cors_origins = ["https://a.example/"]', "server", "[server] cors_origins: must hold origins"),
    ('cors_origins = ["null", "*"]', "server", "number 1 is none"),
    ("pool_size_max = 3", "database", "[database] pool_size_max: must be a whole number from 4 up"),
    ("expires_in_seconds = 59", "payments", "[payments] expires_in_seconds: must be a whole"),
    ("late_window_seconds = -1", "payments", "[payments] late_window_seconds: must be a whole"),
    ("timeout_seconds = nan", "webhooks", "[webhooks] timeout_seconds: must be a number above 0"),
    ("timeout_seconds = 0", "webhooks", "[webhooks] timeout_seconds: must be a number above 0 up"),
    ("timeout_seconds = inf", "webhooks", "[webhooks] timeout_seconds: must be a number above 0"),
    ('secret = "fifteen bytes!!"', "webhooks", "[webhooks] secret: must hold at least 16 bytes"),
    ('secret = "whsec_====="', "webhooks", "[webhooks] secret: what follows whsec_ must be"),
    ("secret = 1234567890123456", "webhooks", "[webhooks] secret: must be text, in quotes"),
    ('allow_cidrs = "10.0.0.0/8"', "webhooks", "[webhooks] allow_cidrs: must be a list"),
    ('allow_cidrs = ["10.0.0.0/8", "10.0.0.1/8"]', "webhooks", "number 2 is none"),
    ("allow_cidrs = [10]", "webhooks", "[webhooks] allow_cidrs: must be a list"),
    ('level = "loud"', "log", "[log] level: must be one of debug, error, info, warning"),
    ('file = "nowhere.yaml"', "chains", "nowhere.yaml: the file cannot be read (No such file"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "table", "fault"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_wrong_line_is_named_with_its_remedy(
    tmp_path: Path, line: str, table: str, fault: str
) -> None:
    text = with_line(line, table)
    (found,) = faults(write(tmp_path, text))
    assert found.startswith(f"{line_of(line, text)}: ")
    assert fault in found


@pytest.mark.parametrize("scheme", ["mysql://", "postgres:", "Postgresql://", ""])
def test_the_database_must_be_a_postgres(tmp_path: Path, scheme: str) -> None:
    path = write(tmp_path, GOOD.replace("postgresql://", scheme))
    (found,) = faults(path)
    assert found.startswith("config.toml:3: [database] url: must be a URL like postgresql://")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/hook",
        "shop.example/hook",
        "https://",
        "http://a b/",
        "http://[1",
        "http://a:0/",
        "http://a:99999/",
    ],
)
def test_a_receiver_must_have_a_web_address(tmp_path: Path, url: str) -> None:
    text = with_line(f'url = "{url}"\nsecret = "sixteen bytes!!!"', "webhooks")
    (found,) = faults(write(tmp_path, text))
    assert "[webhooks] url: must be an http:// or https:// URL" in found


@pytest.mark.parametrize(
    "secret", ["sixteen bytes!!!", "ä" * 8, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
)
def test_a_secret_that_is_long_enough_is_taken(tmp_path: Path, secret: str) -> None:
    text = with_line(f'url = "https://shop.example/hook"\nsecret = "{secret}"', "webhooks")
    assert load(write(tmp_path, text), {}).webhooks.secret.reveal() == secret


def test_a_receiver_needs_a_secret(tmp_path: Path) -> None:
    line = 'url = "https://shop.example/hook"'
    text = with_line(line, "webhooks")
    path = write(tmp_path, text)
    (found,) = faults(path)
    assert found.startswith(f"{line_of(line, text)}: [webhooks] secret: is missing, and url")
    load(path, {"CTRIP_WEBHOOKS_SECRET": "sixteen bytes!!!"})


def test_what_is_missing_is_named_with_every_way_to_supply_it(tmp_path: Path) -> None:
    found = faults(write(tmp_path, "[log]\n"))
    remedy = "write it in config.toml, or set CTRIP_DATABASE_URL or DATABASE_URL"
    assert found == [
        f"config.toml: [database] url: is missing; {remedy}",
        "config.toml: [chains] use: is empty; name the chains to serve, out of anvil",
        "config.toml: [wallet] xpub: is missing; give the xpub of m/44'/60'/0' (or the mnemonic)",
    ]


def test_both_ways_to_give_the_account_are_named(tmp_path: Path) -> None:
    (found,) = faults(write(tmp_path), {"CTRIP_WALLET_XPUB": "xpub6C"})
    places, _, fault = found.partition(": ")
    assert places == "config.toml:6 and CTRIP_WALLET_XPUB"
    assert fault == "[wallet] xpub: is given beside mnemonic; keep one, the xpub if you can"


def test_a_wrong_account_is_told_with_the_other_faults(tmp_path: Path) -> None:
    text = with_line("port = -1", "server").replace("yellow", "winner")
    assert [line.split("; ")[0] for line in faults(write(tmp_path, text))] == [
        "config.toml:12: [server] port: must be a whole number from 0 up to 65535",
        "config.toml:6: [wallet] mnemonic: its checksum is wrong",
    ]


def test_an_unknown_chain_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    chains = ANVIL + ANVIL.replace("chains:", "").replace("anvil", "other").replace("7\n", "8\n")
    path = write(tmp_path, GOOD.replace("anvil", "annvil"), chains)
    assert faults(path) == [
        "config.toml:9: [chains] use: 'annvil' is unknown; known are anvil, other"
    ]


def test_a_chain_named_twice_is_served_once(tmp_path: Path) -> None:
    assert len(load(write(tmp_path), {"CTRIP_CHAINS_USE": "anvil,anvil"}).networks) == 1


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CTRIP_SERVER_PROT", "CTRIP_SERVER_PORT"),
        ("CTRIP_WALLET_MNEMONIC_FIEL", "CTRIP_WALLET_MNEMONIC_FILE"),
        ("CTRIP_CONFIG_FILE", "CTRIP_CONFIG"),
        ("CTRIP_DB_URL", "CTRIP_DATABASE_URL"),
    ],
)
def test_a_misspelt_variable_is_answered_with_the_right_one(
    tmp_path: Path, name: str, meant: str
) -> None:
    (found,) = faults(write(tmp_path), {name: "x"})
    assert found == f"{name}: is no variable of ctrip; the nearest is {meant}"


def test_unknown_tables_and_stray_values_are_named(tmp_path: Path) -> None:
    text = f"port = 1\nlog = 3\n{GOOD}\n[webhook]\nurl = ''\n"
    assert faults(write(tmp_path, text)) == [
        "config.toml:1: [port]: is no table; the nearest is payments",
        "config.toml:13: [webhook]: is no table; the nearest is webhooks",
        "config.toml:2: [log]: must be a table, not a single value",
    ]


def test_broken_toml_is_shown_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace('"\n', "\n", 1))
    assert faults(path) == [
        "config.toml:3: is not TOML; look at brackets and quotes, all text needs quotes"
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (found,) = faults(tmp_path / "config.toml")
    assert found.startswith("config.toml: the file cannot be read (No such file or directory)")
    (found,) = faults(None, {"CTRIP_CONFIG": str(tmp_path)})
    assert "the file cannot be read (Is a directory)" in found
    write(tmp_path).write_bytes(b"\xff\xfe")
    (found,) = faults(tmp_path / "config.toml")
    assert "(not UTF-8)" in found


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file or directory"), (b"\n", "is empty"), (b"\xff", "not UTF-8"),
     (b" " * 1_048_577, "larger than 1 MiB")],
    ids=["missing", "empty", "binary", "endless"],
)  # fmt: skip
def test_the_file_of_a_secret_must_hold_one(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    by_variable = {"CTRIP_WEBHOOKS_SECRET_FILE": str(tmp_path / "secret")}
    (found,) = faults(write(tmp_path), by_variable)
    assert found.startswith("CTRIP_WEBHOOKS_SECRET: ")
    assert reason in found
    line = 'secret_file = "secret"'
    text = with_line(line, "webhooks")
    (found,) = faults(write(tmp_path, text))
    assert found.startswith(f"{line_of(line, text)}: [webhooks] secret_file: ")
    assert reason in found


def test_a_value_beside_its_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgres://db")
    environ = {"CTRIP_LOG_LEVEL": "info", "CTRIP_LOG_LEVEL_FILE": str(tmp_path / "url")}
    assert faults(write(tmp_path, with_line('url_file = "url"', "database")), environ) == [
        "config.toml:3: [database] url_file: is given beside url; keep one of the two",
        "CTRIP_LOG_LEVEL: is set beside CTRIP_LOG_LEVEL_FILE; keep one of the two",
    ]


def test_only_a_secret_has_a_file_in_the_file(tmp_path: Path) -> None:
    (found,) = faults(write(tmp_path, with_line('host_file = "x"', "server")))
    assert "[server] host_file: is no field; the nearest is host" in found


def test_no_fault_shows_a_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(CANARY)
    config = f"""
        [server]
        port = "{CANARY}"
        public_url = "{CANARY}"
        auth = "{CANARY}"
        [database]
        url = "mysql://ctrip:{CANARY}@db"
        pool_size_max = "{CANARY}"
        [wallet]
        mnemonic = "{CANARY}"
        [webhooks]
        url = "ftp://{CANARY}"
        secret = "whsec_{CANARY}"
        allow_cidrs = ["{CANARY}"]
        [chains]
        use = ["anvil"]
    """
    chains = ANVIL.replace("127.0.0.1", f"${{KEY}}.example/{CANARY} x")
    environ = {
        "CTRIP_WALLET_XPUB_FILE": str(tmp_path / "secret"),
        "CTRIP_LOG_LEVEL": CANARY,
        "CTRIP_PAYMENTS_LATE_PAYMENTS": CANARY,
        "CTRIP_WALLET_XPUV": CANARY,
        "KEY": CANARY,
    }
    path = write(tmp_path, config, chains)
    assert len(faults(path, environ)) == 13
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    assert caught.tb.tb_next is not None  # the frames below this one
    report = TracebackException(ConfigError, caught.value, caught.tb.tb_next, capture_locals=True)
    assert CANARY not in "".join(report.format())
    (found_in_broken,) = faults(write(tmp_path, f'url = "{CANARY}'))
    assert CANARY not in found_in_broken


def test_a_config_error_is_one_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="port") as caught:
        load(write(tmp_path, with_line("port = -1", "server")), {})
    assert caught.value.args == (str(caught.value),)
