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

from ctrip.core.bundles import ToSign, Unit, Unsigned, in_all_forms
from ctrip.core.chains import Chain
from ctrip.core.fees import Price
from ctrip.core.ids import Amount
from ctrip.core.money import in_coins
from ctrip.core.paths import GAS_PATH, deposit_path
from ctrip.core.sending import Offer, Purpose, Sending, SendingState
from ctrip.core.sweep import Fuel, Send, Sweep, after
from ctrip.flows.decide import Decider, Decision
from ctrip.store import payments, sendings, sweeps
from ctrip.store.pool import transaction
from ctrip.wallet.derive import checksum

EXPORTED_MAX: Final = 5_000  # sweeps in a file; a token's has two transactions
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
            transactions=tuple(out),
        )

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
            await payments.plan_sweep(conn, sweep.id, self.chain.name, sweep.address, sweep.asset)
            await sweeps.save(conn, replace(sweep, why=EXPORTED))
        return [to_sign(one, sweep, self.chain, new) for one in new]


def offered(new: Sending, price: Price) -> Sending:
    """Return a sending that is to be signed elsewhere, at a price."""
    value = new.amount if new.is_native else Amount(0)
    return replace(new, state=SendingState.UNSIGNED, exported=Offer(value, price))


def to_sign(one: Sending, sweep: Sweep, chain: Chain, together: Sequence[Sending]) -> Unsigned:
    """Put a sending into the words of the file."""
    offer = one.exported
    assert offer is not None  # noqa: S101  it was made a moment ago
    is_fuel = one.purpose is Purpose.FUEL
    deposit = deposit_path(sweep.derivation_index)
    before = next((other.id for other in together if other.purpose is Purpose.FUEL), None)
    tip = offer.price.priority_fee
    what = f"sweep of payment {sweep.payment_id}: {worth(one, chain)}"
    unsigned = Unsigned(
        id=one.id,
        why=f"gas for the {what}" if is_fuel else what,
        sender=checksum(one.sender),
        path=GAS_PATH if is_fuel else deposit,
        to=checksum(one.recipient),
        to_path=deposit if is_fuel else None,
        value=str(offer.value),
        data=one.data,
        nonce=one.nonce,
        gas=one.gas,
        max_fee_per_gas=str(offer.price.max_fee),
        max_priority_fee_per_gas=None if tip is None else str(tip),
        depends_on=None if is_fuel else before,
    )
    return in_all_forms(unsigned, chain.chain_id)


def worth(one: Sending, chain: Chain) -> str:
    """Write what is moved for people."""
    token = next((token for token in chain.tokens if token.asset == one.asset), None)
    symbol, decimals = (
        (token.symbol, token.decimals) if token else (chain.coin, chain.coin_decimals)
    )
    return f"{in_coins(one.amount, decimals)} {symbol}"


def units(chain: Chain) -> tuple[Unit, ...]:
    """Return how a chain's assets are written."""
    coin = Unit(symbol=chain.coin, decimals=chain.coin_decimals)
    tokens = [
        Unit(contract=token.contract, symbol=token.symbol, decimals=token.decimals)
        for token in chain.tokens
    ]
    return (coin, *tokens)
