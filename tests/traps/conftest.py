"""One node and one database for the session, and for every test a shop of its own on them."""

from collections.abc import AsyncIterator
from itertools import count

import pytest

from ctrip.dev.postgres import Cluster
from ctrip.store import wallets
from ctrip.store.pool import Conn, Pool
from tests.flows.world import WALLET
from tests.support.anvil import Anvil, running_anvil
from tests.support.one_database import one_database
from tests.support.token_contracts import Contract
from tests.traps.world import (
    SECONDS_BLOCK_BY_BLOCK,
    SECONDS_IN_RANGES,
    World,
    a_usd,
    a_world,
)

DATABASE = "traps"
ACCOUNTS_OF_ANVIL = 10  # of the same words as the wallet: the payer is the first of them

ADDRESSES_SHARED = 100_000  # more than all payments in the shared database
ADDRESSES_ALONE = 100  # more than the payments in a database of one test
NUMBERS = count(1)


@pytest.fixture(scope="session")
async def node() -> AsyncIterator[Anvil]:
    async with running_anvil() as chain:
        yield chain


@pytest.fixture(scope="session")
async def usd(node: Anvil) -> Contract:
    return await a_usd(node)


@pytest.fixture(scope="session")
async def shared_pool(cluster: Cluster, template: str, admin: Conn) -> AsyncIterator[Pool]:
    """A pool on the database of all worlds."""
    async with one_database(DATABASE, cluster, template, admin) as pool:
        await use_up_addresses(pool, ACCOUNTS_OF_ANVIL)
        yield pool


@pytest.fixture
async def lone_world(node: Anvil, usd: Contract, pool: Pool) -> AsyncIterator[World]:
    """A shop whose database nobody shares, for what goes through all addresses."""
    await use_up_addresses(pool, ADDRESSES_SHARED + next(NUMBERS) * ADDRESSES_ALONE)
    async with a_world(node, usd, pool, SECONDS_IN_RANGES) as world:
        yield world


@pytest.fixture(params=[SECONDS_BLOCK_BY_BLOCK, SECONDS_IN_RANGES], ids=["blocks", "ranges"])
async def world(
    node: Anvil, usd: Contract, shared_pool: Pool, request: pytest.FixtureRequest
) -> AsyncIterator[World]:
    async with a_world(node, usd, shared_pool, request.param) as world:
        yield world


async def use_up_addresses(pool: Pool, taken: int) -> None:
    """Keep addresses that were used on the node before from being given to payments."""
    async with pool.acquire() as conn:
        await wallets.reserve(conn, WALLET.fingerprint, taken)
