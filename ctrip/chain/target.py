"""Where requests to an endpoint go, and what all of them begin with (RFC 9112, section 3)."""

from base64 import b64encode
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

PORTS: Final = {"http": 80, "https": 443}
AS_IT_IS: Final = "!#$%&'()*+,/:;=?@[]~"  # of a path and a query that somebody has encoded


class Target(NamedTuple):
    """One endpoint. All of it may be secret."""

    host: str
    port: int
    is_tls: bool
    head: bytes  # of every request, up to the length of its body

    def request(self, body: bytes) -> bytes:
        return b"%b%d\r\n\r\n%b" % (self.head, len(body), body)


def target_of(url: str) -> Target:
    """Read a URL. Raises ValueError where it is none, or not of HTTP."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("not an http or https URL")
    host = parts.hostname if ":" in parts.hostname else parts.hostname.encode("idna").decode()
    port = parts.port or PORTS[parts.scheme]
    named = f"[{host}]" if ":" in host else host
    where = quote(f"{parts.path or '/'}{parts.query and f'?{parts.query}'}", safe=AS_IT_IS)
    lines = [
        f"POST {where} HTTP/1.1",
        f"Host: {named if port == PORTS[parts.scheme] else f'{named}:{port}'}",
        "User-Agent: ctrip",
        "Accept: */*",
        f"Accept-Encoding: {'identity' if is_near(host) else 'gzip'}",
        "Content-Type: application/json",
    ]
    if parts.username is not None:  # RFC 7617
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.append(f"Authorization: Basic {b64encode(pair.encode()).decode()}")
    head = "\r\n".join([*lines, "Content-Length: "]).encode("ascii")
    return Target(host, port, parts.scheme == "https", head)


def is_near(host: str) -> bool:
    """Tell whether a host is on this machine or beside it, where packing costs more than bytes."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host
