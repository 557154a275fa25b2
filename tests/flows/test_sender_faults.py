"""A sender whose Postgres restarts, fills up or is out of connections goes on by itself.

The sender runs as it does in the gateway, in the loop of supervise.every. The receiver holds
its answers back until the fault is there, so each fault meets deliveries on the wire, and
answers that come while nobody can write them down. Leases run by a clock that stands still:
what is sent twice here was sent twice because of the fault.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from ctrip.dev import postgres
from ctrip.dev.postgres import Cluster
from ctrip.flows import supervise
from ctrip.settings import Secret
from ctrip.store import pool as store
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import Pool, connection
from tests.flows.sending import LEASE, Gate, Process, a_process, all_done, check, some
from tests.flows.world import a_world
from tests.support.memory import memory
from tests.support.receiver import Receiver
from tests.support.small_disk import Disk, may_mount, mounted

ON_THE_WIRE: Final = 16  # the cap of one receiver
WAITING: Final = 40  # deliveries: more than go at once
RESTARTS: Final = 4
PAGES_FULL: Final = 200  # deliveries that fill some pages of Postgres
ON_DISK: Final = ("deliveries", "deliveries_done_rest", "attempts_rest")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "WAIT_SECONDS_MAX", 0.1)
    monkeypatch.setattr(store, "ACQUIRE_SECONDS_MAX", 0.2)


class Restarted:
    """A Postgres of its own, to be killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cluster = postgres.start(folder)  # durable: what is committed must be there later
        self.url = self._cluster.create("mortal")

    def kill(self) -> None:
        os.kill(self._cluster.pid, signal.SIGKILL)

    def start(self) -> None:
        self._cluster.stop()
        self._cluster = postgres.start(self._folder)

    def stop(self) -> None:
        self._cluster.stop()


@pytest.fixture
def mortal() -> Iterator[Restarted]:
    folder = Path(tempfile.mkdtemp(prefix="ctrip-test-", dir=memory())).resolve()
    cluster = Restarted(folder)
    yield cluster
    cluster.stop()
    shutil.rmtree(folder)


@pytest.fixture
async def mortal_process(mortal: Restarted, shop: Receiver) -> AsyncIterator[Process]:
    pool = await store.connect(Secret(mortal.url), size_max=8)
    async with connection(pool) as conn:
        await migrate(conn, read_files())
    async with a_process(await a_world(pool), mortal.url, shop) as process:
        yield process
    pool.terminate()


async def test_postgres_is_killed_while_deliveries_are_on_the_wire(
    mortal: Restarted, mortal_process: Process, shop: Receiver
) -> None:
    process, world = mortal_process, mortal_process.world
    gate = Gate(shop)
    await some(world, WAITING)
    async with process.running():
        await shop.wait_for(ON_THE_WIRE)
        mortal.kill()
        await process.red("deliver", "bell")
        await gate.open()
        assert len(shop.received) == ON_THE_WIRE, "nothing can be claimed"
        mortal.start()
        await all_done(world, WAITING)
        await process.green()
        await check(world, shop, WAITING)


