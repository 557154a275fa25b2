"""`ctrip rescan`: what it says, and how it ends before its range does."""

import asyncio

import pytest

from ctrip.chain.rpc import RpcChain
from ctrip.cli import rescan
from ctrip.cli.chains import network_of
from ctrip.clock import SystemClock
from ctrip.core.errors import ConfigError
from ctrip.core.ids import BlockNumber
from ctrip.flows.health import Health
from ctrip.flows.rescan import Rescanner, Step
from ctrip.flows.watch import Watcher
from ctrip.settings import Database, Network, Secret, Settings, Wallet
from ctrip.store.pool import Pool
from ctrip.store.rescans import Rescan
from tests.flows.reading import rescanner, with_hidden_money
from tests.flows.world import ANVIL, WORDS, World, a_world
from tests.support.anvil import running_anvil
from tests.support.log_lines import logging_left_as_found

NETWORK = Network(chain=ANVIL, rpc_urls=())


@pytest.fixture
async def world(pool: Pool) -> World:
    return await a_world(pool)


async def ran(world: World, first: int, last: int) -> rescan.Rescanned:
    return await rescan.run(
        rescanner(world), world.pool, world.clock, BlockNumber(first), BlockNumber(last)
    )


async def test_the_command_says_what_it_read_and_found(world: World) -> None:
    await with_hidden_money(world)
    done = await ran(world, 1, 70)
    assert (done.blocks_read, done.blocks_left) == (68, 2)
    assert (done.transfers, done.transfers_found) == (2, 2)
    text = rescan.as_text(done)
    assert "68 blocks read; 2 transfers" in text
    assert "the last 2 blocks are not final yet" in text
    assert '"transfers_found": 2' in rescan.as_json(done)


async def test_the_command_that_is_interrupted_goes_on_where_it_stood(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.mine(300)
    second_pass, chain = asyncio.Event(), world.chain
    chain.before_next("headers", lambda: chain.before_next("headers", second_pass.set))
    running = asyncio.create_task(ran(world, 1, 290))
    await second_pass.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert "The same command goes on from there" in capsys.readouterr().err
    (row,) = await world.rows("SELECT next FROM rescans")
    assert 1 < row["next"] < 291
    done = await ran(world, 1, 290)
    assert done.blocks_read == 291 - row["next"]
    assert len(await world.rows("SELECT FROM rescans")) == 1


class Overtaken(Rescanner):
    """One whose first pass somebody else is faster at."""

    overtaken = False

    async def read(self, rescan: Rescan) -> Step:
        step = await super().read(rescan)
        if not self.overtaken:
            self.overtaken = True
            step = await super().read(rescan)  # of a place that is behind by now
            assert step.raced
        return step


async def test_the_command_goes_on_behind_a_gateway_that_was_faster(world: World) -> None:
    await with_hidden_money(world)
    await world.mine(200)
    slow = Overtaken(world.served, world.chain, world.pool, world.clock, world.news)
    done = await rescan.run(slow, world.pool, world.clock, BlockNumber(1), BlockNumber(260))
    assert (done.blocks_read, done.blocks_left, done.transfers_found) == (260, 0, 2)


async def test_the_command_waits_out_a_moment_without_an_answer(world: World) -> None:
    await world.mine(10)
    world.chain.before_next("blocks", lambda: setattr(world.chain, "is_down", True))
    world.chain.before_next("blocks", (down := asyncio.Event()).set)
    running = asyncio.create_task(ran(world, 1, 8))
    await down.wait()
    world.chain.is_down = False
    assert (await running).blocks_left == 0


def test_the_command_names_the_chains_that_it_could_read() -> None:
    with pytest.raises(ConfigError, match="--chain: moon is not served; name one of: anvil"):
        network_of([NETWORK], "moon")
    assert network_of([NETWORK], "anvil") is NETWORK


async def test_the_command_reads_a_real_chain(database: str, pool: Pool) -> None:
    """Everything but the typing: its own pool, its own client, a node."""
    async with running_anvil() as anvil:
        url = Secret(anvil.url)
        settings = Settings(
            database=Database(url=Secret(database)),
            wallet=Wallet(mnemonic=WORDS),
            networks=(Network(chain=ANVIL, rpc_urls=(url,)),),
        )
        client, clock = RpcChain(ANVIL, [url], SystemClock()), SystemClock()
        health = Health(clock, [ANVIL])
        watcher = Watcher(ANVIL, client, pool, clock, health, asyncio.Event())
        await anvil.mine(300)
        await watcher.run_once()
        with logging_left_as_found():
            done = await rescan.rescan(settings, "anvil", 0, 290)
        await client.close()
    assert (done.blocks_read, done.blocks_left, done.transfers) == (291, 0, 0)
