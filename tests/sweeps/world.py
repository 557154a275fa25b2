"""A gateway that sweeps a real chain.

    async with a_sweeping_world(pool, anvil) as world:
        payment = await world.paid(10**18)      # confirmed, and on its address
        await world.settle()                    # passes and blocks, until nothing more happens
        assert await world.treasury() == …

Blocks come when the world lets them, one every block_seconds by its clock.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from msgspec.structs import replace

from ctrip.core.chains import Chain, Settlement
from ctrip.core.ids import NATIVE, Asset, RawAddress, raw
from ctrip.core.payment import Payment, Settles
from ctrip.flows.follow import Follower
from ctrip.flows.plan import Planner
from ctrip.flows.sweep import Sweeper
from ctrip.store.pool import Pool
from ctrip.wallet.derive import checksum
from ctrip.wallet.sign import Signer
from tests.faults.world import WALLET, WORDS, RunOnce, served, to_rest
from tests.support.anvil import Anvil
from tests.wild.world import USD, WildWorld

TREASURY: Final = RawAddress("0x" + "7e" * 20)
PURSE: Final = 10**18  # wei, in the gas wallet
SETTLED_WITHIN: Final = 12  # rounds of passes and a block


class SweepingWorld(WildWorld):
    """Everything that looks at a chain, and what moves money on it."""

    def __init__(self, pool: Pool, anvil: Anvil, chain: Chain, urls: Sequence[str]) -> None:
        self.signer = Signer(bytearray(WORDS.reveal().encode()))
        self.warned: list[str] = []
        self.doubted: list[str] = []
        super().__init__(pool, anvil, chain, urls)

    def _start(self) -> dict[str, RunOnce]:
        transactor = self._client.transactor()
        moving = (self._chain, transactor, self._pool, self.clock, self._news, self.signer)
        plan = Planner(self._chain, self._pool, self.clock, WALLET.fingerprint)
        self.sweeper = Sweeper(*moving, warn=self.warned.append)
        self.follower = Follower(*moving, warn=self.doubted.append)
        return {
            **super()._start(),
            "plan": plan.run_once,
            **({"sweep": self.sweeper.run_once} if self._is_swept else {}),
            "follow": self.follower.run_once,
        }

    @property
    def _is_swept(self) -> bool:
        return self._chain.settlement.mode is Settles.SWEEP

    @property
    def chain(self) -> Chain:
        return self._chain

    @property
    def news(self) -> asyncio.Event:
        return self._news

    async def configure(self, chain: Chain) -> None:
        """Start again with another entry of chains.yaml."""
        self._chain = chain
        await self.restart()

    async def watch(self) -> None:
        """Run the watch alone."""
        self.clock.move(seconds=2)
        await to_rest(self._duties["watch"])

    async def pass_by(self) -> None:
        """Run every duty once, and let a block come."""
        await self.look()
        await self.mine()

    async def settle(self, rounds: int = SETTLED_WITHIN) -> None:
        for _ in range(rounds):
            await self.pass_by()
        await self.look()

    async def paid(self, amount: int, *, in_tokens: bool = False) -> Payment:
        """Return a payment that was paid and is deep enough; nothing is planned yet."""
        payment = await (self.create_usd(amount) if in_tokens else self.create(amount))
        to = raw(payment.address)
        await (self.anvil.mint(USD, to, amount) if in_tokens else self.anvil.send(to, amount))
        await self.mine(3)
        return payment

    async def balance(self, owner: RawAddress, asset: Asset = NATIVE) -> int:
        if asset == NATIVE:
            return int(await self.anvil.rpc("eth_getBalance", owner, "latest"), 16)
        return await self._tokens_of(RawAddress(asset), owner)

    async def treasury(self, asset: Asset = NATIVE) -> int:
        return await self.balance(TREASURY, asset)

    async def sweeps(self) -> list[Any]:
        return await self.rows("SELECT * FROM sweeps ORDER BY created_at")

    async def sendings(self) -> list[Any]:
        return await self.rows("SELECT * FROM sendings ORDER BY created_at")

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.sweeps()]

    async def why(self) -> str:
        return "; ".join(row["why"] for row in await self.sweeps())


def swept(**changes: Any) -> Chain:
    """Return the chain as an operator describes it who wants it swept."""
    settlement = Settlement(mode=Settles.SWEEP, treasury=checksum(TREASURY))
    return replace(served(), settlement=replace(settlement, **changes))


@asynccontextmanager
async def a_sweeping_world(
    pool: Pool, anvil: Anvil, urls: Sequence[str] = (), *, chain: Chain | None = None
) -> AsyncIterator[SweepingWorld]:
    """Yield a world that has read the chain to its head, with coin in its gas wallet."""
    world = SweepingWorld(pool, anvil, chain or swept(), urls or [anvil.url])
    await anvil.set_balance(world.signer.gas_address, PURSE)
    try:
        await world.begin()
        yield world
    finally:
        await world.close()
