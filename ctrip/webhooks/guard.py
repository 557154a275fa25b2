"""Keeps webhooks out of networks that their author could not reach himself (SSRF).

Whoever may create a payment may name a URL, and we would fetch it from inside. The
guard is a hook that is called with every concrete address just before it is dialled:
names, literals, odd spellings and names that change their mind (DNS rebinding) all
end there, and TLS still checks the name. aiohttp does not ask a resolver about literal
addresses, so a resolver that filters would not do.

An address is refused if it is not public, and also if it is on DENIED: Python calls
some of those public (NAT64, 6to4, multicast; which ones depends on its version).
The operator, and nobody else, may allow networks of his own. Addresses where clouds
hand out credentials are refused even then.

check_url() says the same early, where somebody is there to read it. It is advice: a
name may point elsewhere by the time it is dialled.
"""

import re
import socket
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from ctrip import logs
from ctrip.core.errors import ConfigError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# What getaddrinfo() gives: family, type, protocol, canonical name, socket address.
AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]

# Special-purpose registries of IANA (RFC 6890 and its updates), and what they omit.
DENIED: Final = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",  # unspecified, loopback and IPv4-compatible
        "64:ff9b::/96",  # NAT64: any IPv4 address may be inside
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/32",  # Teredo, the same
        "2001:db8::/32",
        "2002::/16",  # 6to4, the same
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
# Where clouds hand credentials to whoever asks: no configuration opens these.
METADATA: Final = (ip_network("169.254.0.0/16"), ip_network("fd00:ec2::254/128"))
# The last 32 bits of these are an IPv4 address (RFC 6052; RFC 4291, 2.5.5.1).
IPV4_INSIDE: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
LOOPBACK: Final = ip_address("127.0.0.1")

URL_SIZE_MAX: Final = 2048  # characters; what servers commonly take
NOT_IN_A_URL: Final = re.compile(r"[\x00-\x20\x7f\\]")  # parsers disagree about what follows one
NAME: Final = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
# 127.1, 0x7f.1 and 2130706433 are addresses to inet_aton(), names to others.
ENDS_IN_A_NUMBER: Final = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)")

log = logs.get("ctrip.webhooks")


class BlockedAddress(OSError):
    """An address that is not to be dialled. An OSError, so that the dialler tries the next one."""

    def __init__(self) -> None:
        # One text for all: the dialler keeps the type of equal errors, and the address
        # is told to the operator alone, lest answers map the network.
        super().__init__("the address is not allowed")


class UnknownNetwork(ConfigError):
    """An entry of allow_cidrs is not a network."""


class Guard:
    """Tells the addresses that may be dialled; `allow_cidrs` are the operator's own networks."""

    def __init__(self, allow_cidrs: Sequence[str] = ()) -> None:
        self._allowed = tuple(_network(cidr) for cidr in allow_cidrs)

    def allows(self, address: str) -> bool:
        """Say if a literal address may be dialled. What cannot be parsed may not."""
        try:
            parsed = _unmapped(ip_address(address))
        except ValueError:
            return False
        if any(_within(inner, METADATA) for inner in (parsed, *_embedded(parsed))):
            return False
        if _within(parsed, self._allowed):
            return True
        return parsed.is_global and not _within(parsed, DENIED)

    def socket_for(self, info: AddressInfo) -> socket.socket:
        """Return the socket to dial an address with; raise BlockedAddress if it may not be."""
        family, kind, protocol, _, address = info
        if family not in {socket.AF_INET, socket.AF_INET6} or not self.allows(address[0]):
            log.warning("webhook address refused", address=str(address[0]))
            raise BlockedAddress
        return socket.socket(family, kind, protocol)

    def check_url(self, url: str) -> str | None:
        """Return why a URL cannot be a receiver's, as a sentence for its author, or None."""
        if len(url) > URL_SIZE_MAX:
            return f"Webhook URL is longer than {URL_SIZE_MAX} characters"
        if NOT_IN_A_URL.search(url):
            return "Webhook URL holds a space, a control character or a backslash"
        try:
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"}:
                return "Webhook URL must start with https://"
            if "@" in parts.netloc:
                return "Webhook URL must not hold a user name or password"
            return self._check_host(_host(parts), plain=parts.scheme == "http")
        except ValueError:
            return "Webhook URL is not a valid URL"

    def _check_host(self, host: str, *, plain: bool) -> str | None:
        if host == "localhost" or host.endswith(".localhost"):
            host = str(LOOPBACK)
        try:
            address = _unmapped(ip_address(host))
        except ValueError:
            if ENDS_IN_A_NUMBER.fullmatch(host) or not NAME.fullmatch(host):
                return "Webhook URL has no valid host"
            # Where a name leads is only known when it is dialled: it may be one of his.
            private = bool(self._allowed)
        else:
            if not self.allows(host):
                return "Webhook URL points into a network that is not public"
            private = _within(address, self._allowed)
        if plain and not private:
            return "Webhook URL must use https"
        return None


def _host(parts: SplitResult) -> str:
    """Return the host as it would be looked up; raise ValueError if there is none."""
    if parts.port == 0 or not parts.hostname or "%" in parts.hostname:
        raise ValueError
    # IDNA also folds the many Unicode digits and dots into the ASCII ones (RFC 3490).
    return parts.hostname.encode("idna").decode().lower().removesuffix(".")


def _network(cidr: str) -> Network:
    try:
        return ip_network(cidr)
    except ValueError:
        raise UnknownNetwork(f"allow_cidrs: {cidr!r} is not a network such as 10.0.0.0/8") from None


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _unmapped(address: Address) -> Address:
    """Return the IPv4 address inside ::ffff:0:0/96, which the kernel dials as such."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _embedded(address: Address) -> list[IPv4Address]:
    """Return the IPv4 addresses that a translator on the way may take an address for."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.sixtofour, *(address.teredo or ())]
    if _within(address, IPV4_INSIDE):
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [inner for inner in found if inner is not None]
