"""`ctrip payments`: a payment as it is, and why it is not paid.

Asks the database and the chains themselves, so it answers also where no gateway runs, and
sees every payment, whichever key made it.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ctrip.cli.desk import say
from ctrip.cli.options import ConfigOption, JsonOption, settings_of
from ctrip.core.errors import ConfigError
from ctrip.settings import Settings

if TYPE_CHECKING:
    from ctrip.core.case import About
    from ctrip.core.explain import Explanation

UNKNOWN: Final = "there is no such payment"
TIME_WIDTH: Final = 20  # characters of a time to the second, with its Z

payments = typer.Typer(help="A payment, and why it is not paid.", no_args_is_help=True)


@payments.command()
def show(
    wanted: Annotated[str, typer.Argument(metavar="ID", help="Of a payment.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Show a payment with its transfers, as the API does."""
    from ctrip.cli.options import with_database
    from ctrip.core.view import show as view
    from ctrip.store.payments import find

    about = meant(wanted)
    if (payment_id := about.payment_id) is None:
        raise ConfigError(f"{wanted} is not the id of a payment")
    found = with_database(settings_of(config), lambda conn: find(conn, payment_id))
    if found is None:
        raise ConfigError(UNKNOWN)
    shown = view(found)
    lines = [
        f"{shown.id}  {shown.status}  {' '.join(shown.flags)}".rstrip(),
        f"{shown.amount_decimal} {shown.currency} on {shown.chain} to {shown.address}",
        f"received {shown.amount_received} of {shown.amount} base units",
        f"{shown.confirmations} of {shown.confirmations_required} confirmations",
        f"created {shown.created_at}, expires {shown.expires_at}",
        *(
            f"  block {t.block_number}  {t.amount} of {t.asset}  "
            f"{'counts' if t.counted else 'does not count'}  {t.tx_hash or 'by balance'}"
            for t in shown.transfers
        ),
    ]
    say(shown, "\n".join(lines), as_json=as_json)


@payments.command()
def explain(
    wanted: Annotated[
        str, typer.Argument(metavar="WHAT", help="Id or address of a payment, or a transaction.")
    ],
    tx_hash: Annotated[
        str, typer.Option("--tx", help="A transaction that is said to have paid it.")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Say why a payment is not paid, or what became of a payer's transaction."""
    about, paid = meant(wanted), meant(tx_hash) if tx_hash else None
    if paid is not None and paid.tx_hash is None:
        raise ConfigError("--tx: must be a transaction hash")
    told = asyncio.run(ask(settings_of(config), about, paid))
    if told is None:
        raise ConfigError(UNKNOWN)
    say(told, as_text(told), as_json=as_json)


def meant(text: str) -> "About":
    """Return what was typed, by its shape."""
    from ctrip.core.case import read_about

    about = read_about(text)
    if about is None:
        raise ConfigError(f"{text} is no id or address of a payment, and no transaction hash")
    return about


async def ask(settings: Settings, about: "About", paid: "About | None") -> "Explanation | None":
    """Look at the chains, and explain."""
    from ctrip import logs
    from ctrip.assembly import close
    from ctrip.chain.rpc import RpcChain
    from ctrip.cli.options import POOL_SIZE_MAX
    from ctrip.clock import SystemClock
    from ctrip.flows.explain import LOOK_SECONDS_MAX, Explainer, glance
    from ctrip.flows.health import Health
    from ctrip.settings import Log, secrets_of
    from ctrip.store.pool import connect

    logs.configure(Log(level="error", format="text"), secrets_of(settings))
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        pool = await connect(settings.database.url, size_max=POOL_SIZE_MAX)
        stack.push_async_callback(close, pool)
        clients = {
            n.chain.name: RpcChain(n.chain, n.rpc_urls, clock, timeout_seconds=LOOK_SECONDS_MAX)
            for n in settings.networks
        }
        for client in clients.values():
            stack.push_async_callback(client.close)
        chains = [network.chain for network in settings.networks]
        states = {name: client.endpoints for name, client in clients.items()}
        health = Health(clock, chains, states)
        await glance(chains, clients, pool, health)
        explainer = Explainer(chains, clients, pool, clock, health)
        return await explainer.explain(about, owner=None, tx_hash=paid.tx_hash if paid else None)


def as_text(told: "Explanation") -> str:
    """Return the answer, and the facts one a line."""
    of = f"payment {told.payment_id}, {told.status}" if told.payment_id else "no payment of ours"
    facts = (
        f"  {f'{fact.at:%Y-%m-%dT%H:%M:%SZ}' if fact.at else '':{TIME_WIDTH}}  {fact.text}"
        for fact in told.facts
    )
    return "\n".join((told.answer, "", f"{told.code}: {of}", *facts))
