"""`ctrip dev`: the commands of the development environment.

What they run is imported when they do: every other command would wait for a whole gateway.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ctrip.dev.card import FOLDER

dev = typer.Typer(help="A gateway with its own Postgres and chain, to develop against.")

FolderOption = Annotated[Path, typer.Option(help="Where the data is kept.")]


@dev.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Of the API; 0 takes any free one.")] = 8080,
    chain_port: Annotated[int, typer.Option(help="Of the chain; 0 takes any free one.")] = 8545,
    webhook_url: Annotated[str, typer.Option(help="Your receiver, on loopback too.")] = "",
    folder: FolderOption = FOLDER,
    fresh: Annotated[  # noqa: FBT002  a flag of the command line
        bool, typer.Option("--fresh", help="Forget all payments and the chain first.")
    ] = False,
    sweep: Annotated[  # noqa: FBT002  a flag of the command line
        bool, typer.Option("--sweep", help="Move confirmed money to a treasury.")
    ] = False,
) -> None:
    """Serve on this machine: embedded Postgres, a local chain, a test token."""
    if context.invoked_subcommand is None:
        from ctrip.dev import run as running

        plan = running.Plan(
            folder=folder,
            port=port,
            chain_port=chain_port,
            webhook_url=webhook_url,
            fresh=fresh,
            sweep=sweep,
        )
        running.run(plan)


@dev.command()
def pay(
    payment_id: Annotated[str, typer.Argument(help="Of a payment of the dev gateway.")],
    amount: Annotated[str, typer.Option(help="Base units; else what is missing.")] = "",
    token: Annotated[str, typer.Option(help="A token's contract; else what was asked for.")] = "",
    folder: FolderOption = FOLDER,
) -> None:
    """Pay a payment of the dev gateway, for real, on its chain."""
    from ctrip.dev.pay import pay as pay_payment

    typer.echo(asyncio.run(pay_payment(folder, payment_id, amount=amount, token=token)))


@dev.command()
def db(folder: FolderOption = FOLDER) -> None:
    """Start the embedded Postgres alone, print its URL, and stop it with Ctrl-C."""
    from ctrip.dev import run as running

    running.run_database(folder)
