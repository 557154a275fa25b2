"""A gateway that refunds on a real chain. What it received stays where it is, unless it `sweeps`.

async with a_refunding_world(pool, anvil) as world:
    payment = await world.paid(10**18)
    await world.refund(payment)             # all of it, to REFUNDED
    await world.settle()
    assert await world.balance(REFUNDED) == 10**18
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

from msgspec.structs import replace

from ctrip.core.chains import Chain
from ctrip.core.ids import NOBODY, Amount, RawAddress, RefundId
from ctrip.core.payment import Payment
from ctrip.core.refund import Refund
from ctrip.flows.give_back import Refunds, Wish
from ctrip.flows.refund import Refunder
from ctrip.store.pool import Pool
from tests.faults.world import RunOnce
from tests.support.anvil import Anvil
from tests.sweeps.world import PURSE, SweepingWorld, swept
from tests.wild.world import USD

REFUNDED: Final = RawAddress("0x" + "4e" * 20)
DAILY: Final = Amount(5 * 10**18)
TOKENS: Final = 1_000  # in the payout wallet
BROKE: Final = 0


class RefundingWorld(SweepingWorld):
    """Everything that looks at a chain, and what pays refunds on it."""

    def __init__(
        self, pool: Pool, anvil: Anvil, chain: Chain, urls: Sequence[str], *, sweeps: bool
    ) -> None:
        self._sweeps = sweeps
        super().__init__(pool, anvil, chain, urls)

    def _start(self) -> dict[str, RunOnce]:
        duties = super()._start()
        transactor = self._client.transactor()
        moving = (self._chain, transactor, self._pool, self.clock, self._news, self.signer)
        self.refunder = Refunder(*moving)
        for verb in () if self._sweeps else ("plan", "sweep"):
            duties.pop(verb, None)
        return {**duties, "refund": self.refunder.run_once}

    @property
    def wallet(self) -> RawAddress:
        return self.signer.payout_address

    @property
    def asking(self) -> Refunds:
        return Refunds([self._chain], self.signer, self.pool, self.clock)

    async def refund(
        self,
        payment: Payment,
        amount: int | None = None,
        *,
        to: RawAddress = REFUNDED,
        name: RefundId | None = None,
    ) -> Refund:
        """Ask for a refund as an administrator."""
        wanted = None if amount is None else Amount(amount)
        wish = Wish(payment_id=payment.id, to=to, amount=wanted, asked_by=NOBODY)
        made = await self.asking.ask(wish, owner=None, refund_id=name or RefundId(uuid4()))
        assert made is not None
        return made[0]

    async def refunds(self) -> list[Any]:
        return await self.rows("SELECT * FROM refunds ORDER BY created_at, id")

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.refunds()]

    async def why(self) -> str:
        return "; ".join(row["why"] for row in await self.refunds())

    async def refunded(self, payment: Payment) -> tuple[int, int]:
        """Return what a payment says was paid back, and how often that was announced."""
        told = await self.told(payment)
        return (await self.now(payment)).amount_refunded, told.count("refunded")


def refunding(**changes: Any) -> Chain:
    """Return the chain as an operator describes it who lets refunds be paid."""
    chain = swept(**changes)
    [token] = chain.tokens
    terms = replace(chain.coin_terms, refund_per_day_max=DAILY)
    return replace(chain, coin_terms=terms, tokens=(replace(token, terms=terms),))


@asynccontextmanager
async def a_refunding_world(
    pool: Pool,
    anvil: Anvil,
    urls: Sequence[str] = (),
    *,
    chain: Chain | None = None,
    purse: int = 10 * PURSE,
    sweeps: bool = False,
    kind: type[RefundingWorld] = RefundingWorld,
) -> AsyncIterator[RefundingWorld]:
    """Yield a world that has read the chain to its head, with money in its payout wallet."""
    chain = chain or refunding()
    world = kind(pool, anvil, chain, urls or [anvil.url], sweeps=sweeps)
    await anvil.set_balance(world.signer.gas_address, PURSE)
    await anvil.set_balance(world.wallet, purse)
    await anvil.set_balance(REFUNDED, 0)
    await anvil.mint(USD, world.wallet, TOKENS)
    await anvil.mine()
    try:
        await world.begin()
        yield world
    finally:
        await world.close()
