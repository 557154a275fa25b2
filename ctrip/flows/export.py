"""Let another machine sign: what is next for sweeps, as a file; take.py takes signatures back.

An export writes what it hands out as unsigned sendings, each with its place in its sender's line,
so that nothing else takes that. A token's top-up and its sweep go out together; the sweep is shown
to nodes when its gas has arrived. An export replaces the one before, as far as that did not come
back: what it held is given up, and refused when it comes after all.

What comes back must be what went out, to the byte, signed by its sender; then it is followed like
what we sign ourselves.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from ctrip.core.bundles import ToSign, Unsigned
from ctrip.core.chains import Chain
from ctrip.core.paths import GAS_PATH, deposit_path
from ctrip.core.sending import Purpose, Sending
from ctrip.core.sweep import Fuel, Send, Sweep, after
from ctrip.flows.decide import Decider, Decision
from ctrip.flows.export_refunds import RefundExporter
from ctrip.flows.write_out import offered, units, worth, written
from ctrip.store import sendings, sweeps, transfers
from ctrip.store.pool import transaction

EXPORTED_MAX: Final = 4_500  # sweeps in a file; a token's has two transactions, and refunds one
EXPORTED: Final = "it was exported, and its signatures are waited for"


class Exporter(Decider):
    """The sweeps of one chain that are signed elsewhere."""

    async def export(self) -> ToSign:
        """Decide about all sweeps that wait, and return what is to be signed for them."""
        async with transaction(self._pool) as conn:
            await sendings.void_unsigned(conn, self.chain.name)
        out: list[Unsigned] = []
        async for decision in self.decisions(count_max=EXPORTED_MAX):
            out += await self._draw_up(decision)
        return ToSign(
            chain=self.chain.name,
            chain_id=self.chain.chain_id,
            treasury=str(self.chain.settlement.treasury),
            made_at=self._clock.now(),
            units=units(self.chain),
            transactions=(*out, *await self._refunds()),
        )

    async def _refunds(self) -> list[Unsigned]:
        """Return the refunds that are to be signed; none where it is not said who pays them."""
        if self._payout_wallet is None:
            return []
        return await self.beside(RefundExporter).export()

    async def _draw_up(self, decision: Decision) -> list[Unsigned]:
        """Write what a sweep needs signed; nothing if it waits for something else."""
        sweep, view = decision.sweep, decision.view
        match decision.step:
            case Fuel(value, offer):
                fuel = await self.draw_up_fuel(sweep, value, view.fuel_gas)
                move = await self.draw_up_move(sweep, view.balance, view.gas)
                new = [offered(fuel, offer), offered(move, offer)]
            case Send(amount, gas, offer):
                new = [offered(await self.draw_up_move(sweep, amount, gas), offer)]
            case step:
                async with transaction(self._pool) as conn:
                    await sweeps.save(conn, after(sweep, step, now=self._clock.now()))
                return []
        async with transaction(self._pool) as conn:
            for one in new:
                await sendings.insert(conn, one)
            await transfers.plan_sweep(conn, sweep.id, self.chain.name, sweep.address, sweep.asset)
            await sweeps.save(conn, replace(sweep, why=EXPORTED))
        return [to_sign(one, sweep, self.chain, new) for one in new]


def to_sign(one: Sending, sweep: Sweep, chain: Chain, together: Sequence[Sending]) -> Unsigned:
    """Put a sending into the words of the file."""
    deposit = deposit_path(sweep.derivation_index)
    what = f"sweep of payment {sweep.payment_id}: {worth(one, chain)}"
    if one.purpose is Purpose.FUEL:
        return written(one, chain, f"gas for the {what}", GAS_PATH, to_path=deposit)
    before = next((other.id for other in together if other.purpose is Purpose.FUEL), None)
    return written(one, chain, what, deposit, depends_on=before)
