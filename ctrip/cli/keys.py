"""`ctrip keys`: make, list and end API keys in the configured database; `wallet` has its own file.

Safe beside a gateway that runs: within a second it knows what is changed here. This is also
the way back in when no administrator has a key any more.
"""

import re
from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import typer
from msgspec import json

from ctrip.cli.options import ConfigOption, JsonOption, settings_of, with_database
from ctrip.cli.wallet import wallet
from ctrip.clock import SystemClock
from ctrip.core.errors import ConfigError
from ctrip.core.ids import KeyId
from ctrip.core.keys import PREFIX, SCOPES_DEFAULT, is_expired
from ctrip.store.accounts import KnownKey
from ctrip.store.pool import Conn

SPAN: Final = re.compile(r"([0-9]{1,9})([smhd])")
UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

keys = typer.Typer(help="API keys, and the keys that spend.", no_args_is_help=True)
keys.add_typer(wallet, name="wallet")


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is for, to know it again.")],
    scope: Annotated[list[str] | None, typer.Option(help="read, write or admin.")] = None,
    expires_in: Annotated[str, typer.Option(help="90d, 12h or 30m; else it never ends.")] = "",
    allow_cidr: Annotated[
        list[str] | None, typer.Option(help="A network it may be used from; else any.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Make an API key. It is shown this once: only its SHA-256 is kept."""
    from ctrip.flows.keys import make_key
    from ctrip.store import accounts
    from ctrip.web.keys import show_key

    text, record, digest = make_key(
        name,
        scope or SCOPES_DEFAULT,
        SystemClock().now(),
        allowed_cidrs=allow_cidr or (),
        lifetime=span_in(expires_in) if expires_in else None,
    )
    with_database(settings_of(config), lambda conn: accounts.add(conn, record, digest))
    shown = show_key(record, text=text)
    typer.echo(json.encode(shown).decode() if as_json else text)


@keys.command("list")
def list_all(
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """List API keys, without the keys."""
    from ctrip.store import accounts
    from ctrip.web.keys import show_key

    found = with_database(settings_of(config), accounts.all_keys)
    if as_json:
        shown = [show_key(key, last_used_at=key.last_used_at) for key in found]
        typer.echo(json.encode(shown).decode())
        return
    now = SystemClock().now()
    for key in found:
        typer.echo(line_of(key, now))


@keys.command("revoke")
def revoke(
    wanted: Annotated[
        str, typer.Argument(metavar="ID|PREFIX", help="As `ctrip keys list` shows it.")
    ],
    config: ConfigOption = None,
) -> None:
    """End an API key for good, within a second in every process."""
    with_database(settings_of(config), lambda conn: end(conn, wanted, SystemClock().now()))
    typer.echo("revoked")


async def end(conn: Conn, wanted: str, now: datetime) -> None:
    """Revoke the one key that is meant; raise ConfigError if it is none, or not one only."""
    from ctrip.store import accounts

    found = [
        key.id
        for key in await accounts.all_keys(conn)
        if key.revoked_at is None and is_meant(key, wanted)
    ]
    if not found:
        raise ConfigError(
            "there is no such key that is not revoked: name one by its id or prefix, as"
            " `ctrip keys list` shows it"
        )
    if len(found) > 1:
        raise ConfigError(
            f"several keys begin so; name one by its id: {', '.join(map(str, found))}"
        )
    await accounts.revoke(conn, found[0], now=now)


def is_meant(key: KnownKey, wanted: str) -> bool:
    """Tell whether a key is named by its id or, with or without the ellipsis, by its prefix."""
    if wanted.startswith(PREFIX):
        return key.prefix == wanted.rstrip("…")
    try:
        return key.id == KeyId(UUID(wanted))
    except ValueError:
        return False


def span_in(text: str) -> timedelta:
    """Read a span of time as it is typed."""
    match = SPAN.fullmatch(text)
    if not match:
        raise ConfigError("--expires-in: must be a number and a unit: 90d, 12h, 30m or 300s")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def line_of(key: KnownKey, now: datetime) -> str:
    """Return a key on a line."""
    from ctrip.cli.shown import moment, printable

    state = "revoked" if key.revoked_at else "expired" if is_expired(key, now) else "live"
    scopes = ",".join(sorted(key.scopes))
    used = f"used {moment(key.last_used_at)}" if key.last_used_at else "not used yet"
    until = f", until {moment(key.expires_at)}" if key.expires_at else ""
    cidrs = f", from {' '.join(key.allowed_cidrs)}" if key.allowed_cidrs else ""
    name = printable(key.name)
    return f"{key.id}  {key.prefix}…  {state:8} {scopes:18} {name}  ({used}{until}{cidrs})"
