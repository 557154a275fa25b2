"""Whoever repeats a create, however often and through whatever, has one."""

import asyncio
from collections import defaultdict
from typing import Any, Final

import asyncpg
from aiohttp import ClientError

from tests.support.world import World

KEYS: Final = 50
TWINS: Final = 200  # of each key
KILLS: Final = 3
AT_ONCE: Final = 300  # requests under way


async def test_two_hundred_twins_of_each_of_fifty_keys_make_fifty_payments(
    fresh: World, database: str
) -> None:
    gateway = fresh.gateway
    await gateway.start()
    told: dict[str, set[str]] = defaultdict(set)
    answered = 0
    some_more = asyncio.Semaphore(0)
    lanes = asyncio.Semaphore(AT_ONCE)

    async def said(body: dict[str, Any], key: str) -> str:
        try:
            headers = {"idempotency-key": key}
            answer = await gateway.ask("POST", "/api/v1/payments", body, headers=headers)
        except (ClientError, TimeoutError, OSError):
            return ""
        assert answer.status in {201, 503}, answer.body
        return answer.body if answer.status == 201 else ""

    async def insist(key: str) -> None:
        nonlocal answered
        body = {"chain": "anvil", "amount": 7, "order_id": key}
        async with lanes:
            while not (answer := await said(body, key)):  # noqa: ASYNC110  another process
                await asyncio.sleep(0.05)
        told[key].add(answer)
        answered += 1
        some_more.release()

    async def kill() -> None:
        for _ in range(KILLS):
            for _ in range(KEYS * TWINS // (KILLS + 2)):
                await some_more.acquire()
            gateway.kill()
            await gateway.start()

    twins = [f"key-{number}" for number in range(KEYS) for _ in range(TWINS)]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kill())
        for key in twins:
            tasks.create_task(insist(key))
    assert answered == KEYS * TWINS
    assert len(told) == KEYS
    assert all(len(bodies) == 1 for bodies in told.values()), "each was told of one payment"
    conn = await asyncpg.connect(database)
    counts = await conn.fetchrow(
        "SELECT (SELECT count(*) FROM payments), (SELECT count(*) FROM events)"
    )
    await conn.close()
    assert counts is not None
    assert list(counts) == [KEYS, KEYS]
