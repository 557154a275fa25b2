"""Ports for servers that other programs start, and that are told of them beforehand."""

import random
import socket
from pathlib import Path
from typing import Final

RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST: Final = 10_000


def free_port() -> int:
    """Return a port that nobody has, below those that the system hands to clients.

    One of those may be a client's of another test by the time the server is there.
    """
    above = int(RANGE.read_text().split()[0]) if RANGE.exists() else 32_768
    while True:
        port = random.randrange(LOWEST, above)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
