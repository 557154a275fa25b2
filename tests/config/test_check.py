"""`ctrip check`, as an operator types it, against real nodes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytest

from ctrip.core.ids import RawAddress
from tests.config.writing import ANVIL, CANARY, GOOD, write
from tests.support.anvil import Anvil, running_anvil
from tests.support.rpc_proxy import proxy
from tests.support.warm_ctrip import WarmCtrip

ENVIRON = {"COLUMNS": "120", "NO_COLOR": "1"}


class Done(NamedTuple):
    """What a command left behind."""

    code: int | None
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Check: TypeAlias = Callable[..., Awaitable[Done]]


@pytest.fixture(scope="module")
async def anvil() -> AsyncIterator[Anvil]:
    async with running_anvil() as anvil:
        yield anvil


@pytest.fixture(scope="module")
async def contract(anvil: Anvil) -> RawAddress:
    return await anvil.deploy_token(decimals=6)


@pytest.fixture
def check(tmp_path: Path, warm: WarmCtrip) -> Check:
    """`ctrip check`, run with this chains.yaml."""

    async def check(chains: str, *options: str) -> Done:
        words = ["check", "--config", str(write(tmp_path, GOOD, chains)), *options]
        done = await asyncio.to_thread(warm.run, words, tmp_path, ENVIRON, "")
        return Done(done.returncode, done.stdout, done.stderr)

    return check


def listing(*urls: str, contract: RawAddress | None = None, decimals: int = 6) -> str:
    """Return a chains.yaml with these endpoints, and a token if there is one."""
    text = ANVIL.replace("rpc_url: http://127.0.0.1:8545", f"rpc_urls: [{', '.join(urls)}]")
    token = f'{{symbol: "T[b]", address: "{contract}", decimals: {decimals}}}'
    return text + (f"    tokens: [{token}]\n" if contract else "")


def row(done: Done, question: str) -> list[str]:
    """Return the cells of one row of the table."""
    [line] = [line for line in done.out.split("\n") if line.startswith(f"│ {question} ")]
    return [cell.strip() for cell in line.split("│")[2:-1]]


async def test_a_table_shows_what_every_endpoint_can_do(
    check: Check, anvil: Anvil, contract: RawAddress
) -> None:
    async with proxy(anvil.url) as second:
        await second.plays("no finalized tag: geth")
        done = await check(listing(anvil.url, second.url, contract=contract))
    assert (done.code, done.err) == (0, "")
    assert "anvil (chain 31337)" in done.out
    assert row(done, "usable") == ["yes", "yes"]
    assert row(done, "finalized") == ["0", "none: depth 64 stands in"]
    assert row(done, "eth_getLogs") == ["2 blocks at once", "2 blocks at once"]
    assert row(done, "traces") == ["debug_traceBlockByHash", "debug_traceBlockByHash"]
    assert row(done, "balances at once") == ["yes", "yes"]
    assert row(done, "T[b], 6 decimals") == ["6, TEST", "6, TEST"]
    assert done.out.endswith("the configuration is complete\n")


async def test_the_same_is_there_as_json(check: Check, anvil: Anvil, contract: RawAddress) -> None:
    done = await check(listing(anvil.url, contract=contract), "--json")
    [network] = done.json
    [endpoint] = network["endpoints"]
    assert (done.code, network["chain"], network["token_faults"]) == (0, "anvil", [])
    assert (endpoint["label"], endpoint["chain_id"], endpoint["head"]) == ("anvil", "31337", 1)
    assert endpoint["tokens"][0]["decimals"] == 6


async def test_an_endpoint_that_cannot_be_used_ends_with_1(check: Check, anvil: Anvil) -> None:
    async with proxy(anvil.url) as second:
        await second.plays("wrong chain id")
        done = await check(listing(anvil.url, f"{second.url}/{CANARY}"))
    assert done.code == 1
    usable, other = row(done, "usable")
    assert (usable, other[:24]) == ("yes", "no: it is on chain 56, n")
    assert done.err.startswith("1 endpoint cannot be used: anvil, endpoint 2 of 2: it is on chain")
    assert CANARY not in done.out + done.err


async def test_a_token_that_is_not_as_listed_ends_with_2(
    check: Check, anvil: Anvil, contract: RawAddress
) -> None:
    wrong = listing(anvil.url, "http://127.0.0.1:9", contract=contract, decimals=18)
    done = await check(wrong)
    assert done.code == 2
    assert row(done, "T[b], 18 decimals") == ["WRONG: 6, TEST", "-"]
    assert (
        "has 18 decimals in chains.yaml and 6 on the chain, says anvil, endpoint 1 of 2;"
        in done.err
    )


async def test_an_address_without_a_token_ends_with_2(check: Check, anvil: Anvil) -> None:
    nothing = listing(anvil.url, contract=RawAddress("0x" + "ab" * 20))
    done = await check(nothing)
    assert done.code == 2
    assert row(done, "T[b], 6 decimals") == ["NO TOKEN AT THIS ADDRESS"]
    assert "no token is at this address; correct it in chains.yaml" in done.err


async def test_a_table_shows_what_every_feed_says(check: Check, anvil: Anvil) -> None:
    feed, empty = await anvil.ensure_feed(), "0x" + "fe" * 20
    prices = (
        f'{{USD: {{feed: "{feed}", heartbeat_seconds: 3600}}, EUR: {{pinned: true}}, '
        f'CHF: {{feed: "{empty}", heartbeat_seconds: 3600}}}}'
    )
    listed = listing(anvil.url).replace("{symbol: ETH}", f"{{symbol: ETH, prices: {prices}}}")
    done = await check(listed)
    assert (done.code, done.err) == (0, "")
    assert row(done, "ETH in USD") == ["2500, ETH / USD"]
    assert row(done, "ETH in EUR") == ["1, pinned in chains.yaml"]
    assert row(done, "ETH in CHF") == ["NO PRICE: it does not answer as a feed does"]
