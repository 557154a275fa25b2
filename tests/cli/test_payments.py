"""`ctrip payments` as it is typed: real processes, a real database and a real chain."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from ctrip.cli import main as cli
from ctrip.core.errors import ConfigError
from ctrip.store import wallets
from ctrip.store.pool import Pool
from tests.flows.world import WALLET
from tests.support.anvil import Anvil, running_anvil
from tests.support.terminal import Done, Terminal
from tests.support.warm_ctrip import WarmCtrip
from tests.traps.world import World, a_usd, a_world, address

ACCOUNTS_OF_ANVIL: Final = 10  # of the same words as the wallet: the payer is the first of them
NOBODY: Final = "00000000-0000-0000-0000-000000000001"
UNKNOWN: Final = "0x" + "77" * 32


@pytest.fixture(scope="module")
async def node() -> AsyncIterator[Anvil]:
    async with running_anvil() as chain:
        yield chain


@pytest.fixture
async def world(node: Anvil, pool: Pool) -> AsyncIterator[World]:
    async with pool.acquire() as conn:
        await wallets.reserve(conn, WALLET.fingerprint, ACCOUNTS_OF_ANVIL)
    async with a_world(node, await a_usd(node), pool, 12) as world:
        yield world


@pytest.fixture
def terminal(database: str, tmp_path: Path, world: World, warm: WarmCtrip) -> Terminal:
    """A terminal whose chains.yaml has the test's chain, and one that nobody serves."""
    chain = {
        "chain_id": 31337,
        "confirmations": 2,
        "finality_depth": 8,
        "poll_interval_seconds": 1,
        "coin": {"symbol": "ETH", "decimals": 18},
    }
    chains = {
        world.name: chain | {"rpc_url": world.node.url},
        "moon": chain | {"chain_id": 7, "rpc_url": "http://127.0.0.1:1"},
    }
    terminal = Terminal(database, tmp_path, warm=warm)
    terminal.file("chains.json", json.dumps({"chains": chains}))  # JSON is YAML
    terminal.environ["CTRIP_CHAINS_FILE"] = str(tmp_path / "chains.json")
    terminal.environ["CTRIP_CHAINS_USE"] = f"{world.name},moon"
    return terminal


async def typed(terminal: Terminal, *words: str) -> Done:
    return await asyncio.to_thread(terminal.run, ["payments", *words])


async def read(terminal: Terminal, *words: str) -> Any:
    done = await typed(terminal, *words, "--json")
    assert done.code == 0, done.err
    return done.json


async def test_a_payment_and_a_payers_transaction_are_explained(
    world: World, terminal: Terminal
) -> None:
    payment = await world.create(None)
    failed = await world.node.send_failing(address(payment), 100)
    paid = await world.node.send(address(payment), 40)
    await world.mine()

    told = await read(terminal, "explain", str(payment.id), "--tx", failed)
    assert (told["code"], told["tx_hash"]) == ("failed_transaction", failed)
    assert [f["code"] for f in told["facts"]][-1] == "transaction_unasked", "moon is away"

    done = await typed(terminal, "explain", paid)
    assert done.code == 0, done.err
    answer, _, head, *facts = done.out.splitlines()
    assert answer.startswith("Too little has come: 0.00000000000000004 ETH of ")
    assert head == f"underpaid: payment {payment.id}, pending"
    assert any(line.strip().startswith("20") and line.endswith(": counts.") for line in facts)
    assert "127.0.0.1" not in done.out, "an endpoint's URL may hold a key"

    shown = await typed(terminal, "show", str(payment.id))
    assert shown.out.splitlines()[0] == f"{payment.id}  pending  underpaid"
    assert f"40 of native  counts  {paid}" in shown.out
    assert (await read(terminal, "show", str(payment.id)))["amount_received"] == 40


async def test_what_is_not_there_is_said_in_a_sentence(terminal: Terminal) -> None:
    done = await typed(terminal, "explain", NOBODY)
    assert (done.code, done.out, done.err) == (2, "", "there is no such payment\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", UNKNOWN], "is not the id of a payment"),
        (["explain", "order-7"], "is no id or address of a payment, and no transaction hash"),
        (["explain", NOBODY, "--tx", NOBODY], "--tx: must be a transaction hash"),
    ],
)
def test_what_has_no_shape_is_refused_before_anything_is_asked(words: list[str], said: str) -> None:
    refused = CliRunner().invoke(cli.app, ["payments", *words]).exception
    assert isinstance(refused, ConfigError)
    assert said in str(refused)
