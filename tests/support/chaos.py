"""Trouble with a seed: shoppers who go on while their gateway is killed again and again.

The chain is read once more at the end, without any of ctrip's own code, to compare with.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any, Final

from aiohttp import ClientError, web
from msgspec import Struct

from tests.support.receiver import Received, Receiver
from tests.support.waiting import until
from tests.support.world import World

BLOCK_SECONDS: Final = 0.2
ANSWER_SECONDS: Final = 0.2  # of the receiver, so that kills come between a webhook and its answer
LIFE_SECONDS: Final = (0.1, 2.0)  # of a gateway; it takes half of one to be there
REFUSED_PART: Final = 0.25  # of the webhooks
PAUSE_SECONDS_MAX: Final = 1.0  # of a shopper between two payments, and between two parts


class Bought(Struct, frozen=True):
    """A payment whose creation was answered, and the transactions that paid it."""

    payment: dict[str, Any]
    hashes: list[str]


class Trouble:
    """One run."""

    def __init__(self, world: World, seed: int) -> None:
        self.bought: list[Bought] = []
        self.accepted: list[Received] = []  # webhooks
        self.refuses = False  # some webhooks, the first time
        self.kills = 0
        self.lost_answers = 0
        self._world = world
        self._random = Random(seed)
        self._refused: set[str] = set()
        self._purse = asyncio.Lock()  # one payer's transactions are numbered one by one

    async def shop(self, count: int) -> None:
        """Create payments and pay them, one after the other, whatever happens to the gateway."""
        for _ in range(count):
            parts = [
                self._random.randrange(1, 10**6) for _ in range(self._random.choice((1, 1, 3)))
            ]
            payment = await self._create(sum(parts), is_token=self._random.random() < 0.5)
            hashes = []
            for part in parts:
                async with self._purse:
                    hashes.append(str(await self._world.pay(payment, part)))
                await self._pause()
            self.bought.append(Bought(payment, hashes))

    async def kill(self, times: int) -> None:
        """Kill the gateway so often, and leave it alive."""
        gateway = self._world.gateway
        for number in range(times):
            # A second attempt that is refused would be repeated after minutes. So refusing is
            # over before the claims of killed gateways lapse and their attempts are repeated.
            self.refuses = number < times // 2
            with suppress(TimeoutError):
                async with asyncio.timeout(self._random.uniform(*LIFE_SECONDS)):
                    await gateway.listening()
                    await asyncio.Event().wait()
            gateway.kill()
            self.kills += 1
            gateway.launch()
        await gateway.listening()

    async def answer(self, _: Receiver, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a webhook after a while, and not always well."""
        received = Received(request.raw_path, request.headers.copy(), await request.read())
        await asyncio.sleep(ANSWER_SECONDS)
        event_id = received.headers["webhook-id"]
        if self.refuses and event_id not in self._refused and self._random.random() < REFUSED_PART:
            self._refused.add(event_id)
            return web.Response(status=500)
        self.accepted.append(received)
        return web.Response()

    async def _create(self, amount: int, *, is_token: bool) -> dict[str, Any]:
        asset = {"token_id": self._world.token_id} if is_token else {}

        async def attempt() -> dict[str, Any] | None:
            gateway = self._world.gateway
            if not gateway.url:
                return None
            try:
                return await gateway.create(amount=amount, **asset)
            except ClientError:  # it may or may not have been created: nobody will pay that one
                self.lost_answers += 1
                return None

        payment = await until("a payment is created", attempt, seconds=30)
        assert payment is not None
        return payment

    async def _pause(self) -> None:
        await asyncio.sleep(self._random.uniform(0, PAUSE_SECONDS_MAX))


@asynccontextmanager
async def mining(world: World) -> AsyncIterator[None]:
    """Make blocks until the end of the block."""

    async def mine() -> None:
        while True:
            await world.chain.mine()
            await asyncio.sleep(BLOCK_SECONDS)

    miner = asyncio.create_task(mine())
    try:
        yield
    finally:
        miner.cancel()
        with suppress(asyncio.CancelledError):
            await miner
