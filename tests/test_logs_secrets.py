"""No secret reaches standard error: they are planted everywhere, and looked for."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from time import perf_counter
from urllib.parse import quote

import pytest
from msgspec import Struct

from ctrip import logs
from tests.support.log_lines import (
    API_KEY,
    CANARIES,
    DATABASE,
    PASSWORD,
    RPC,
    RPC_KEY,
    SECRETS,
    WHSEC,
    WORDS,
    Form,
    StandardError,
    logging_left_as_found,
)


@pytest.fixture
def stderr() -> Iterator[StandardError]:
    with logging_left_as_found():
        yield StandardError()


class Holder(Struct):
    """Something whose repr shows what it holds."""

    dsn: str
    words: object


def fail(local: str) -> None:
    try:
        connect()
    except ValueError as error:
        error.add_note(f"and {RPC} and {API_KEY}")
        raise RuntimeError(PASSWORD, WHSEC, len(local)) from error


def connect() -> None:
    raise ValueError(f"connecting to {DATABASE} with {WORDS}")


def assert_clean(text: str) -> None:
    assert text
    found = [canary for canary in CANARIES if canary in text]
    assert not found, text
    # However a canary was spelled, a piece of it would be left.
    assert not [piece for piece in ("c4nary", "CANARY", "sausage") if piece in text], text


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("canary", CANARIES)
def test_a_planted_secret_is_in_no_line(stderr: StandardError, canary: str, form: Form) -> None:
    stderr.configure(form=form)
    log = logs.get("ctrip.test")
    said = "told " + canary
    log.info(said)
    log.info("as a value", value=canary)
    log.info("as a key", **{canary: 1})
    log.info("nested", value={"a": [{canary: (canary, {canary})}]})
    log.info("in a repr", value=Holder(dsn=canary, words=canary))
    log.info("as bytes", value=canary.encode())
    log.info("as bytes in a repr", value=Holder(dsn="", words=[canary.encode()]))
    log.info("as JSON", value=json.dumps({"secret": canary}))
    log.info("as JSON in UTF-8", value=json.dumps({"secret": canary}, ensure_ascii=False))
    log.info("in a query", value="?secret=" + quote(canary, safe=""))
    log.info("deep", value=[[[[[[[[[[[[canary]]]]]]]]]]]])
    logging.getLogger("asyncpg").warning("from %s", canary)
    logging.getLogger("uvicorn.error").error("from %r", {"x": canary})
    logging.getLogger("anybody").warning(canary, stack_info=True)
    assert stderr.text.count("\n") >= 14
    assert_clean(stderr.text)


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_neither_messages_with_secrets_nor_local_variables(
    stderr: StandardError, form: Form
) -> None:
    stderr.configure(form=form)
    log = logs.get("ctrip.test")
    local = "L0CAL-" + "variable"
    try:
        fail(local)
    except RuntimeError:
        log.exception("failed")
        logging.getLogger("uvicorn.error").exception("failed too")
    text = stderr.text
    assert_clean(text)
    assert local not in text
    assert text.count("Traceback") >= 4
    assert "ValueError" in text


def test_words_of_a_mnemonic_are_known_however_they_are_parted(stderr: StandardError) -> None:
    stderr.configure()
    log = logs.get("ctrip.test")
    log.info("a list", words=f"{WORDS.split()}")
    log.info("lines", words="\n".join(WORDS.split()))
    log.info("commas", words=", ".join(WORDS.split()))
    assert "sausage" not in stderr.text


def test_the_parts_of_a_secret_url_are_secret_by_themselves(stderr: StandardError) -> None:
    stderr.configure()
    logs.get("ctrip.test").info("password=" + PASSWORD + " key=" + RPC_KEY + " dkey=canary77")
    assert stderr.lines[0]["event"] == "password=*** key=*** dkey=***"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://u:p@h/db", "postgres://***@h/db"),
        ("redis://:p@ss@h:1", "redis://***@h:1"),
        ("https://token@h/x", "https://***@h/x"),
        ("https://n.example/v3/0123456789abcdef01", "https://n.example/v3/***"),
        ("https://n.example/0123456789abcdef01/rpc", "https://n.example/***/rpc"),
        ("url='https://n.example/?apikey=abcdefghijklmnop'", "url='https://n.example/?apikey=***'"),
        ("https://n.example#abcdefghijklmnop", "https://n.example#***"),
        ("https://shop.example/webhooks/ctrip", "https://shop.example/webhooks/ctrip"),
        (
            "http://a/pay/6f2b1c1e-6d0f-5e0b-9c55-3a7f0b1d2c4e",
            "http://a/pay/6f2b1c1e-6d0f-5e0b-9c55-3a7f0b1d2c4e",
        ),
        ("0x" + "ab" * 32, "0x" + "ab" * 32),
        (f"Bearer {API_KEY}", "Bearer ***"),
        (f"X-Api-Key: {API_KEY};", "X-Api-Key: ***;"),
        (f"ctrip_payments_total {WHSEC}.", "ctrip_payments_total ***."),
        ("a mail to me@example.org", "a mail to me@example.org"),
        ("short", "short"),
    ],
)
def test_what_has_the_shape_of_a_secret_is_hidden_and_the_rest_is_not(
    text: str, shown: str
) -> None:
    assert logs.Redactor(["short"]).text(text) == shown


@pytest.mark.parametrize(
    "unit",
    [
        "x",
        "://",
        "https://",
        "https://a/",
        "://a:b",
        "whsec_",
        "ctrip_",
        "legal ",
        "a1",
        "@",
        " \n",
    ],
)
def test_a_large_text_is_redacted_quickly(unit: str) -> None:
    redactor = logs.Redactor(secret.reveal() for secret in SECRETS)
    text = unit * (4_000_000 // len(unit)) + WHSEC
    started = perf_counter()
    shown = redactor.text(text)
    assert perf_counter() - started < 3.0
    assert len(shown) < logs.TEXT_SIZE_MAX + 100


def test_a_long_text_is_cut_only_after_its_secrets_are_out() -> None:
    text = "x" * (logs.TEXT_SIZE_MAX - 10) + " " + WHSEC + " tail"
    assert "whsec" not in logs.Redactor([]).text(text)


CRASH = """
import threading
from ctrip import logs
from ctrip.settings import Log, Secret

class Ends:
    def __del__(self):
        raise ValueError("the canary song, from a finaliser")

logs.configure(Log(), [Secret("the canary song")])
thread = threading.Thread(target=lambda: [][len("the canary song")])
thread.start()
thread.join()
Ends()
raise RuntimeError("the canary song")
"""


def test_a_crash_is_logged_without_secrets() -> None:
    done = subprocess.run(  # noqa: S603  (our own words)
        [sys.executable, "-c", CRASH], capture_output=True, text=True, timeout=20, check=False
    )
    crashes = [json.loads(line) for line in done.stderr.splitlines()]
    assert [crash["event"] for crash in crashes] == ["crashed"] * 3
    assert [crash["exception"].splitlines()[-1] for crash in crashes] == [
        "IndexError: list index out of range",
        "ValueError: ***, from a finaliser",
        "RuntimeError: ***",
    ]
    assert done.returncode == 1
    assert done.stdout == ""
