"""API keys: what one is, and from where and until when it opens anything."""

from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrip.core.ids import KeyId
from ctrip.core.keys import (
    CIDRS_MAX,
    LENGTH,
    PREFIX,
    ApiKey,
    admits,
    digest_of,
    faults_in,
    is_live,
    looks_like_one,
    may,
    network_in,
)
from tests.support.builders import CREATED, DEADLINE


def a_key(**changes: Any) -> ApiKey:
    """Return a key that may read, for ever and from anywhere."""
    asked = {"scopes": frozenset({"read"}), "allowed_cidrs": ()} | changes
    return ApiKey(
        id=KeyId(UUID(int=1)), name="shop", prefix="ctrip_abcdef", created_at=CREATED, **asked
    )


@pytest.mark.parametrize(
    ("cidr", "inside", "outside"),
    [
        ("192.0.2.0/24", ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.7"], ["192.0.3.0", "::"]),
        ("192.0.2.7", ["192.0.2.7", "::ffff:c000:207"], ["192.0.2.8"]),
        ("0.0.0.0/0", ["203.0.113.9", "::ffff:203.0.113.9"], ["2001:db8::1"]),
        ("2001:db8::/32", ["2001:db8::1", "2001:DB8:ffff::"], ["2001:db9::", "32.1.13.184"]),
        ("::/0", ["2001:db8::1"], ["192.0.2.7", "::ffff:192.0.2.7"]),
        ("::ffff:192.0.2.0/120", ["192.0.2.9", "::ffff:192.0.2.9"], ["192.0.3.1"]),
        ("::ffff:0:0/96", ["192.0.2.9"], ["2001:db8::1"]),
        ("fe80::/10", ["fe80::1%eth0"], ["2001:db8::1"]),
    ],
)
def test_a_key_with_networks_opens_from_there_only(
    cidr: str, inside: list[str], outside: list[str]
) -> None:
    key = a_key(allowed_cidrs=("198.51.100.1/32", cidr))
    assert all(admits(key, ip_address(text)) for text in inside)
    assert not any(admits(key, ip_address(text)) for text in outside)
    assert not admits(key, None)


def test_a_key_without_networks_opens_from_anywhere() -> None:
    assert admits(a_key(), None)
    assert admits(a_key(), ip_address("203.0.113.9"))


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_ipv4_is_the_same_inside_ipv6(address: Any, bits: int) -> None:
    zeros = int(address) >> (32 - bits) << (32 - bits)
    plain = f"{ip_address(zeros)}/{bits}"
    mapped = f"::ffff:{ip_address(zeros)}/{bits + 96}"
    assert network_in(plain) == network_in(mapped)
    key = a_key(allowed_cidrs=(mapped,))
    assert admits(key, address)
    assert admits(key, ip_address(f"::ffff:{address}"))


def test_a_key_ends_when_it_expires_or_is_revoked() -> None:
    moment = timedelta(microseconds=1)
    assert is_live(a_key(), DEADLINE)
    assert is_live(a_key(expires_at=DEADLINE), DEADLINE - moment)
    assert not is_live(a_key(expires_at=DEADLINE), DEADLINE)
    assert not is_live(a_key(revoked_at=DEADLINE), CREATED)


def test_an_administrator_has_every_scope_and_others_have_theirs() -> None:
    assert all(may(a_key(scopes=frozenset({"admin"})), s) for s in ("read", "write", "admin"))
    assert [may(a_key(), s) for s in ("read", "write", "admin")] == [True, False, False]


@pytest.mark.parametrize(
    "text", ["", PREFIX, "x" * LENGTH, PREFIX + "a" * 42, PREFIX + "a" * 44, PREFIX + "é" * 43]
)
def test_what_cannot_be_a_key_costs_nothing(text: str) -> None:
    assert not looks_like_one(text)
    assert looks_like_one(PREFIX + "-_aZ9" + "a" * 38)


def test_a_digest_is_sha256() -> None:
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2
    assert digest_of("abc").hex() == known


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("name", ["", "x" * 101, "a\0b"]),
        ("scopes", [[], ["root"], ["read", ""]]),
        (
            "allowed_cidrs",
            [
                ["10.0.0.1/8"],
                ["10.0.0.0/33"],
                ["example.com"],
                [""],
                ["fe80::1%eth0/64"],
                ["10.0.0.0/" + "0" * 4_999 + "8"],
                ["010.0.0.0/8"],
                ["10.0.0.0/255.0.0.0", "x"],
                ["192.0.2.1"] * (CIDRS_MAX + 1),
            ],
        ),
        ("lifetime", [timedelta(seconds=59), timedelta(days=3_651), timedelta(days=-1)]),
    ],
)
def test_what_a_key_cannot_be_is_told_by_its_field(field: str, wrong: list[Any]) -> None:
    good: dict[str, Any] = {"name": "shop", "scopes": ["read"], "allowed_cidrs": ["::/0"]}
    good["lifetime"] = None
    assert not faults_in(**good)
    told = "expires_in" if field == "lifetime" else field
    for value in wrong:
        faults = faults_in(**good | {field: value})
        assert list(faults) == [told]
        assert len(faults[told]) < 200
