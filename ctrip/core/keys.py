"""API keys: what one is, what it may do, for how long and from where.

A key is `ctrip_` and 43 characters of base64url: 256 bits of chance, which is drawn elsewhere.
What is kept of it is its SHA-256. That needs no salt and no slow hash, because nobody can try
2^256 texts. For the same reason a digest may be looked up like any other word: how long that
takes tells at most how a digest begins, which its sender knew, and to find the text of
another digest is what SHA-256 prevents. So no text of a key is ever compared with another.

A key is never deleted, because payments name it. It is revoked, or expires.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, Literal

from msgspec import Struct

from ctrip.core.ids import KeyId

PREFIX: Final = "ctrip_"
CHANCE_BYTES: Final = 32
LENGTH: Final = len(PREFIX) + 43  # characters
PREFIX_SHOWN: Final = len(PREFIX) + 6  # characters that tell keys apart in a list

Scope = Literal["read", "write", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("read", "write", "admin")
SCOPES_DEFAULT: Final[tuple[Scope, ...]] = ("read", "write")  # what a shop needs

NAME_LENGTH_MAX: Final = 100  # characters
CIDRS_MAX: Final = 32  # each is compared with the caller's address at every request
CIDR_LENGTH_MAX: Final = 49  # characters of the longest: eight groups, IPv4 at the end, a length
NETWORKS_REMEMBERED_MAX: Final = 4_096  # parsed texts; parsing one takes microseconds
LIFETIME_MIN: Final = timedelta(seconds=60)
LIFETIME_MAX: Final = timedelta(days=3_650)  # a longer one is meant to be without an end
MAPPED_BITS: Final = 96  # of ::ffff:0:0/96, IPv4 as IPv6 spells it

Network = IPv4Network | IPv6Network
IPAddress = IPv4Address | IPv6Address


class ApiKey(Struct, frozen=True, kw_only=True):
    """Who may do what."""

    id: KeyId
    name: str
    prefix: str
    scopes: frozenset[str]
    allowed_cidrs: tuple[str, ...] = ()  # networks it may be used from; none: from anywhere
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


def digest_of(text: str) -> bytes:
    """Return what is kept of a key."""
    return sha256(text.encode()).digest()


def looks_like_one(text: str) -> bool:
    """Tell whether a text could be a key, before anything is spent on it."""
    return len(text) == LENGTH and text.startswith(PREFIX) and text.isascii()


def is_expired(key: ApiKey, now: datetime) -> bool:
    """Tell whether a key's time is over."""
    return key.expires_at is not None and key.expires_at <= now


def is_live(key: ApiKey, now: datetime) -> bool:
    """Tell whether a key opens anything."""
    return key.revoked_at is None and not is_expired(key, now)


def may(key: ApiKey, scope: str) -> bool:
    """Tell whether a key has a scope; an administrator has all of them."""
    return scope in key.scopes or "admin" in key.scopes


def admits(key: ApiKey, address: IPAddress | None) -> bool:
    """Tell whether a key may be used from an address; IPv4 inside IPv6 counts as IPv4."""
    if not key.allowed_cidrs:
        return True
    if address is None:
        return False
    bare = (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
    return any(bare in network_in(text) for text in key.allowed_cidrs)


@lru_cache(NETWORKS_REMEMBERED_MAX)
def network_in(text: str) -> Network:
    """Return the network that a text names, IPv4 as IPv4; raise ValueError if it names none."""
    network = ip_network(text)
    if isinstance(network, IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= MAPPED_BITS:
            return IPv4Network((mapped, network.prefixlen - MAPPED_BITS))
    return network


def fault_in_cidrs(texts: Iterable[str]) -> str:
    """Return what is wrong with the networks that a key is to be used from, or nothing."""
    given = list(texts)
    if len(given) > CIDRS_MAX:
        return f"must be at most {CIDRS_MAX} networks"
    for text in given:
        shown = text[:CIDR_LENGTH_MAX]
        try:
            fits = "%" not in text and len(text) == len(shown) and network_in(text)
        except ValueError:
            fits = False
        if not fits:
            return f"{shown!r} is no network: write 192.0.2.0/24, 2001:db8::/32 or one address"
    return ""


def faults_in(
    name: str, scopes: Iterable[str], allowed_cidrs: Iterable[str], lifetime: timedelta | None
) -> dict[str, str]:
    """Return what is wrong with a key that is to be made, field by field."""
    asked, cidrs = set(scopes), fault_in_cidrs(allowed_cidrs)
    faults: dict[str, str] = {}
    if not 0 < len(name) <= NAME_LENGTH_MAX or "\0" in name:
        faults["name"] = f"must have 1 to {NAME_LENGTH_MAX} characters, none of them U+0000"
    if not asked or asked - set(SCOPES):
        faults["scopes"] = f"must be some of: {', '.join(SCOPES)}"
    if cidrs:
        faults["allowed_cidrs"] = cidrs
    if lifetime is not None and not LIFETIME_MIN <= lifetime <= LIFETIME_MAX:
        faults["expires_in"] = f"must be {LIFETIME_MIN.seconds} seconds to {LIFETIME_MAX.days} days"
    return faults
