"""dev.json: what a dev gateway writes down for those who use it."""

from pathlib import Path
from typing import Final

from msgspec import Struct, json

from ctrip.core.errors import ConfigError
from ctrip.core.ids import Address

FOLDER: Final = Path(".ctrip")


class Card(Struct, frozen=True, kw_only=True):
    """dev.json: what a script needs to use a dev gateway."""

    url: str
    api_key: str
    rpc_url: str
    chain: str
    token_id: str
    token_address: Address
    funder: Address  # unlocked, with ether and test tokens
    webhook_secret: str
    webhook_url: str = ""
    secrets_key: str = ""  # seals the secrets of endpoints


def read_card(folder: Path) -> Card | None:
    """Return the card of the last run, if it can be read."""
    try:
        return json.decode((folder / "dev.json").read_bytes(), type=Card)
    except (OSError, ValueError):
        return None


def card_of(folder: Path) -> Card:
    """Return the card of the gateway that runs; raise ConfigError if none was ever started."""
    card = read_card(folder)
    if card is None:
        raise ConfigError(f"{folder}/dev.json is not there: start the gateway with `make run`")
    return card


def write_card(folder: Path, card: Card) -> None:
    """Write the card for scripts; it holds a key, so only we may read it."""
    path = folder / "dev.json"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(json.format(json.encode(card)) + b"\n")
