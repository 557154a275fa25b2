"""A local chain: an anvil process (Foundry's EVM node), started, awaited and stopped.

Blocks come every second, or only when asked for with evm_mine, as tests want it. Epochs
are one slot long, so `safe` is one block behind the newest and `finalized` two, where
anvil's own default is 64. With a state file the chain is the same after a restart, block
hashes included: it is written when anvil is stopped, and every few seconds for the case
that it is killed.
"""

import asyncio
import platform
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Final

from ctrip.chain.client import ChainOutage
from ctrip.chain.wire import Endpoint
from ctrip.core.ids import Address
from ctrip.dev import child
from ctrip.dev.child import CannotStart
from ctrip.settings import Secret

CHAIN_ID: Final = 31337
BLOCK_SECONDS: Final = 1
FUNDER: Final = Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")  # unlocked, 10,000 ether

START_SECONDS_MAX: Final = 20.0  # it takes 0.1; the rest is for a machine that is very busy
LOOK_SECONDS: Final = 0.01
STATE_SECONDS: Final = 60  # between two writes of the state, 2 kB a block; a kill -9 loses as much
STATES_KEPT: Final = 256  # blocks that can be reorganised or asked for balances; without a
# bound anvil writes every state to the home folder, 1.2 GB in the first 4000 blocks
# The pool takes every value of 2^128 wei and more for one that nobody can afford. Without its
# check the EVM decides, and a transaction that cannot be paid for vanishes when it is mined.
NO_POOL_CHECK: Final = "--disable-pool-balance-checks"
LISTENING: Final = re.compile(r"Listening on (\S+)")

NOT_INSTALLED: Final = (
    "anvil, the dev chain's node, is neither on PATH nor in {npm}: run `make setup`, "
    "which needs npm, or install Foundry"
)
PORT_TAKEN: Final = (
    "port {port} is in use, so the dev chain cannot listen there: stop what uses it, "
    "or give another with --chain-port (0 takes any free one)"
)
STATE_BROKEN: Final = (
    "the dev chain cannot be read back from {state}: delete it, and with it the development "
    "database, which remembers that chain"
)
NOT_STARTED: Final = "anvil did not start. The end of {log}:{tail}"


class DevChain:
    """A running anvil. Its log ends with the banner, because each call would be a line of it."""

    def __init__(self, process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
        self._process = process
        self.url = f"http://{address}"
        self.pid = process.pid
        self.log = log

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def running(self) -> bool:
        return self._process.poll() is None


@asynccontextmanager
async def dev_chain(
    log: Path,
    *,
    port: int = 0,
    block_seconds: int | None = BLOCK_SECONDS,
    state: Path | None = None,
    program: Path | None = None,
    finality_lag: int = 2,
    pool_check: bool = False,
) -> AsyncIterator[DevChain]:
    """Run a chain while the `async with` lasts. Port 0 takes a free one; no seconds, no mining.

    Its `finalized` block is `finality_lag` below the newest, an even number. With `pool_check` the
    pool refuses what its sender cannot pay for, as those of real nodes do.
    """
    program = program or find_anvil()
    command: list[str | Path] = [program, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--slots-in-an-epoch", str(finality_lag // 2), "--prune-history", str(STATES_KEPT)]
    command += ["--block-time", str(block_seconds)] if block_seconds else ["--no-mining"]
    command += ["--color", "never"] if pool_check else ["--color", "never", NO_POOL_CHECK]
    cache = log.with_name(f"{log.name}.cache")  # anvil's own choice is the home folder
    command += ["--cache-path", cache]
    if state:
        command += ["--state", state, "--state-interval", str(STATE_SECONDS)]
    try:
        if state:
            state.parent.mkdir(parents=True, exist_ok=True)
        process = child.start(command, log=log, farewell=signal.SIGTERM)
    except OSError as fault:
        raise CannotStart(f"anvil did not start: {fault.filename}: {fault.strerror}") from None
    try:
        address = await listening(process, log)
        if not address:
            raise CannotStart(reason(log, port=port, state=state))
        chain = DevChain(process, address, log)
        await greet(chain)
        yield chain
    finally:
        child.stop(process, signal.SIGTERM)
        shutil.rmtree(cache, ignore_errors=True)


def find_anvil(path: str | None = None, environment: Path = Path(sys.prefix)) -> Path:
    """Return anvil from PATH, else from where `make setup` puts it in the virtual environment."""
    npm = environment / "npm" / "node_modules"
    found = shutil.which("anvil", path=path) or shutil.which("anvil", path=str(npm / ".bin"))
    if not found:
        raise CannotStart(NOT_INSTALLED.format(npm=npm))
    return native(Path(found))


def native(found: Path) -> Path:
    """Return the program itself where npm's launcher was found, which would stand between us."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    name = f"anvil-{platform.system().lower()}-{machine}"
    beside_launcher = found.resolve().parent.parent / name / "bin" / "anvil"
    return beside_launcher if beside_launcher.exists() else found


async def listening(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Return the address that anvil listens on, or nothing if it ended or never did."""
    deadline = monotonic() + START_SECONDS_MAX
    while process.poll() is None and monotonic() < deadline:
        if address := announced(log):
            return address
        await asyncio.sleep(LOOK_SECONDS)
    return ""


def announced(log: Path) -> str:
    """Return the address that anvil said it listens on, if it has."""
    said = LISTENING.search(log.read_text(errors="replace"))
    return said[1] if said else ""


async def greet(chain: DevChain) -> None:
    """Make sure that it answers, and stop it from logging each call without end."""
    node = Endpoint("anvil", Secret(chain.url))
    try:
        await node.call("anvil_setLoggingEnabled", False)  # noqa: FBT003  JSON-RPC
    except ChainOutage:
        raise CannotStart(NOT_STARTED.format(log=chain.log, tail=child.tail(chain.log))) from None
    finally:
        await node.close()


def reason(log: Path, *, port: int, state: Path | None) -> str:
    """Return what to do, read off what anvil said before it gave up."""
    said = log.read_text(errors="replace")
    if "Address already in use" in said:
        return PORT_TAKEN.format(port=port)
    if state and "'--state <PATH>'" in said:
        return STATE_BROKEN.format(state=state)
    return NOT_STARTED.format(log=log, tail=child.tail(log))
