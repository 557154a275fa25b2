"""`ctrip sweep`: what is on its way to the treasury, and what is signed on another machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import json

from ctrip.cli.options import ConfigOption, JsonOption, settings_of, with_database, with_pool
from ctrip.core.errors import ConfigError

if TYPE_CHECKING:
    from ctrip.core.sweep import Sweep

sweep = typer.Typer(help="Deposits on their way to the treasury.", no_args_is_help=True)


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
    refund_max: Annotated[
        list[str] | None,
        typer.Option(help="How much may be given back: coin=0.5, or 0x…=smallest units. Repeated."),
    ] = None,
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
    may_go = tuple(refund_max or ())
    limits = offline.Limits(
        treasury=treasury, chain_id=chain_id, fee_max=fee_max, refund_max=may_go
    )
    work = offline.prepare(file, keys, limits)
    if not as_json:
        typer.echo(offline.as_text(work.summary))
    if not yes:
        offline.ask()
    offline.finish(work, out)
    typer.echo(offline.as_json(work.summary) if as_json else f"signed: {out}")


@sweep.command("list")
def list_open(
    chain: Annotated[str, typer.Option(help="Of this chain only.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """List what has not reached the treasury for good, and why."""
    from ctrip.cli import sweeps

    found = with_database(settings_of(config), lambda conn: sweeps.list_open(conn, chain))
    if as_json:
        typer.echo(json.encode(found).decode())
        return
    for one in found:
        typer.echo(line_of(one))


@sweep.command()
def export(
    chain: Annotated[str, typer.Option(help="As chains.yaml names it.")],
    out: Annotated[Path, typer.Option(help="To be made: what is to be signed.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Write a file for the machine with the keys. It replaces the export before."""
    import asyncio

    from ctrip.cli import exports
    from ctrip.core import bundles

    if out.exists():
        raise ConfigError(f"--out: {out} is there already; name another file")
    bundle, waiting = asyncio.run(exports.export(settings_of(config), chain))
    out.write_bytes(bundles.write(bundle))
    count = len(bundle.transactions)
    if as_json:
        typer.echo(json.encode({"transactions": count, "waiting": waiting}).decode())
        return
    typer.echo(f"{count} transactions to sign: {out}")
    for why in waiting:
        typer.echo(f"not in it: {why}")


@sweep.command("import")
def take(
    file: Annotated[
        Path, typer.Argument(help="That `sign` wrote; or raw transactions in hex, one a line.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Take signatures that came back, and broadcast them. A gateway that runs follows them."""
    import asyncio

    from ctrip.cli import exports

    signed = exports.signatures_in(file)
    done = asyncio.run(exports.take(settings_of(config), signed))
    text = f"{done.signed} of {done.transactions} transactions are new, and under way now"
    typer.echo(json.encode(done).decode() if as_json else text)


@sweep.command()
def retry(
    sweep_id: Annotated[str, typer.Argument(help="As `ctrip sweep list` shows it.")],
    config: ConfigOption = None,
) -> None:
    """Look at a sweep again now, once you have mended what it waits for."""
    from ctrip.cli import sweeps

    typer.echo(line_of(with_pool(settings_of(config), lambda p: sweeps.retry(p, sweep_id))))


@sweep.command()
def drop(
    sweep_id: Annotated[str, typer.Argument(help="As `ctrip sweep list` shows it.")],
    config: ConfigOption = None,
) -> None:
    """Give up a sweep whose money you moved by hand, or want to leave where it is."""
    from ctrip.cli import sweeps

    typer.echo(line_of(with_pool(settings_of(config), lambda p: sweeps.drop(p, sweep_id))))


@sweep.command()
def used(
    refund_id: Annotated[str, typer.Argument(help="As the reason of the refund says it.")],
    by: Annotated[str, typer.Option(help="The hash of a transaction of the payout wallet.")],
    config: ConfigOption = None,
) -> None:
    """Say which transaction used the nonce of an exported refund that did not come back."""
    from ctrip.cli import used as it

    typer.echo(it.used(settings_of(config), refund_id, by))


@sweep.command()
def batcher(
    chain: Annotated[str, typer.Option(help="As chains.yaml names it.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Show where the contract of batches is, and what to send to have it there."""
    import asyncio

    from ctrip.cli import batcher

    found = asyncio.run(batcher.look(settings_of(config), chain))
    typer.echo(json.encode(found).decode() if as_json else batcher.as_text(found))


def line_of(one: "Sweep") -> str:
    """Return a sweep on a line."""
    from ctrip.cli.shown import moment, printable

    why = f"  {printable(one.why)}" if one.why else ""
    asset = "coin" if one.asset == "native" else one.asset
    since = moment(one.created_at)
    return f"{one.id}  {one.chain}  {one.state:8} {one.address}  {asset}  since {since}{why}"
