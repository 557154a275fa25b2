"""`ctrip webhooks`: the endpoints in the database, what was sent to them, and sending it again.

Safe beside a gateway that runs: it reads anew what is changed here. Secrets and headers come
from files or from standard input (-), because everybody on a machine sees its command lines.
"""

from pathlib import Path
from typing import Annotated

import typer

from ctrip.cli.desk import Desk, at_desk, say
from ctrip.cli.options import ConfigOption, JsonOption
from ctrip.clock import SystemClock
from ctrip.core.endpoints import CONCURRENCY_DEFAULT, EndpointId, Format
from ctrip.core.ids import EventId
from ctrip.store.pool import connection

webhooks = typer.Typer(
    help="Endpoints, what they were sent, and sending it again.", no_args_is_help=True
)

EndpointArgument = Annotated[str, typer.Argument(metavar="ENDPOINT", help="Its id, we_….")]
SecretFileOption = Annotated[
    Path | None,
    typer.Option("--secret-file", help="Holds the secret to take, - for stdin; else a new one."),
]
Ed25519Option = Annotated[
    bool, typer.Option("--ed25519", help="Make a key pair: the receiver cannot sign.")
]


@webhooks.command("list")
def list_endpoints(
    config: ConfigOption = None,
    sites: Annotated[  # noqa: FBT002  a flag of the command line
        bool, typer.Option("--sites", help="Also those that payments name by webhook_url.")
    ] = False,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """List endpoints, and which of them fail or are disabled."""
    from ctrip.cli import shown
    from ctrip.core.endpoints import Kind
    from ctrip.store import endpoints
    from ctrip.web.endpoint_wire import EndpointView, show_endpoint

    async def work(desk: Desk) -> list[EndpointView]:
        async with connection(desk.pool) as conn:
            found = await endpoints.all_known(conn)
        wanted = [one for one in found if sites or one.kind is not Kind.SITE]
        beside = await desk.endpoints.show(wanted)
        return [show_endpoint(*both) for both in zip(wanted, beside, strict=True)]

    found = at_desk(config, work)
    text = "\n".join(map(shown.endpoint_line, found)) or "there is no endpoint"
    say(found, text, as_json=as_json)


@webhooks.command()
def show(
    wanted: Annotated[str, typer.Argument(metavar="ID", help="Of an event or an endpoint.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Show an event with every attempt and answer, or an endpoint."""
    from ctrip.cli import shown
    from ctrip.core.endpoints import PREFIX
    from ctrip.web.events import KnownEventView

    async def endpoint(desk: Desk) -> shown.EndpointWhole:
        found = await desk.endpoints.find(EndpointId(wanted))
        (beside,) = await desk.endpoints.show([found])
        async with connection(desk.pool) as conn:
            return await shown.whole(conn, found, beside)

    async def event(desk: Desk) -> KnownEventView:
        async with connection(desk.pool) as conn:
            return await shown.event(conn, EventId(wanted), desk.clock)

    if wanted.startswith(PREFIX):
        found = at_desk(config, endpoint)
        say(found, shown.endpoint_text(found), as_json=as_json)
    else:
        news = at_desk(config, event)
        say(news, shown.event_text(news), as_json=as_json)


@webhooks.command()
def create(  # noqa: PLR0913, PLR0917  what may be typed
    url: Annotated[str, typer.Argument(help="Where it is sent.")],
    description: Annotated[str, typer.Option(help="To know it again.")] = "",
    events: Annotated[list[str] | None, typer.Option(help="Types, or as payment.*.")] = None,
    payload: Annotated[
        Format, typer.Option("--format", help="thin sends the payment's id alone.")
    ] = Format.STANDARD,
    headers_file: Annotated[
        Path | None, typer.Option(help="Headers to send: JSON, or lines; - for stdin.")
    ] = None,
    concurrency_max: Annotated[int, typer.Option(help="Requests at once.")] = CONCURRENCY_DEFAULT,
    rate_max: Annotated[float | None, typer.Option(help="Requests a second.")] = None,
    secret_file: SecretFileOption = None,
    ed25519: Ed25519Option = False,  # noqa: FBT002  a flag of the command line
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Make an endpoint. Its secret is shown this once."""
    from ctrip.cli import shown, verify
    from ctrip.flows.register import New
    from ctrip.web.endpoint_wire import hidden

    headers = (
        verify.headers_of(verify.text_of(headers_file, "--headers-file")) if headers_file else {}
    )
    new = New(
        url=url,
        description=description,
        event_types=tuple(events or ("*",)),
        format=payload,
        headers=hidden(headers),
        concurrency_max=concurrency_max,
        rate_max=rate_max,
        secret=verify.secret_in(secret_file),
        signature="ed25519" if ed25519 else "hmac",
    )
    made, secret = at_desk(config, lambda desk: desk.endpoints.create(new))
    told = {"id": made.id, "url": made.url, "secret": secret}
    say(told, f"{made.id}  {shown.printable(made.url)}\n{secret}", as_json=as_json)


@webhooks.command()
def rotate(
    endpoint: EndpointArgument,
    overlap: Annotated[
        float, typer.Option("--overlap-hours", help="So long the old secret signs beside it.")
    ] = 24.0,
    secret_file: SecretFileOption = None,
    ed25519: Ed25519Option = False,  # noqa: FBT002  a flag of the command line
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Give an endpoint a new secret, which is shown this once."""
    from datetime import timedelta

    from ctrip.cli import verify

    secret = at_desk(
        config,
        lambda desk: desk.endpoints.rotate(
            EndpointId(endpoint),
            overlap=timedelta(hours=overlap),
            secret=verify.secret_in(secret_file),
            signature="ed25519" if ed25519 else None,
        ),
    )
    say({"id": endpoint, "secret": secret}, secret, as_json=as_json)


@webhooks.command()
def enable(
    endpoint: EndpointArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Send to an endpoint again, as if it had never failed."""
    found = at_desk(config, lambda desk: desk.endpoints.enable(EndpointId(endpoint)))
    text = f"enabled; `ctrip webhooks recover {endpoint} --since …` sends what it missed"
    say({"id": found.id, "enabled": found.enabled}, text, as_json=as_json)


@webhooks.command()
def disable(
    endpoint: EndpointArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Send nothing to an endpoint any more."""
    found = at_desk(config, lambda desk: desk.endpoints.disable(EndpointId(endpoint)))
    say({"id": found.id, "enabled": found.enabled}, "disabled", as_json=as_json)


@webhooks.command()
def delete(
    endpoint: EndpointArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Forget an endpoint, its secrets and what waits for it."""
    at_desk(config, lambda desk: desk.endpoints.remove(EndpointId(endpoint)))
    say({"id": endpoint, "deleted": True}, "deleted", as_json=as_json)


@webhooks.command("test")
def send_test(
    endpoint: EndpointArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Send an endpoint a test event. A gateway must run."""
    event = at_desk(config, lambda desk: desk.endpoints.test(EndpointId(endpoint)))
    text = f"{event} is on its way; `ctrip webhooks show {event}` says what became of it"
    say({"event_id": event}, text, as_json=as_json)


@webhooks.command()
def deliveries(
    endpoint: EndpointArgument,
    state: Annotated[str, typer.Option(help="all, waiting, delivered or dead.")] = "all",
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="So many at most.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """List what waits for an endpoint, and what became of the rest."""
    from ctrip.cli import shown
    from ctrip.web.endpoint_wire import DeliveryView

    async def work(desk: Desk) -> list[DeliveryView]:
        found = await desk.endpoints.find(EndpointId(endpoint))
        async with connection(desk.pool) as conn:
            return await shown.deliveries(conn, found.id, state, limit, desk.clock)

    found = at_desk(config, work)
    say(found, "\n".join(map(shown.delivery_line, found)) or "nothing", as_json=as_json)


@webhooks.command()
def redeliver(
    endpoint: EndpointArgument,
    events: Annotated[list[str], typer.Argument(metavar="EVENT...", help="Their ids, evt_….")],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Send events to an endpoint again, whatever became of them. A gateway must run."""
    ids = [EventId(event) for event in events]
    queued = at_desk(config, lambda desk: desk.endpoints.redeliver(EndpointId(endpoint), ids))
    under_way = len(set(ids)) - queued
    text = f"{queued} queued" + (f", {under_way} on the way already" if under_way else "")
    say({"queued": queued, "under_way": under_way}, text, as_json=as_json)


@webhooks.command()
def recover(
    endpoint: EndpointArgument,
    since: Annotated[str, typer.Option(help="2026-01-01T00:00Z; what happened from then on.")],
    until: Annotated[str, typer.Option(help="And before that; else until now.")] = "",
    types: Annotated[
        list[str] | None, typer.Option(help="Of these types; else those of its filter.")
    ] = None,
    include_delivered: Annotated[  # noqa: FBT002  a flag of the command line
        bool, typer.Option("--include-delivered", help="Also what it has taken.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Send an endpoint what it has not taken, bit by bit. Goes on by itself in `serve`."""
    from ctrip.cli import recover
    from ctrip.web.endpoint_wire import show_replay

    begin = recover.time_of("--since", since)
    end = recover.time_of("--until", until) if until else None
    done = at_desk(
        config,
        lambda desk: recover.recover(
            desk.endpoints,
            desk.pool,
            desk.clock,
            EndpointId(endpoint),
            since=begin,
            until=end,
            event_types=types or None,
            delivered=include_delivered,
        ),
    )
    say(show_replay(done), recover.as_text(done), as_json=as_json)


@webhooks.command()
def verify(
    secret_file: Annotated[Path, typer.Option(help="whsec_…, whpk_… or text; - for stdin.")],
    headers_file: Annotated[Path, typer.Option(help="The headers: lines, or JSON.")],
    body_file: Annotated[Path, typer.Option(help="The body, byte for byte.")],
    now: Annotated[int | None, typer.Option(help="Unix seconds, in place of the clock.")] = None,
    as_json: JsonOption = False,  # noqa: FBT002  a flag of the command line
) -> None:
    """Judge a request that a receiver refused: is it genuine, and if not, what is wrong?"""
    from ctrip.cli import verify
    from ctrip.core.verify import Genuine

    seconds = int(SystemClock().now().timestamp()) if now is None else now
    verdict = verify.judge(secret_file, headers_file, body_file, seconds)
    say(verdict, verify.as_text(verdict), as_json=as_json)
    if not isinstance(verdict, Genuine):
        raise typer.Exit(2)
