"""GET /openapi.json and GET /docs: the API for programs, and the same for people.

The page is whole in itself: no other host is asked for anything, so it works without a
network and tells nobody who reads it. Its policy lets run what is in it and nothing else, by
hash, and ask this gateway only. It puts text on the page, never markup.
"""

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from msgspec import json
from starlette.requests import Request
from starlette.responses import Response

from ctrip.web.auth import Caller
from ctrip.web.openapi import document
from ctrip.web.operation import Operation


def read(name: str) -> str:
    """Return a file of the page."""
    return files("ctrip.web").joinpath("static", name).read_text()


def hash_of(text: str) -> str:
    """Return how a Content-Security-Policy names a text."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


STYLE: Final = read("docs.css")
SCRIPT: Final = read("docs.js")
PAGE: Final = read("docs.html").replace("{style}", STYLE).replace("{script}", SCRIPT).encode()
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"script-src {hash_of(SCRIPT)}",
        f"style-src {hash_of(STYLE)}",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)


class DocPages:
    """The two routes that tell of all others, and of themselves."""

    def __init__(self, others: Iterable[Operation]) -> None:
        self._document = json.encode(document([*others, *self.operations()]))
        self._tag = f'"{sha256(self._document).hexdigest()[:32]}"'

    def operations(self) -> list[Operation]:
        """Return what tells of the API; anybody may know."""
        return [
            Operation(
                method="GET",
                path="/openapi.json",
                page=self.openapi,
                name="get_openapi",
                says="Describe the API in OpenAPI 3.1.",
                scope=None,
                gives=dict[str, Any],
                gives_too={304: None},
            ),
            Operation(
                method="GET",
                path="/docs",
                page=self.docs,
                name="show_docs",
                says="Show the API to people, offline.",
                scope=None,
                gives=str,
                media_type="text/html",
            ),
        ]

    async def openapi(self, request: Request, _caller: Caller) -> Response:
        """Describe the API; 304 to whoever has this description already."""
        headers = {"etag": self._tag}
        if self._tag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        return Response(self._document, 200, headers, media_type="application/json")

    async def docs(self, _request: Request, _caller: Caller) -> Response:
        """Show the page."""
        return Response(PAGE, 200, {"content-security-policy": POLICY}, media_type="text/html")