async def test_postgres_is_killed_again_and_again_under_load(
    mortal: Restarted, mortal_process: Process, shop: Receiver
) -> None:
    process, world = mortal_process, mortal_process.world
    gate = Gate(shop)
    count = RESTARTS * WAITING
    await some(world, count)
    async with process.running():
        for number in range(RESTARTS):
            await gate.let((number + 1) * WAITING)
            await shop.wait_for(number * WAITING + WAITING // 2)
            mortal.kill()
            await process.red("deliver")
            mortal.start()
            await process.green()
        await gate.open()
    await process.sender.settled()
    # Claims whose commit was never heard of come back with the end of their lease.
    world.clock.move(seconds=LEASE.total_seconds())
    async with process.running():
        await all_done(world, count)
    await check(world, shop, count, attempts=1 + RESTARTS)


async def test_all_connections_are_taken(process: Process, shop: Receiver) -> None:
    world = process.world
    gate = Gate(shop)
    await some(world, WAITING)
    async with process.running():
        await shop.wait_for(ON_THE_WIRE)
        async with AsyncExitStack() as taken:
            for _ in range(world.pool.get_max_size()):
                await taken.enter_async_context(world.pool.acquire(timeout=5))
            await process.red("deliver")
            await gate.open()
            assert len(shop.received) == ON_THE_WIRE
        await all_done(world, WAITING)
        await process.green()
        await check(world, shop, WAITING)


FULL = """
CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
END $$
"""
AT_CLAIM = """
CREATE TRIGGER no_space BEFORE UPDATE ON deliveries FOR EACH ROW
WHEN (new.claim_id IS NOT NULL) EXECUTE FUNCTION no_space()
"""
AT_COMPLETION = """
CREATE TRIGGER no_space BEFORE INSERT ON attempts FOR EACH STATEMENT EXECUTE FUNCTION no_space()
"""
EMPTIED = "DROP FUNCTION no_space() CASCADE"


async def fills_up(pool: Pool, where: str) -> None:
    """Let Postgres answer as it does when its disk is full."""
    async with connection(pool) as conn:
        await conn.execute(FULL)
        await conn.execute(where)


async def has_room_again(pool: Pool) -> None:
    async with connection(pool) as conn:
        await conn.execute(EMPTIED)


async def test_claims_are_refused_for_a_full_disk(process: Process, shop: Receiver) -> None:
    world = process.world
    await some(world, WAITING)
    await fills_up(world.pool, AT_CLAIM)
    async with process.running():
        await process.red("deliver")
        assert not shop.received
        await has_room_again(world.pool)
        await all_done(world, WAITING)
        await process.green()
    await check(world, shop, WAITING)


async def test_completions_are_refused_for_a_full_disk(process: Process, shop: Receiver) -> None:
    world = process.world
    gate = Gate(shop)
    await some(world, WAITING)
    async with process.running():
        await shop.wait_for(ON_THE_WIRE)
        await fills_up(world.pool, AT_COMPLETION)
        await gate.open()
        await process.red("deliver")
        # A slot is free with the answer, not with its record, until a record fails.
        assert len(shop.received) <= 2 * ON_THE_WIRE
        await has_room_again(world.pool)
        await all_done(world, WAITING)
        await process.green()
    await check(world, shop, WAITING)


@pytest.fixture
async def disk(cluster: Cluster, process: Process) -> AsyncIterator[Disk]:
    """A disk that holds the queue and what is kept of it, with little else on it."""
    with mounted() as folder:
        disk = Disk(folder)
        place = disk.space_of(cluster.pid)
        async with connection(process.world.pool) as conn:
            await conn.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
            for table in ON_DISK:
                await conn.execute(f"ALTER TABLE {table} SET TABLESPACE small")
        yield disk
        disk.make_room()
        async with connection(process.world.pool) as conn:
            for table in ON_DISK:
                await conn.execute(f"ALTER TABLE {table} SET TABLESPACE pg_default")
            await conn.execute("DROP TABLESPACE small")


@pytest.mark.skipif(not may_mount(), reason="this machine lets us mount no small disk")
@pytest.mark.parametrize("on_the_wire", [False, True], ids=["at claim", "at completion"])
async def test_a_real_disk_is_full(
    process: Process, shop: Receiver, disk: Disk, *, on_the_wire: bool
) -> None:
    world = process.world
    gate = Gate(shop)
    await some(world, PAGES_FULL)
    # So many at once that neither claims nor completions find room in pages that are there.
    await world.rows("UPDATE endpoints SET concurrency_max = $1 RETURNING id", PAGES_FULL)
    if not on_the_wire:
        disk.fill()
    async with process.running():
        if on_the_wire:
            await shop.wait_for(PAGES_FULL)
            disk.fill()
        await gate.open()
        await process.red("deliver")
        assert len(shop.received) == (PAGES_FULL if on_the_wire else 0)
        disk.make_room()
        await all_done(world, PAGES_FULL)
        await process.green()
    await check(world, shop, PAGES_FULL)
