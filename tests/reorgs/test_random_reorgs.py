"""Whatever a real chain drops and mines again: what is credited is what stands on it.

Hypothesis draws the histories: payments in coin and tokens, blocks, looks, and reorgs of 1
to 64 blocks after which all, some or none of the dropped transactions are mined again.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ctrip.chain.rpc import RpcChain
from ctrip.core.chains import Chain, Token
from ctrip.core.errors import OutageError
from ctrip.core.finality import Depth
from ctrip.core.ids import Amount, ChainName, TxHash, raw
from ctrip.core.payment import Payment
from ctrip.dev import token as dev_token
from ctrip.flows.create import Creator, Order
from ctrip.flows.health import Health
from ctrip.flows.price import Pricer
from ctrip.flows.watch import Watcher
from ctrip.settings import Network, Payments, Secret
from ctrip.store import payments
from ctrip.store.pool import Pool, connection
from ctrip.webhooks.guard import Guard
from tests.faults.world import WALLET
from tests.reorgs.news import assert_consistent
from tests.support.anvil import Anvil, running_anvil
from tests.support.builders import new
from tests.support.clock import FakeClock
from tests.support.ledger import on_chain

DEPTH_MAX: Final = 64
FINALITY_LAG: Final = 2 * DEPTH_MAX
HISTORIES: Final = 25
PASSES_MAX: Final = 50
BLOCK: Final = True  # with its transactions

CHAIN: Final = Chain(
    name=ChainName("anvil"),
    chain_id=31337,
    confirmations=Depth(6),
    finality_depth=FINALITY_LAG,
    poll_interval_seconds=1,
    block_seconds=12,
    internal=False,
    tokens=(
        Token(
            chain=ChainName("anvil"),
            chain_id=31337,
            contract=dev_token.ADDRESS,
            symbol=dev_token.SYMBOL,
            decimals=dev_token.DECIMALS,
        ),
    ),
)

# What may happen. A share says how many of the dropped transactions are mined again.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.booleans(), st.integers(1, 3)),
        st.tuples(st.just("mine"), st.integers(1, 12)),
        st.tuples(st.just("reorg"), st.integers(1, DEPTH_MAX), st.sampled_from([0, 50, 100])),
        st.tuples(st.just("look")),
    ),
    min_size=6,
    max_size=24,
)


class Life:
    """One chain, its watch, and everything sent on it."""

    def __init__(self, pool: Pool, anvil: Anvil) -> None:
        self.anvil = anvil
        self.pool = pool
        clock, news = FakeClock(), asyncio.Event()
        self.client = RpcChain(CHAIN, [Secret(anvil.url)], clock)
        health = Health(clock, [CHAIN])
        self.watcher = Watcher(CHAIN, self.client, pool, clock, health, news)
        self.creator = Creator(
            [Network(chain=CHAIN, rpc_urls=())],
            Payments(late_window_seconds=2_592_000),
            WALLET,
            pool,
            clock,
            Guard(),
            news,
            pricer=Pricer({}, clock),
        )
        self.made: list[Payment] = []

    async def pay(self, by_token: bool, parts: int) -> None:  # noqa: FBT001  drawn
        """Make a payment, and send it in some parts."""
        token_id = CHAIN.tokens[0].id if by_token else None
        order = Order(chain=CHAIN.name, amount=Amount(6), token_id=token_id)
        payment = new(await self.creator.create(order))
        self.made.append(payment)
        for _ in range(parts):
            to, part = raw(payment.address), 6 // parts
            if by_token:
                await self.anvil.mint(raw(dev_token.ADDRESS), to, part)
            else:
                await self.anvil.send(to, part)

    async def reorg(self, depth: int, share: int) -> None:
        """Replace blocks; the first of their transactions come back at once, the rest may later."""
        newest = int(await self.anvil.rpc("eth_blockNumber"), 16)
        dropped: list[TxHash] = []
        for number in range(newest - depth + 1, newest + 1):
            block = await self.anvil.rpc("eth_getBlockByNumber", hex(number), not BLOCK)
            dropped += block["transactions"]
        kept = dropped[: len(dropped) * share // 100]
        await self.anvil.reorg(depth, again=kept)

    async def look(self) -> None:
        """Make passes until the head is read."""
        for _ in range(PASSES_MAX):
            try:
                if not await self.watcher.run_once():
                    return
            except OutageError:
                continue
        raise AssertionError("the watch never comes to rest")

    async def live(self, history: list[tuple[Any, ...]]) -> None:
        for what, *how in history:
            match what:
                case "mine":
                    await self.anvil.mine(*how)
                case _:
                    await getattr(self, what)(*how)
        await self.anvil.mine()
        await self.look()


@pytest.fixture
async def life(pool: Pool) -> AsyncIterator[Life]:
    async with running_anvil(finality_lag=FINALITY_LAG) as anvil:
        await anvil.ensure_token()
        await anvil.rpc("anvil_mine", hex(FINALITY_LAG + DEPTH_MAX))
        life = Life(pool, anvil)
        await life.look()
        yield life
        await life.client.close()


@settings(
    max_examples=HISTORIES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a chain that has grown cannot shrink its history
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=steps)
async def test_what_is_credited_is_what_stands_on_the_chain(
    life: Life, history: list[tuple[Any, ...]]
) -> None:
    before = len(life.made)
    await life.live(history)
    made = life.made[before:]
    there = await on_chain(life.anvil, raw(dev_token.ADDRESS), [p.address for p in made])
    for payment in made:
        async with connection(life.pool) as conn:
            now = await payments.find(conn, payment.id)
        assert now is not None
        live = {t.key.tx_hash: t.amount for t in now.live()}
        assert live == there.get(raw(payment.address), {})
        assert now.amount_received == sum(live.values())
        assert len(live) == len(list(now.live())), "a transaction is one transfer here"
        await assert_consistent(life.pool, now)
