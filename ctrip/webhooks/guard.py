"""Keeps webhooks out of networks that their author could not reach himself (SSRF).

Whoever may create a payment may name a URL, and we would fetch it from inside. The
guard is a hook that is called with every concrete address just before it is dialled:
names, literals, odd spellings and names that change their mind (DNS rebinding) all
end there, and TLS still checks the name. aiohttp does not ask a resolver about literal
addresses, so a resolver that filters would not do.

An address is refused if it is not public, and also if it is on DENIED: Python calls
some of those public (NAT64, 6to4, multicast; which ones depends on its version). So is
one whose port is another protocol's, and one that is to be spoken to without TLS.
The operator, and nobody else, may allow networks of his own, and TLS is not asked for
there. Addresses where clouds hand out credentials are refused even then.

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
        "::/3",  # loopback, IPv4-compatible and -translated, NAT64: an IPv4 address may be inside
        "2001::/23",  # protocols of the IETF; Teredo, the same
        "2001:db8::/32",
        "2002::/16",  # 6to4, the same
        "3fff::/20",
        "4000::/2",  # given to nobody
        "8000::/1",  # nor this; local (fc00::/7, fe80::/10, fec0::/10) and multicast
    )
)
# Where clouds hand credentials to whoever asks: no configuration opens these.
METADATA: Final = tuple(
    ip_network(network)
    for network in (
        "169.254.0.0/16",  # nearly all of them
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure, a public address that only its machines reach
        "192.0.0.192/32",  # Oracle
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254/128",  # Google
    )
)
# The last 32 bits of these are an IPv4 address (RFC 4291, RFC 6052, RFC 8215, RFC 2765).
IPV4_INSIDE: Final = (
    IPv6Network("::/96"),
    IPv6Network("64:ff9b::/96"),
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("::ffff:0:0:0/96"),
)
# Ports of protocols that can be spoken to through HTTP: the "bad ports" that browsers
# refuse (WHATWG Fetch Standard, "Port blocking").
BAD_PORTS: Final = frozenset(
    {
        0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95,
        101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179,
        389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601,
        636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566,
        6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    }
)  # fmt: skip
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

    def allows(self, address: str, *, plain: bool = False) -> bool:
        """Say if a literal address may be dialled. What cannot be parsed may not.

        `plain` is HTTP without TLS, which is for the operator's own networks.
        """
        try:
            parsed = _unmapped(ip_address(address))
        except ValueError:
            return False
        if any(_within(inner, METADATA) for inner in (parsed, *_embedded(parsed))):
            return False
        if _within(parsed, self._allowed):
            return True
        return not plain and parsed.is_global and not _within(parsed, DENIED)

    def socket_for(self, info: AddressInfo, *, plain: bool = False) -> socket.socket:
        """Return the socket to dial an address with; raise BlockedAddress if it may not be."""
        family, kind, protocol, _, (address, *rest) = info
        port = rest[0] if family in {socket.AF_INET, socket.AF_INET6} else 0  # 0 is a bad one
        if port in BAD_PORTS or not self.allows(address, plain=plain):
            log.warning("webhook address refused", address=str(address), port=port, plain=plain)
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
            host = _host(parts)
            if parts.port in BAD_PORTS:
                return f"Webhook URL names port {parts.port}, which is not for HTTP"
            return self._check_host(host, plain=parts.scheme == "http")
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
    if not parts.hostname or "%" in parts.hostname:
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
