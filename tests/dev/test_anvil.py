"""The dev chain: anvil found, started, kept over a restart, and its faults put into words."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ctrip.chain.client import ChainOutage
from ctrip.chain.wire import Endpoint
from ctrip.dev import anvil, child
from ctrip.dev.anvil import CHAIN_ID, FUNDER, DevChain, dev_chain
from ctrip.dev.child import CannotStart
from ctrip.settings import Secret


async def call(chain: DevChain, method: str, *params: object) -> Any:
    node = Endpoint("anvil", Secret(chain.url))
    try:
        return await node.call(method, *params)
    finally:
        await node.close()


async def test_blocks_come_by_themselves_and_are_final_two_later(folder: Path) -> None:
    async with dev_chain(folder / "log") as chain, asyncio.timeout(15):
        assert int(await call(chain, "eth_chainId"), 16) == CHAIN_ID
        while int(await call(chain, "eth_blockNumber"), 16) < 3:  # noqa: ASYNC110  another process
            await asyncio.sleep(0.05)
        latest = await call(chain, "eth_getBlockByNumber", "latest", False)  # noqa: FBT003
        final = await call(chain, "eth_getBlockByNumber", "finalized", False)  # noqa: FBT003
        assert 2 <= int(latest["number"], 16) - int(final["number"], 16) <= 3


async def test_without_block_seconds_nothing_is_mined_unasked(folder: Path) -> None:
    async with dev_chain(folder / "log", block_seconds=None) as chain:
        tx_hash = await call(chain, "eth_sendTransaction", {"from": FUNDER, "to": FUNDER})
        assert await call(chain, "eth_getTransactionReceipt", tx_hash) is None
        await call(chain, "evm_mine")
        assert await call(chain, "eth_getTransactionReceipt", tx_hash)


async def test_the_funder_is_rich_and_unlocked(folder: Path) -> None:
    async with dev_chain(folder / "log", block_seconds=None) as chain:
        accounts = await call(chain, "eth_accounts")
        assert FUNDER.lower() in accounts
        assert int(await call(chain, "eth_getBalance", FUNDER, "latest"), 16) == 10_000 * 10**18


async def test_a_given_port_is_used(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with dev_chain(folder / "log", port=port, block_seconds=None) as chain:
        assert chain.url == f"http://127.0.0.1:{port}"
        assert chain.port == port


async def test_calls_do_not_fill_the_log(folder: Path) -> None:
    log = folder / "log"
    async with dev_chain(log, block_seconds=None) as chain:
        before = log.stat().st_size
        for _ in range(20):
            await call(chain, "eth_blockNumber")
        assert log.stat().st_size == before


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_nothing_but_the_log_is_left(folder: Path) -> None:
    async with dev_chain(folder / "log", block_seconds=None) as chain:
        for _ in range(5):
            await call(chain, "evm_mine")
        await call(chain, "anvil_reorg", 3, [])
        assert names(folder) == {"log", "log.cache"}
    assert names(folder) == {"log"}


async def test_it_is_gone_when_the_block_is_left(folder: Path) -> None:
    async with dev_chain(folder / "log") as chain:
        assert await call(chain, "eth_chainId")
    assert not chain.running
    with pytest.raises(ChainOutage, match="the connection failed"):
        await call(chain, "eth_chainId")


async def test_a_killed_one_is_seen_not_to_run(folder: Path) -> None:
    async with dev_chain(folder / "log") as chain:
        os.kill(chain.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            while chain.running:  # noqa: ASYNC110  another process
                await asyncio.sleep(0.01)


async def test_the_chain_is_the_same_after_a_restart(folder: Path) -> None:
    state = folder / "deep" / "state.json"
    async with dev_chain(folder / "log", state=state, block_seconds=None) as chain:
        tx_hash = await call(chain, "eth_sendTransaction", {"from": FUNDER, "to": FUNDER})
        await call(chain, "evm_mine")
        receipt = await call(chain, "eth_getTransactionReceipt", tx_hash)
    async with dev_chain(folder / "log", state=state, block_seconds=None) as chain:
        assert await call(chain, "eth_getTransactionReceipt", tx_hash) == receipt
        logs = await call(chain, "eth_getLogs", {"blockHash": receipt["blockHash"]})
        assert logs == []  # and not an unknown block
        await call(chain, "evm_mine")
        assert await call(chain, "eth_blockNumber") == "0x2"


async def answers(node: Endpoint) -> bool:
    try:
        await node.call("eth_chainId")
    except ChainOutage:
        return False
    return True


START_AND_WAIT = """
import asyncio, sys
from pathlib import Path
from ctrip.dev.anvil import dev_chain
async def main():
    folder = Path(sys.argv[1])
    async with dev_chain(folder / "log", state=folder / "state.json") as chain:
        print(chain.url, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.skipif(not child.leash(signal.SIGTERM), reason="there is no setpriv here")
async def test_it_ends_with_its_state_written_when_its_ctrip_is_killed(folder: Path) -> None:
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", START_AND_WAIT, str(folder), stdout=subprocess.PIPE
    )
    assert other.stdout
    url = (await other.stdout.readline()).decode().strip()
    other.kill()
    await other.wait()
    node = Endpoint("anvil", Secret(url))
    async with asyncio.timeout(10):
        while await answers(node):  # noqa: ASYNC110  another process
            await asyncio.sleep(0.01)
    await node.close()
    async with dev_chain(folder / "log", state=folder / "state.json") as chain:
        assert chain.running


