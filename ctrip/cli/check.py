"""`ctrip check`: a table of what each endpoint of each network in use can do.

What is wrong is raised afterwards, so that the table can be read beside it: tokens that
are not what chains.yaml says are the operator's to mend, an endpoint that cannot be used
may come back.
"""

import asyncio
from collections.abc import Iterator, Sequence

from msgspec import Struct, json
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ctrip.chain.survey import Survey, survey
from ctrip.chain.tokens import token_faults
from ctrip.clock import SystemClock
from ctrip.core.chains import Chain, Token
from ctrip.core.errors import ConfigError, OutageError
from ctrip.core.ids import ChainName
from ctrip.core.money import in_coins
from ctrip.core.price import NoRound, RateSource, fault_of
from ctrip.settings import Network


class Checked(Struct, frozen=True, kw_only=True):
    """One network and its endpoints, as --json prints them."""

    chain: ChainName
    endpoints: Sequence[Survey]
    token_faults: Sequence[str]


async def ask(networks: Sequence[Network]) -> list[Checked]:
    """Ask every endpoint of every network in use."""
    clock = SystemClock()
    answers = await asyncio.gather(
        *(survey(network.chain, network.rpc_urls, clock) for network in networks)
    )
    return [
        Checked(
            chain=network.chain.name,
            endpoints=surveys,
            token_faults=token_faults(network.chain, {s.label: s.tokens for s in surveys}),
        )
        for network, surveys in zip(networks, answers, strict=True)
    ]


def show(networks: Sequence[Network], checked: Sequence[Checked]) -> None:
    """Print a table for each network."""
    console = Console()
    for network, one in zip(networks, checked, strict=True):
        console.print(table(network.chain, one.endpoints))


def as_json(checked: Sequence[Checked]) -> str:
    """Return all of it as JSON."""
    return json.format(json.encode(checked)).decode()


def conclude(checked: Sequence[Checked]) -> None:
    """Raise what is wrong; a file to mend goes before an endpoint to wait for."""
    if faults := [fault for one in checked for fault in one.token_faults]:
        raise ConfigError("\n".join(faults))
    bad = [f"{s.label}: {s.fault}" for one in checked for s in one.endpoints if s.fault]
    if bad:
        count = f"{len(bad)} endpoint{'s' if len(bad) > 1 else ''} cannot be used"
        raise OutageError(f"{count}: {'; '.join(bad)}")


def table(chain: Chain, surveys: Sequence[Survey]) -> Table:
    """Draw one network: a row for each question, a column for each endpoint."""
    drawn = Table(title=f"{chain.name} (chain {chain.chain_id})", title_justify="left")
    drawn.add_column("")
    for place, _ in enumerate(surveys, start=1):
        drawn.add_column(f"endpoint {place}")
    for question, answers in rows(chain, surveys):
        drawn.add_row(question, *(escape(answer) for answer in answers))
    return drawn


def rows(chain: Chain, surveys: Sequence[Survey]) -> Iterator[tuple[str, list[str]]]:
    """Yield a question and what each endpoint answers."""
    stands_in = {
        "finalized": f"none: depth {chain.finality_depth} stands in",
        "safe": "none: the final block stands in",
    }
    yield "usable", [f"no: {s.fault}" if s.fault else "yes" for s in surveys]
    yield "chain id", [s.chain_id or "-" for s in surveys]
    yield "head", [head(s) for s in surveys]
    yield "finalized", [tag(s, "finalized", s.finalized, stands_in) for s in surveys]
    yield "safe", [tag(s, "safe", s.safe, stands_in) for s in surveys]
    yield "eth_getLogs", [logs(s) for s in surveys]
    yield "traces", [told(s, "traces", s.traces or "none") for s in surveys]
    yield "balances at once", [batched(s) for s in surveys]
    for token in chain.tokens:
        yield (
            escape(f"{token.symbol}, {token.decimals} decimals"),
            [said(s, token) for s in surveys],
        )
    for coin, source in sources(chain):
        yield (
            escape(f"{coin} in {source.currency}"),
            [rate(s, source) for s in surveys],
        )


def sources(chain: Chain) -> Iterator[tuple[str, RateSource]]:
    """Yield what can be priced, and where its rate stands."""
    yield from ((chain.coin, source) for source in chain.coin_prices)
    for token in chain.tokens:
        yield from ((token.symbol, source) for source in token.prices)


def told(one: Survey, name: str, answer: str) -> str:
    """Return an answer, or why there is none."""
    if one.head is None:
        return "-"
    return f"? {one.unclear[name]}" if name in one.unclear else answer


def batched(one: Survey) -> str:
    """Say how balances are read."""
    answer = "yes" if one.balances_at_once else "no: asked one by one"
    return told(one, "balances_at_once", answer)


def head(one: Survey) -> str:
    """Say how far it is, and how long ago that block was made."""
    age = one.head_age_seconds
    return "-" if age is None else f"{one.head}, {age:.0f} s old"


def tag(one: Survey, name: str, number: int | None, stands_in: dict[str, str]) -> str:
    """Say which block it calls so, or what counts instead."""
    return told(one, name, stands_in[name] if number is None else str(number))


def logs(one: Survey) -> str:
    """Say how many blocks it gives the logs of."""
    if one.fault:
        return told(one, "logs_range", "no")
    return f"{one.logs_range:,} block{'s' if one.logs_range > 1 else ''} at once"


def said(one: Survey, token: Token) -> str:
    """Return what a token's contract says."""
    for found in one.tokens:
        if found.contract == token.contract:
            if found.missing:
                return "NO TOKEN AT THIS ADDRESS"
            if found.decimals is None:
                return "? it does not say"
            right = found.decimals == token.decimals
            return f"{'' if right else 'WRONG: '}{found.decimals}, {found.symbol}"
    return "-" if one.head is None else "? no answer"


def rate(one: Survey, source: RateSource) -> str:
    """Return what a feed says, or why it may not be sold at."""
    if source.feed is None:
        return "1, pinned in chains.yaml"
    for found in one.feeds:
        if found.feed == source.feed and found.read is not None:
            fault = fault_of(found.read, source.heartbeat_seconds, SystemClock().now())
            if fault or isinstance(found.read, NoRound):
                return f"NO PRICE: it {fault}"
            return f"{in_coins(found.read.answer, found.read.decimals)}, {found.description}"
    return "-" if one.head is None else "? no answer"
