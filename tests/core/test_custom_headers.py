"""Headers that a receiver may ask for, and those it may not."""

import pytest

from ctrip.core.custom_headers import header_fault, headers_fault
from ctrip.core.signature import headers

GOOD = [
    ("Authorization", "Bearer abc.def"),
    ("X-Api-Key", "s3cr3t"),
    ("x-tenant", ""),
    ("X_Odd!Name~", "one two\tthree"),
    ("Accept", "*/*"),
    ("X-Content-Type", "allowed: it only begins with x"),
    ("X-Long", "v" * 4096),
    ("n" * 128, "v"),
]
RESERVED = [
    "webhook-id", "Webhook-Timestamp", "WEBHOOK-SIGNATURE", "webhook-anything",
    "X-Webhook-Signature", "Content-Type", "content-length", "Content-Encoding", "Host",
    "Connection", "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Expect", "Keep-Alive",
    "Cookie", "User-Agent", "Accept-Encoding", "Proxy-Authorization", "Sec-WebSocket-Key",
]  # fmt: skip
BAD_NAMES = ["", " ", "a b", "a:", ":path", "a\r\nb", "a\n", "a\0", "é", "a(b)", "n" * 129, '"a"']
BAD_VALUES = [
    "a\r\nX: y", "a\n", "a\r", "\n", "a\0b", "\x7f", "\x1b[31m", " a", "a ", "\ta", " ", "Käse",
    "v" * 4097,
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_a_header_of_ones_own_is_allowed(name: str, value: str) -> None:
    assert header_fault(name, value) is None


@pytest.mark.parametrize("name", RESERVED)
def test_what_ctrip_or_http_sets_is_reserved(name: str) -> None:
    assert name in (header_fault(name, "v") or "")


def test_every_header_that_we_send_is_reserved() -> None:
    for name in headers("evt_1", 1, b"{}", ["sixteen letters!"]):
        assert header_fault(name, "v")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    assert header_fault(name, "v")


@pytest.mark.parametrize("value", BAD_VALUES)
def test_a_value_that_could_end_the_line_or_means_nothing_is_refused(value: str) -> None:
    assert header_fault("X-Api-Key", value)


@pytest.mark.parametrize("name", ["X-Api-Key", "Host"])
@pytest.mark.parametrize("value", ["canary\n", "canary" * 1000])
def test_a_fault_never_shows_the_value(name: str, value: str) -> None:
    assert "canary" not in (header_fault(name, value) or "canary")


def test_a_set_of_headers_is_bounded_and_names_each_once() -> None:
    assert headers_fault({}) is None
    assert headers_fault({f"x-{n}": "v" for n in range(20)}) is None
    assert "20" in (headers_fault({f"x-{n}": "v" for n in range(21)}) or "")
    assert "twice" in (headers_fault({"X-A": "1", "x-a": "2"}) or "")
    assert "X-B" in (headers_fault({"X-A": "1", "X-B": "\n"}) or "")
