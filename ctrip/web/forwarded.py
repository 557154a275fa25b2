"""Which address a request comes from when proxies stand between.

Whoever connects may write into X-Forwarded-For what he likes. A proxy of ours appends the
address that connected to it, so the list is read from its end, and only as far as proxies
that are ours vouch for it: the first address that is none of theirs is the caller's.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from starlette.requests import HTTPConnection

from ctrip.core.errors import ConfigError

HEADER: Final = b"x-forwarded-for"
ADDRESSES_REMEMBERED_MAX: Final = 4_096  # parsed texts; parsing one takes microseconds

IPAddress = IPv4Address | IPv6Address


class Proxies:
    """The proxies in front, and who stands behind them."""

    def __init__(self, cidrs: Iterable[str] = ()) -> None:
        try:
            self._networks = tuple(ip_network(cidr) for cidr in cidrs)
        except ValueError:
            raise ConfigError(
                "[server] trusted_proxies: must hold networks such as 10.0.0.0/8"
            ) from None

    def address_of(self, request: HTTPConnection) -> IPAddress | None:
        """Return the address of the caller; None if it has none, as over a Unix socket."""
        client = request.scope.get("client")
        nearest = parsed(client[0]) if client else None
        if not self._networks or nearest is None or not self._are_ours(nearest):
            return nearest
        values = [value for name, value in request.scope["headers"] if name == HEADER]
        for text in reversed(b",".join(values).decode("latin-1").split(",")):
            address = parsed(without_port(text.strip()))
            if address is None:
                break  # our proxy would not have written this
            nearest = address
            if not self._are_ours(address):
                break
        return nearest

    def _are_ours(self, address: IPAddress) -> bool:
        return any(address in network for network in self._networks)


@lru_cache(ADDRESSES_REMEMBERED_MAX)
def parsed(text: str) -> IPAddress | None:
    """Return an address in the one form it has, so that IPv4 inside IPv6 is IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def without_port(text: str) -> str:
    """Return an address as some proxies write it, 192.0.2.1:4711 or [2001:db8::1]:4711, bare."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
