"""One chain, its twin and one database for all tests here.

The chain only goes on, and so does the wallet's index: each test has addresses of its own.
"""

import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from ctrip.dev.anvil import dev_chain, find_anvil
from ctrip.dev.postgres import Cluster
from ctrip.store.pool import Conn, Pool
from tests.support.anvil import Anvil, running_anvil
from tests.support.one_database import EMPTY, one_database

# The chain begins high enough for an endpoint to be ten thousand blocks back, and blocks lie
# below the first cursor, so that one that is behind has something to show.
FIRST_BLOCK: Final = 20_000
HISTORY: Final = 150  # blocks
DATABASE: Final = "faults"


@asynccontextmanager
async def high_anvil(folder: Path) -> AsyncIterator[Anvil]:
    """Run a chain that begins at FIRST_BLOCK, which dev_chain has no word for."""
    program = folder / "high-anvil"
    anvil = shlex.quote(str(find_anvil()))
    program.write_text(f'#!/bin/sh\nexec {anvil} --number {FIRST_BLOCK} "$@"\n')
    program.chmod(0o755)
    log = folder / "anvil.log"
    async with dev_chain(log, block_seconds=None, program=program) as process:
        chain = Anvil(process.url, process.pid)
        try:
            yield chain
        finally:
            await chain.close()


@pytest.fixture(scope="module")
async def anvil(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Anvil]:
    async with high_anvil(tmp_path_factory.mktemp("chain")) as anvil:
        await anvil.ensure_token()
        await anvil.mine(HISTORY)
        yield anvil


@pytest.fixture(scope="module")
async def twin() -> AsyncIterator[Anvil]:
    """A second node, to be set on a branch of the chain."""
    async with running_anvil() as twin:
        yield twin


@pytest.fixture(scope="module")
async def emptied(cluster: Cluster, template: str, admin: Conn) -> AsyncIterator[Pool]:
    """One database for all tests here: hundreds of fresh ones would take half a minute."""
    async with one_database(DATABASE, cluster, template, admin) as pool:
        yield pool


@pytest.fixture
async def pool(emptied: Pool) -> Pool:
    """A pool on a database without rows, but for the wallet's next index."""
    await emptied.execute(EMPTY)
    return emptied
