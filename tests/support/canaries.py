"""Secrets that are planted in every gateway under test, to be looked for where none may be.

A canary is found in any spelling: as it is, percent-encoded, in hex, in base64 at any
offset; of a mnemonic, any four words in a row.
"""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

MNEMONIC: Final = "science youth lens neither boy monitor danger injury avoid comic mammal ginger"
RPC_PATH_KEY: Final = "canaryPathKey8Zq4mB1xT7"
RPC_QUERY_KEY: Final = "canaryQueryKey5Wd9sK2vR"
DATABASE_PASSWORD: Final = "canary/Pass@word:3Fh6+%Ljy"  # noqa: S105  planted
WEBHOOK_SECRET: Final = "whsec_Y2FuYXJ5V2ViaG9va1NlY3JldDdHdDJYcTk="  # noqa: S105  planted
SECRETS_KEY: Final = "canarySecretsKey9Rt4Lm6Vw1Zx8Qp3"

PLANTED: Final = (
    MNEMONIC, RPC_PATH_KEY, RPC_QUERY_KEY, DATABASE_PASSWORD, WEBHOOK_SECRET, SECRETS_KEY,
)  # fmt: skip
WORDS_IN_A_ROW: Final = 4  # of a mnemonic; fewer may be a coincidence


class Evidence:
    """All that gateways let the outside see, and the secrets that must not be in it."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []  # where it was seen, what it was
        self.secrets: set[str] = set(PLANTED)

    def add(self, where: str, text: str) -> None:
        self.texts.append((where, text))

    def leaks(self) -> list[str]:
        """Return where secrets were seen, with what was found."""
        return [f"{w}: {found}" for w, text in self.texts for found in leaks(text, self.secrets)]


def leaks(text: str, secrets: Iterable[str]) -> list[str]:
    """Return the spellings of the secrets that stand in a text."""
    return [s for secret in secrets for s in spellings(secret) if s in text]


def spellings(secret: str) -> Iterator[str]:
    """Yield all that a secret may look like."""
    words = secret.split()
    if len(words) > WORDS_IN_A_ROW:
        for start in range(len(words) - WORDS_IN_A_ROW + 1):
            yield " ".join(words[start : start + WORDS_IN_A_ROW])
    data = secret.removeprefix("whsec_")
    yield data
    yield from {quote(data, safe=""), quote(data), quote_plus(data)} - {data}
    yield data.encode().hex()
    for offset in range(3):
        # Only the characters that depend on nothing before or after the secret.
        first, end = -(-offset * 8 // 6), (offset + len(data)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(bytes(offset) + data.encode()).decode()[first:end]
