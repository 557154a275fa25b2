"""A real name server on a loopback port, which may answer, deny or keep silent.

async with a_nameserver() as ns:
    ns.names["shop.test"] = ["192.0.2.7", "2001:db8::7"]
    ns.silent = "dead.test"      # the zone about which it says nothing
    resolver = Resolver(nameservers=[ns.address])
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

WAIT_SECONDS_MAX = 10.0  # a question that is not here by then is not coming
HEADER_SIZE = 12  # bytes (RFC 1035, 4.1.1)
IN = b"\x00\x01"
TYPES = {4: 1, 6: 28}  # A and AAAA, by IP version
SOA = 6
TTL_SECONDS = 3600  # of every answer, the negative ones included: as long as zones ask for
NXDOMAIN = 3


class NameServer(asyncio.DatagramProtocol):
    """What is known, and what was asked."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}
        self.silent = "no such zone"
        self.asked: Counter[str] = Counter()  # questions by name; A and AAAA are two
        self.address = ""
        self._transport: Any = None
        self._arrival = asyncio.Event()

    async def wait_for(self, names: int) -> None:
        """Return once so many names were asked for."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while len(self.asked) < names:
                self._arrival.clear()
                await self._arrival.wait()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        host, port = transport.get_extra_info("sockname")[:2]
        self.address = f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: Any) -> None:
        name, end = _name(data)
        self.asked[name] += 1
        self._arrival.set()
        if name == self.silent or name.endswith("." + self.silent):
            return
        question = data[HEADER_SIZE : end + 4]
        kind = int.from_bytes(data[end : end + 2], "big")
        known = [ip_address(address) for address in self.names.get(name, [])]
        packed = [one.packed for one in known if TYPES[one.version] == kind]
        answers = b"".join(_record(b"\xc0\x0c", kind, data) for data in packed)
        denial = b"" if packed else _denial()
        header = (
            data[:2]
            + bytes([0x85, 0x80 if known else 0x80 | NXDOMAIN])  # an answer, authoritative
            + b"\x00\x01"
            + len(packed).to_bytes(2, "big")
            + (b"\x00\x00" if packed else b"\x00\x01")
            + b"\x00\x00"
        )
        self._transport.sendto(header + question + answers + denial, addr)


@asynccontextmanager
async def a_nameserver() -> AsyncIterator[NameServer]:
    """Listen on a free UDP port until the end of the block."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, ("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()


def _name(query: bytes) -> tuple[str, int]:
    """Return the name that is asked for, and where it ends."""
    labels, at = [], HEADER_SIZE
    while size := query[at]:
        labels.append(query[at + 1 : at + 1 + size].decode())
        at += 1 + size
    return ".".join(labels).lower(), at + 1


def _record(name: bytes, kind: int, data: bytes) -> bytes:
    head = name + kind.to_bytes(2, "big") + IN + TTL_SECONDS.to_bytes(4, "big")
    return head + len(data).to_bytes(2, "big") + data


def _denial() -> bytes:
    """Return the record of the zone that says how long a denial may be kept (RFC 2308)."""
    times = b"".join(n.to_bytes(4, "big") for n in (1, 3600, 600, 86_400, TTL_SECONDS))
    return _record(b"\x00", SOA, b"\x00\x00" + times)
