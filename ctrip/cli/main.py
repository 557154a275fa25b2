"""The command line. Thin: it reads what was typed, calls one thing, prints one thing.

Imports that take long stand inside the commands that need them. Exit codes: 0 done,
1 the outside is down, 2 the operator must mend something (the text says what).
"""

import asyncio
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from ctrip.cli.keys import keys
from ctrip.cli.options import (
    KEY_VARIABLE,
    SECRET_VARIABLE,
    ConfigOption,
    JsonOption,
    settings_of,
    with_database,
)
from ctrip.cli.payments import payments
from ctrip.cli.sweep import sweep
from ctrip.cli.webhooks import webhooks
from ctrip.core.errors import ConfigError, OutageError, RequestError
from ctrip.core.plays import Case
from ctrip.dev.card import FOLDER
from ctrip.dev.commands import dev
from ctrip.settings import Secret

NOW: Final = "now"

app = typer.Typer(
    help="A self-hosted payment gateway for EVM chains.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(keys, name="keys")
app.add_typer(payments, name="payments")
app.add_typer(sweep, name="sweep")
app.add_typer(webhooks, name="webhooks")
app.add_typer(dev, name="dev")


def main() -> None:
    """Run a command, turning our errors into a sentence and an exit code."""
    try:
        app()
    except (ConfigError, RequestError) as error:
        typer.echo(str(error), err=True)
        sys.exit(2)
    except OutageError as error:
        typer.echo(f"{error}. Try again when it is back.", err=True)
        sys.exit(1)


@app.command()
def serve(config: ConfigOption = None) -> None:
    """Serve: API, chain watchers, webhook sender."""
    from ctrip import app as gateway

    gateway.run(gateway.serve(settings_of(config)))


@app.command()
def migrate(config: ConfigOption = None) -> None:
    """Bring the database up to this version. `serve` does it too."""
    from ctrip.store.migrate import migrate as apply
    from ctrip.store.migrate import read_files

    ran = with_database(settings_of(config), lambda conn: apply(conn, read_files()))
    typer.echo("\n".join(f"applied {name}" for name in ran) or "nothing to do")


@app.command()
def check(
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Check the configuration, and show what each endpoint can do."""
    from ctrip.cli import check

    networks = settings_of(config).networks
    checked = asyncio.run(check.ask(networks))
    if as_json:
        typer.echo(check.as_json(checked))
    else:
        check.show(networks, checked)
    check.conclude(checked)
    typer.echo("the configuration is complete", err=as_json)


@app.command()
def rescan(
    chain: Annotated[str, typer.Option(help="As chains.yaml names it.")],
    first: Annotated[int, typer.Option("--from", min=0, help="First block.")],
    last: Annotated[int, typer.Option("--to", min=0, help="Last block, included.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Read a range of blocks again, and credit what was missed. Safe beside `serve`."""
    from ctrip.cli import rescan

    done = asyncio.run(rescan.rescan(settings_of(config), chain, first, last))
    typer.echo(rescan.as_json(done) if as_json else rescan.as_text(done))


@app.command()
def audit(
    chain: Annotated[str, typer.Option(help="As chains.yaml names it; else all.")] = "",
    accept: Annotated[  # noqa: FBT002  a flag of the command line
        bool, typer.Option("--accept", help="Take what addresses hold less as your own doing.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Hold the books against the tables and the chain; 1 if they differ. Safe beside `serve`."""
    from ctrip.cli import audit

    done = asyncio.run(audit.audit(settings_of(config), chain, accept=accept))
    typer.echo(audit.as_json(done) if as_json else audit.as_text(done))
    if any(one.differences for one in done):
        sys.exit(1)


@app.command()
def trigger(
    case: Annotated[Case, typer.Argument(help="What happens to the payment.")],
    amount: Annotated[int, typer.Option(min=1, help="Base units.")] = 1_000_000,
    in_token: Annotated[  # noqa: FBT002  a flag of the command line
        bool, typer.Option("--token", help="In the test token instead of coin.")
    ] = False,
    folder: Annotated[Path, typer.Option(help="Of the dev gateway.")] = FOLDER,
) -> None:
    """Have a dev gateway play a case on its chain, and show the events as they come."""
    from ctrip.cli import trigger

    asyncio.run(trigger.trigger(folder, case, amount=amount, in_token=in_token, say=typer.echo))


@app.command()
def listen(  # noqa: PLR0913, PLR0917  what may be typed
    forward_to: Annotated[str, typer.Option(help="Your receiver: http://127.0.0.1:9000/hooks.")],
    api: Annotated[str, typer.Option(help="The gateway.")] = "http://127.0.0.1:8080",
    key: Annotated[
        str,
        typer.Option(envvar=KEY_VARIABLE, help="An API key; others see what stands here."),
    ] = "",
    events: Annotated[list[str] | None, typer.Option(help="Types, or as payment.*.")] = None,
    since: Annotated[str, typer.Option(help="now, or a place in the stream; 0: all.")] = NOW,
    secret: Annotated[
        str, typer.Option(envvar=SECRET_VARIABLE, help="To sign with; else a new one.")
    ] = "",
    retries: Annotated[int, typer.Option(min=0, help="After a failure, a second apart.")] = 0,
    skip_verify: Annotated[  # noqa: FBT002  a flag of the command line
        bool, typer.Option("--skip-verify", help="Take any certificate of the receiver.")
    ] = False,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Forward the events of a running gateway to a URL of this machine, signed. ^C ends it."""
    from ctrip.cli import listen

    if since != NOW and not (since.isascii() and since.isdecimal()):
        raise ConfigError("--since: must be now, or a place in the stream as it is printed")
    plan = listen.Plan(
        forward_to=forward_to,
        api=api,
        key=Secret(key.strip()),
        event_types=events or (),
        since=None if since == NOW else int(since),
        secret=Secret(secret.strip()),
        retries=retries,
        skip_verify=skip_verify,
        as_json=as_json,
    )
    asyncio.run(listen.listen(plan, typer.echo, partial(typer.echo, err=True)))
