"""`ctrip keys wallet`: make the words of an account, and look at those that are configured.

None of it needs a database or a network; only `check` reads the configuration.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct, json
from msgspec.structs import asdict

from ctrip.cli.options import ConfigOption, JsonOption, settings_of
from ctrip.core.errors import ConfigError
from ctrip.core.ids import Address
from ctrip.core.payment import Settles
from ctrip.dumps import forbid_dumps
from ctrip.settings import Settings
from ctrip.wallet.derive import checksum, open_wallet
from ctrip.wallet.keystore import (
    Vault,
    account_in,
    account_of,
    faults_of,
    load_signer,
    make_account,
    read_password,
)
from ctrip.wallet.words import wipe

wallet = typer.Typer(help="The keys that spend what was paid.", no_args_is_help=True)

PasswordFileOption = Annotated[
    Path | None, typer.Option(help="Its first line is the password of a keystore.")
]


class Checked(Struct, frozen=True, kw_only=True):
    """What `check` found, as --json prints it."""

    mode: str
    files: dict[str, str]  # by field of [settlement]: what is wrong, "" if nothing is
    fingerprint: str | None = None
    gas_address: Address | None = None
    payout_address: Address | None = None
    fault: str = ""


@wallet.command()
def new(
    file: Annotated[Path, typer.Argument(help="To be made; never written over.")],
    keystore: Annotated[  # noqa: FBT002  a flag of the command line
        bool, typer.Option("--keystore", help="Under a password, not as plain words.")
    ] = False,
    password_file: PasswordFileOption = None,
    show_words: Annotated[  # noqa: FBT002  a flag of the command line
        bool, typer.Option("--show-words", help="Print the words, to be written on paper.")
    ] = False,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Make a new account of 24 words in a file, and print its xpub."""
    forbid_dumps()
    if password_file and not keystore:
        raise ConfigError("--password-file: is given without --keystore; give both or neither")
    password = password_of(password_file) if keystore else None
    words = make_account(file, password)
    account = account_of(words)
    told = {"words": words.decode()} if show_words else {}
    shown = {"file": str(file), **asdict(account), **told}
    typer.echo(
        json.encode(shown).decode() if as_json else "\n".join([account.xpub, *told.values()])
    )
    for secret in (words, password or bytearray()):
        wipe(secret)


@wallet.command("show-xpub")
def show_xpub(
    file: Annotated[Path, typer.Argument(help="With words, or a keystore of such.")],
    password_file: PasswordFileOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Print the xpub of the account in a file: all that making addresses needs."""
    forbid_dumps()
    account = account_in(Vault(file, password_file))
    typer.echo(json.encode(account).decode() if as_json else account.xpub)


@wallet.command()
def check(
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Try the configured keys: are their files ours alone, and is the account that of the xpub?"""
    forbid_dumps()
    checked = look(settings_of(config))
    typer.echo(json.encode(checked).decode() if as_json else "\n".join(lines_of(checked)))
    if checked.fault:
        raise ConfigError(checked.fault)


def password_of(file: Path | None) -> bytearray:
    """Return the password for a new keystore, from a file or from whoever types."""
    if file:
        return read_password(file)
    if not sys.stdin.isatty():
        raise ConfigError("--password-file: is missing, and there is no terminal to ask at")
    typed = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return bytearray(str(typed).encode())


def look(settings: Settings) -> Checked:
    """Find out what is wrong with the keys, and whose they are."""
    settlement = settings.settlement
    files = faults_of(settlement)
    modes = {settlement.mode, *(network.chain.settlement.mode for network in settings.networks)}
    if not files and Settles.SWEEP not in modes:
        return Checked(mode=settlement.mode, files=files)
    if faults := [f"[settlement] {name}: {fault}" for name, fault in files.items() if fault]:
        return Checked(mode=settlement.mode, files=files, fault="\n".join(faults))
    watched = open_wallet(
        settings.wallet, chain_ids=[network.chain.chain_id for network in settings.networks]
    )
    try:
        signer = load_signer(settlement, expected_fingerprint=watched.fingerprint)
    except ConfigError as fault:
        return Checked(mode=settlement.mode, files=files, fault=str(fault))
    return Checked(
        mode=settlement.mode,
        files=files,
        fingerprint=signer.fingerprint,
        gas_address=checksum(signer.gas_address),
        payout_address=checksum(signer.payout_address),
    )


def lines_of(checked: Checked) -> list[str]:
    """Return what was found, for people."""
    lines = [f"mode    {checked.mode}"]
    if not checked.files and not checked.fault:
        return [*lines, "keys    none, and none is needed in this mode"]
    lines += [f"{name}: {'not usable' if fault else 'ours alone'}"
              for name, fault in checked.files.items()]  # fmt: skip
    if checked.fingerprint:
        lines += [
            f"account {checked.fingerprint}, that of the addresses",
            f"gas     {checked.gas_address}",
            f"payout  {checked.payout_address}",
        ]
    return lines