async def test_a_taken_port_is_a_sentence(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(CannotStart, match=f"^port {port} is in use, .* --chain-port"):
            async with dev_chain(folder / "log", port=port):
                pytest.fail("it listens on a port of somebody else")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"block": {"number": "0x1'])
async def test_a_broken_state_is_a_sentence(folder: Path, text: str) -> None:
    state = folder / "state.json"
    state.write_text(text)
    with pytest.raises(CannotStart, match=r"cannot be read back from .*/state\.json: delete it"):
        async with dev_chain(folder / "log", state=state):
            pytest.fail("it started from a broken state")
    assert state.read_text() == text


async def test_any_other_end_shows_what_was_said(folder: Path) -> None:
    program = folder / "anvil"
    program.write_text("#!/bin/sh\necho out of cheese\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(CannotStart, match=r"did not start\. The end of .*/log:\n    out of cheese"):
        async with dev_chain(folder / "log", program=program):
            pytest.fail("that was no anvil")


async def test_a_file_in_the_way_is_said_so(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(CannotStart, match=r"did not start: .*/file"):
        async with dev_chain(folder / "file" / "log"):
            pytest.fail("it logs into a file's inside")


def test_a_missing_anvil_says_how_to_get_it(folder: Path) -> None:
    with pytest.raises(CannotStart, match=f"nor in {folder}/npm/node_modules: run `make setup`"):
        anvil.find_anvil(path=str(folder), environment=folder)


def an_anvil(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o755)
    return file


def test_anvil_is_taken_from_the_path_first(folder: Path) -> None:
    an_anvil(folder / "npm" / "node_modules" / ".bin" / "anvil")
    mine = an_anvil(folder / "mine" / "anvil")
    assert anvil.find_anvil(path=str(mine.parent), environment=folder) == mine


def test_npms_launcher_is_passed_by_where_the_program_is_beside_it(folder: Path) -> None:
    modules = folder / "npm" / "node_modules"
    launcher = an_anvil(modules / "@foundry-rs" / "anvil" / "bin.mjs")
    (modules / ".bin").mkdir()
    (modules / ".bin" / "anvil").symlink_to(launcher)
    assert anvil.find_anvil(path="", environment=folder) == modules / ".bin" / "anvil"
    for kind in ("linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"):
        an_anvil(modules / "@foundry-rs" / f"anvil-{kind}" / "bin" / "anvil")
    found = anvil.find_anvil(path="", environment=folder)
    assert found.parent.parent.name.startswith("anvil-")
