"""Which headers a receiver may ask for beside ours: an API key of its own, a route, a tenant.

A header that HTTP, the client or the signature sets is not for others to choose: two
lengths or two hosts are read differently by a proxy and by what is behind it, and a
receiver must be able to believe each webhook-… header. A cookie would be a session
that somebody forgot, and webhooks have none.
"""

import re
from collections.abc import Mapping
from typing import Final

HEADERS_MAX: Final = 20  # more is a mistake, and servers refuse requests with too many
NAME_SIZE_MAX: Final = 128  # characters; the longest registered names have about 40
VALUE_SIZE_MAX: Final = 4096  # characters; a token fits, and servers refuse 8 KiB in all

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
# RFC 9110, 5.5, without the bytes beyond ASCII, whose meaning every server guesses anew.
VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?|")

RESERVED: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "cookie",
        "cookie2",
        "date",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
        "x-webhook-signature",
    }
)
RESERVED_PREFIXES: Final = ("content-", "proxy-", "sec-", "webhook-")


def headers_fault(headers: Mapping[str, str]) -> str | None:
    """Return what is wrong with a set of headers, as a sentence for its author, or None."""
    if len(headers) > HEADERS_MAX:
        return f"There may be {HEADERS_MAX} headers at most"
    if len({name.lower() for name in headers}) < len(headers):
        return "A header is named twice"
    faults = (header_fault(name, value) for name, value in headers.items())
    return next(filter(None, faults), None)


def header_fault(name: str, value: str) -> str | None:
    """Return what is wrong with one header, without its value, which may be a secret."""
    if len(name) > NAME_SIZE_MAX or not TOKEN.fullmatch(name):
        return "A header name is 1 to 128 letters, digits and any of !#$%&'*+-.^_`|~"
    if name.lower() in RESERVED or name.lower().startswith(RESERVED_PREFIXES):
        return f"The header {name} is set by ctrip or by HTTP"
    if len(value) > VALUE_SIZE_MAX:
        return f"The header {name} is longer than {VALUE_SIZE_MAX} characters"
    if not VALUE.fullmatch(value):
        return (
            f"The header {name} may hold printable ASCII only, with no space at either end"
            " and no line break"
        )
    return None
