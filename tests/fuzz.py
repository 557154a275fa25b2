"""`make fuzz`: schemathesis against whole gateways, with a real Postgres and real chains.

A run fails if an answer is a fault of ours (5xx), is not told in the OpenAPI document or breaks
its schema, if something wrong is accepted or something right is not, if a key is not asked for,
or if a gateway's log has an error. The seed makes the same requests again:

    make fuzz ARGS="--seed 7 --examples 50"

Two gateways are asked at a time, because one schemathesis keeps no more than one core busy,
and its threads do not get along with Hypothesis. Links are followed in runs of their own, several,
because a run gives up walking as soon as a step is answered otherwise the second time, which
what others did meanwhile is reason enough for: after all the rest it came to a dozen walks.
"""

import argparse
import asyncio
import json
import os
import re
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import aiohttp
import asyncpg
from msgspec.structs import replace

from ctrip.dev import postgres, token
from ctrip.dev.anvil import dev_chain
from ctrip.dev.postgres import Cluster
from ctrip.dev.run import furnish
from ctrip.store.migrate import migrate, read_files
from tests.support.fuzzing import Fuzz, Outcome, narrowed, run, together
from tests.support.world import token_id

CTRIP: Final = Path(sys.executable).parent / "ctrip"
CASES_MIN: Final = 20_000  # of a whole run; fewer, and a part of the API was not asked
EXAMPLES: Final = 500  # for each operation and phase
WAYS: Final = 2
AT_RANDOM: Final = "examples,coverage,fuzzing"
ALONG_LINKS: Final = "stateful"
WALKS: Final = 6  # runs along links, in each way
LINKS: Final = re.compile(r"^ *API Links: .*$", re.MULTILINE)
FAULT: Final = re.compile(r'"level": "(error|critical)"|^(?!\{)')  # a line of ours is JSON
FAULTS_SHOWN_MAX: Final = 20
SECONDS_MAX: Final = 1_800
START_SECONDS_MAX: Final = 30.0
CHAINS: Final = """
chains:
  anvil:
    chain_id: 31337
    rpc_url: "{url}"
    confirmations: 3
    finality_depth: 64
    poll_interval_seconds: 1
    coin: {{ symbol: ETH, decimals: 18, prices: {{ USD: {{ pinned: true }} }} }}
    tokens:
      - {{ symbol: TEST, address: "{token}", decimals: 6, prices: {{ USD: {{ pinned: true }} }} }}
"""


async def main() -> int:
    """Start everything, ask, and say what came of it."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ctrip-fuzz-") as name:
        folder = Path(name)
        with postgres.start(folder / "postgres", durable=False) as cluster:
            ways = (
                fuzz(cluster, folder / str(way), asked.seed + way, asked.examples)
                for way in range(WAYS)
            )
            outcomes = await asyncio.gather(*ways)
    for outcome in outcomes:
        print(outcome.said if outcome.is_good else f"{outcome.said}\nSeed {outcome.seed}: faults.")
    whole = together(outcomes)
    print(whole.summary())
    few = whole.cases < CASES_MIN and asked.examples >= EXAMPLES
    if few:
        print(f"Too few cases: there should be {CASES_MIN} at least")
    return 0 if whole.is_good and not few else 1


async def fuzz(cluster: Cluster, folder: Path, seed: int, examples: int) -> Outcome:
    """Start a gateway and ask everything of it."""
    await asyncio.to_thread(folder.mkdir)
    async with gateway(cluster, folder) as (url, key, key_id):
        told = narrowed(
            await document(url), chain="anvil", token_id=token_id(), now=datetime.now(UTC)
        )
        first = Fuzz(
            url=url,
            key=key,
            key_id=key_id,
            document=told,
            seed=seed,
            examples=examples,
            phases=AT_RANDOM,
            seconds_max=SECONDS_MAX,
        )
        walks = [
            replace(first, phases=ALONG_LINKS, seed=seed + WAYS * number)
            for number in range(1, WALKS + 1)
        ]
        outcomes = [await run(one, folder / str(n)) for n, one in enumerate((first, *walks))]
    faults = [line for line in lines(folder / "log") if FAULT.search(line)]
    said = [outcomes[0].said, *map(shortly, outcomes[1:]), *faults[:FAULTS_SHOWN_MAX]]
    whole = together(outcomes)
    return replace(
        whole,
        said="\n".join(said),
        seconds=sum(outcome.seconds for outcome in outcomes),
        is_good=whole.is_good and not faults,
    )


def shortly(walk: Outcome) -> str:
    """Return how far a run along links came, or all it said if it found a fault."""
    links = LINKS.search(walk.said)
    return f"Walk {walk.seed}: {links[0].strip()}" if walk.is_good and links else walk.said


@asynccontextmanager
async def gateway(cluster: Cluster, folder: Path) -> AsyncIterator[tuple[str, str, str]]:
    """Serve without rate limits; give the URL, an administrator's key and the key's id."""
    database = cluster.create(f"fuzz_{folder.name}")
    conn = await asyncpg.connect(database)
    await migrate(conn, read_files())
    await conn.close()
    async with dev_chain(folder / "chain.log") as chain:
        await furnish(chain)
        text = CHAINS.format(url=chain.url, token=token.ADDRESS)
        (folder / "chains.yaml").write_text(text)
        environ = environ_of(database)
        with (folder / "log").open("wb") as log:
            server = await asyncio.create_subprocess_exec(
                CTRIP, "serve", cwd=folder, env=environ, stdout=log, stderr=log
            )
            try:
                url = await asyncio.wait_for(served(folder / "log"), START_SECONDS_MAX)
                yield url, *await key_of(folder, environ)
            finally:
                server.terminate()
                await server.wait()


def environ_of(database: str) -> dict[str, str]:
    """Return the whole configuration, chains.yaml apart."""
    return {
        "PATH": os.environ["PATH"],
        "CTRIP_CHAINS_FILE": "chains.yaml",
        "CTRIP_CHAINS_USE": "anvil",
        "CTRIP_DATABASE_URL": database,
        "CTRIP_SERVER_PORT": "0",
        "CTRIP_SERVER_RATE_PER_ADDRESS": "0",
        "CTRIP_SERVER_RATE_PER_KEY": "0",
        "CTRIP_WALLET_MNEMONIC": "legal winner thank year wave sausage worth useful legal winner"
        " thank yellow",
        "CTRIP_WEBHOOKS_SECRETS_KEY": "5ea1" * 16,
    }


async def served(log: Path) -> str:
    """Wait until the gateway says where it listens."""
    while True:
        for line in lines(log):
            if '"event": "serving"' in line:
                return str(json.loads(line)["url"])
        await asyncio.sleep(0.05)


def lines(log: Path) -> list[str]:
    """Return what was written so far."""
    return log.read_text().splitlines()


async def key_of(folder: Path, environ: Mapping[str, str]) -> tuple[str, str]:
    """Make an administrator's key with the command line."""
    process = await asyncio.create_subprocess_exec(
        CTRIP,
        *("keys", "create", "fuzz", "--scope", "admin", "--json"),
        cwd=folder,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    made = json.loads(said)
    return made["key"], made["id"]


async def document(url: str) -> object:
    """Return the OpenAPI document of a gateway."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/openapi.json") as answer:
        return await answer.json()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
