"""Server-sent events, as they come: bytes in, frames out (HTML Living Standard, 9.2.6)."""

from typing import Final

from msgspec import Struct

FRAME_SIZE_MAX: Final = 8 * 2**20  # bytes; a payment with very many transfers


class Frame(Struct, frozen=True):
    """One message, or only the wish to be asked again after so many milliseconds."""

    id: str = ""
    event: str = ""
    data: bytes = b""
    retry: int | None = None


class Frames:
    """Puts frames together, however they were cut on their way."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, some: bytes) -> list[Frame]:
        """Return the frames that are whole now; raise ValueError if one has no end."""
        *whole, self._held = (self._held + some).replace(b"\r\n", b"\n").split(b"\n\n")
        if len(self._held) > FRAME_SIZE_MAX:
            raise ValueError("a server-sent event without an end")
        return [frame for frame in map(read, whole) if frame != Frame()]


def read(lines: bytes) -> Frame:
    """Return what the lines of a frame say; a comment says nothing."""
    said: dict[bytes, list[bytes]] = {}
    for line in lines.split(b"\n"):
        name, _, value = line.partition(b":")
        said.setdefault(name, []).append(value.removeprefix(b" "))
    retry = said.get(b"retry", [b""])[-1]
    return Frame(
        id=said.get(b"id", [b""])[-1].decode(),
        event=said.get(b"event", [b""])[-1].decode(),
        data=b"\n".join(said.get(b"data", [])),
        retry=int(retry) if retry.isdigit() else None,
    )
