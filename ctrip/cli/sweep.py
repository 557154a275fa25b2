"""`ctrip sweep`: transactions that are signed on another machine than the one that makes them."""

from pathlib import Path
from typing import Annotated

import typer

from ctrip.cli.options import JsonOption
from ctrip.core.errors import ConfigError

sweep = typer.Typer(help="Move deposits by keys that are elsewhere.", no_args_is_help=True)


@sweep.command()
def sign(  # noqa: PLR0913, PLR0917  what may be typed
    file: Annotated[Path, typer.Argument(help="Of unsigned transactions.")],
    out: Annotated[Path, typer.Option(help="To be made: the signed ones.")],
    treasury: Annotated[str, typer.Option(help="The address that money goes to, as you know it.")],
    mnemonic_file: Annotated[Path | None, typer.Option(help="With words.")] = None,
    keystore_file: Annotated[Path | None, typer.Option(help="With words under a password.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="Of the keystore.")] = None,
    gas_keystore_file: Annotated[
        Path | None, typer.Option(help="If the gas wallet has a key of its own.")
    ] = None,
    gas_password_file: Annotated[Path | None, typer.Option(help="Of that.")] = None,
    chain_id: Annotated[int | None, typer.Option(help="Refuse a file for another chain.")] = None,
    fee_max: Annotated[
        str, typer.Option(help="Whole coins; refuse a file whose fees could be more.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Check and sign a file of transactions. Needs no network, database or configuration."""
    from ctrip.cli import offline
    from ctrip.settings import Settlement

    if bool(mnemonic_file) == bool(keystore_file) or bool(keystore_file) != bool(password_file):
        raise ConfigError("give --mnemonic-file, or --keystore-file with --password-file")
    keys = Settlement(
        mnemonic_file=str(mnemonic_file or ""),
        keystore_file=str(keystore_file or ""),
        password_file=str(password_file or ""),
        gas_keystore_file=str(gas_keystore_file or ""),
        gas_password_file=str(gas_password_file or ""),
    )
    limits = offline.Limits(treasury=treasury, chain_id=chain_id, fee_max=fee_max)
    work = offline.prepare(file, keys, limits)
    if not as_json:
        typer.echo(offline.as_text(work.summary))
    if not yes:
        offline.ask()
    offline.finish(work, out)
    typer.echo(offline.as_json(work.summary) if as_json else f"signed: {out}")
