"""`ctrip audit`: hold the books against the tables and the chain, beside a gateway that runs.

It does what a gateway does every day (flows/reconcile.py), so it also lifts what was held once
nothing differs any more.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import json
from msgspec.structs import replace

from ctrip.cli.chains import network_of, outsides
from ctrip.core.books import Difference
from ctrip.core.ids import NATIVE, Asset
from ctrip.flows.reconcile import Reconciliation, reconcile
from ctrip.settings import Log, Settings

POOL_SIZE_MAX: Final = 2  # connections: one chain after another


async def audit(settings: Settings, chain: str, *, accept: bool) -> list[Reconciliation]:
    """Compare the books of one chain, or of all."""
    networks = [network_of(settings.networks, chain)] if chain else settings.networks
    quiet = replace(settings, log=Log(level="error", format="text"))
    async with outsides(quiet, networks, connections=POOL_SIZE_MAX) as it:
        return [
            await reconcile(
                network.chain, it.clients[network.chain.name], it.pool, it.clock, accept=accept
            )
            for network in networks
        ]


def as_text(done: Sequence[Reconciliation]) -> str:
    """Say what came of it."""
    return "\n".join(line for one in done for line in lines(one))


def lines(done: Reconciliation) -> list[str]:
    """Say what came of one chain's comparison."""
    if done.number is None:
        return [f"{done.chain}: nothing is booked yet"]
    text = f"{done.chain}: {done.balances} balances compared after block {done.number}"
    if done.under_way:
        text += f", {done.under_way} left out because a transaction is under way"
    if done.left_alone:
        text += f", {done.left_alone} lower because their owner moved what they held"
    said = [text, *([done.uncompared] if done.uncompared else [])]
    said += [sentence(one) for one in done.differences]
    return [*said, f"{done.chain}: {conclusion(done.differences)}"]


def sentence(one: Difference) -> str:
    """Say what differs and what to do."""
    return f"[{one.name}] {name_of(one.asset)}: {one.what} Remedy: {one.remedy}."


def name_of(asset: Asset | None) -> str:
    """Return what an asset is called."""
    if asset is None:
        return "all assets"
    return "native coin" if asset == NATIVE else f"token {asset}"


def conclusion(differences: Sequence[Difference]) -> str:
    """Say in one line how it stands."""
    if not differences:
        return "everything agrees"
    held = sorted({name_of(one.asset) for one in differences if one.holds})
    noun = "difference" if len(differences) == 1 else "differences"
    rests = f"; not moved until it is mended: {', '.join(held)}" if held else ""
    return f"{len(differences)} {noun}{rests}"


def as_json(done: Sequence[Reconciliation]) -> str:
    """Return it as JSON."""
    return json.format(json.encode(done)).decode()
