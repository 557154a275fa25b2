"""Whatever several endpoints do at once and by turns: in the end all is as the chain has it.

Each story is drawn from its number (storm.py). More of them, or others, are told when asked:

    STORIES=500 FIRST_STORY=1000 make test ARGS="tests/reorgs/test_random_faults.py"
"""

import os
from collections.abc import AsyncIterator
from typing import Final

import pytest

from ctrip.dev.postgres import Cluster
from ctrip.store.pool import Conn, Pool
from tests.reorgs.storm import FINALITY_LAG, Ground, a_storm, broken_ground
from tests.support.anvil import running_anvil
from tests.support.one_database import EMPTY, one_database

FIRST: Final = int(os.environ.get("FIRST_STORY", "0"))
STORIES: Final = int(os.environ.get("STORIES", "6"))


@pytest.fixture(scope="module")
async def ground() -> AsyncIterator[Ground]:
    async with (
        running_anvil(finality_lag=FINALITY_LAG) as anvil,
        running_anvil(finality_lag=FINALITY_LAG) as twin,
    ):
        yield await broken_ground(anvil, twin)


@pytest.fixture(scope="module")
async def emptied(cluster: Cluster, template: str, admin: Conn) -> AsyncIterator[Pool]:
    async with one_database("storms", cluster, template, admin) as pool:
        yield pool


@pytest.mark.parametrize("story", range(FIRST, FIRST + STORIES))
async def test_what_is_credited_after_a_storm_is_what_stands_on_the_chain(
    story: int, emptied: Pool, ground: Ground
) -> None:
    await emptied.execute(EMPTY)
    async with a_storm(story, emptied, ground) as storm:
        await storm.rages()
        await storm.calms()
