"""`ctrip webhooks verify`: judges a request that lies in files.

A secret is read from a file or from standard input, never from the command line, which
everybody on the machine can see.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import DecodeError, json

from ctrip.core.errors import ConfigError
from ctrip.core.verify import Genuine, Verdict, verify
from ctrip.settings import Secret
from ctrip.webhooks.signing import verify_v1a

STDIN: Final = Path("-")
CURL_MARKS: Final = "<> "  # before each header in what `curl -v` prints


def judge(secret: Path, headers: Path, body: Path, now: int) -> Verdict:
    """Judge a request; `now` is in Unix seconds."""
    if [secret, headers, body].count(STDIN) > 1:
        raise ConfigError("only one of the files can be standard input")
    return verify(
        headers_of(text_of(headers, "--headers-file")),
        bytes_of(body, "--body-file"),
        text_of(secret, "--secret-file").strip(),
        now,
        verify_v1a=verify_v1a,
    )


def secret_in(file: Path | None) -> Secret | None:
    """Return the secret that a file holds."""
    return Secret(text_of(file, "--secret-file").strip()) if file else None


def bytes_of(file: Path, option: str) -> bytes:
    """Return what a file holds; `-` is standard input."""
    try:
        return sys.stdin.buffer.read() if file == STDIN else file.read_bytes()
    except OSError as error:
        reason = error.strerror or "for an unknown reason"
        raise ConfigError(f"{option}: {file} cannot be read ({reason})") from None


def text_of(file: Path, option: str) -> str:
    """Return a file's text."""
    try:
        return bytes_of(file, option).decode("utf-8-sig")
    except ValueError:
        raise ConfigError(f"{option}: {file} is not UTF-8") from None


def headers_of(text: str) -> Mapping[str, str]:
    """Read headers from JSON, or from lines as HTTP has them; other lines are passed over."""
    if text.lstrip().startswith("{"):
        try:
            return json.decode(text, type=dict[str, str])
        except DecodeError:
            raise ConfigError("headers must be a JSON object of names and texts") from None
    pairs = (line.lstrip(CURL_MARKS).partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def as_text(verdict: Verdict) -> str:
    """Say it."""
    if isinstance(verdict, Genuine):
        which = f"entry {verdict.entry} of {verdict.entries}, {verdict.version}"
        return f"genuine: {which} of webhook-signature fits"
    return f"wrong ({verdict.part}): {verdict.why}"
