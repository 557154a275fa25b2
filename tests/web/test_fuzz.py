"""A little of what `make fuzz` does at length: the same requests each time."""

from pathlib import Path

from ctrip.store.pool import Pool
from tests.support.builders import CHAIN, TOKEN
from tests.support.fuzzing import Fuzz, narrowed, run
from tests.web.shop import Shop, open_shop

SEED = 1
CASES_MIN = 200


async def test_nothing_that_is_asked_breaks_what_is_told(pool: Pool, tmp_path: Path) -> None:
    async with open_shop(pool) as shop:
        outcome = await run(await everything_about(shop), tmp_path / "run")
    assert outcome.is_good, outcome.said
    assert outcome.cases >= CASES_MIN
    assert {200, 201, 400, 404} < outcome.statuses.keys()


async def everything_about(shop: Shop) -> Fuzz:
    """Return a little of everything that can be asked of a site of its own."""
    document = (await shop.call("GET", "/openapi.json", headers={})).json
    del document["paths"]["/health/ready"]  # no chain is watched here, and it says so
    key = await shop.issue("admin")
    keys = (await shop.call("GET", "/api/v1/keys", headers={"x-api-key": key})).json["data"]
    return Fuzz(
        url=shop.url,
        key=key,
        key_id=next(one["id"] for one in keys if key.startswith(one["prefix"])),
        document=narrowed(document, chain=CHAIN, token_id=str(TOKEN.id), now=shop.clock.now()),
        seed=SEED,
        examples=4,
        phases="examples,fuzzing",
        seconds_max=60,
    )
