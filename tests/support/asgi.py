"""Ask an ASGI application without a socket between."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, json
from starlette.types import ASGIApp, Message


class Heard(Struct, frozen=True):
    """What it answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the value of a header, and see that there is one at most."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.decode(self.body)


async def ask(
    app: ASGIApp,
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    client: tuple[str, int] | None = ("192.0.2.1", 4711),
) -> Heard:
    """Send a request without a body."""
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    await app(
        {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "client": client,
            "root_path": "",
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in (headers or {}).items()],
        },
        receive,
        send,
    )
    found = [(k.decode(), v.decode("latin-1")) for k, v in said[0]["headers"]]
    return Heard(said[0]["status"], found, b"".join(m.get("body", b"") for m in said[1:]))
