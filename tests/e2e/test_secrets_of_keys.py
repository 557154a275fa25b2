"""A gateway that signs: its keys are in its memory and nowhere else."""

import asyncio
from pathlib import Path
from typing import Final

import asyncpg
from bip32 import BIP32  # type: ignore[import-untyped]

from ctrip.core.paths import ACCOUNT_PATH, DEPOSITS_PATH, GAS_PATH, PAYOUT_PATH, deposit_path
from ctrip.wallet.secret_storage import seal
from ctrip.wallet.words import seed_of
from tests.support.canaries import MNEMONIC, Evidence
from tests.support.waiting import until
from tests.support.world import World
from tests.wallet.test_keystore import entropy_of

PASSWORD: Final = "canary keystore password 43"  # noqa: S105  planted
TREASURY: Final = "0x00000000000000000000000000000000000000aa"
CONFIG: Final = f"""
[settlement]
mode = "sweep"
treasury = "{TREASURY}"
keystore_file = "keystore"
password_file = "password"
"""
PATHS: Final = ("m", ACCOUNT_PATH, DEPOSITS_PATH, GAS_PATH, PAYOUT_PATH, *map(deposit_path, (0, 1)))


def planted() -> set[str]:
    """Return all that leads to money: the password, the entropy, and keys in hex."""
    root = BIP32.from_seed(seed_of(bytearray(MNEMONIC.encode())))
    keys = {root.get_privkey_from_path(path).hex() for path in PATHS}
    return {PASSWORD, bytes(entropy_of(MNEMONIC)).hex(), *keys}


def keep(file: Path, content: str | bytes, mode: int = 0o600) -> None:
    file.touch(0o600)
    file.chmod(0o600)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    file.chmod(mode)


async def test_keys_that_sweep_are_in_no_log_answer_database_or_core(
    fresh: World, database: str, evidence: Evidence
) -> None:
    evidence.secrets |= planted()
    gateway = fresh.gateway
    folder = gateway.log.parent
    sealed = seal(entropy_of(MNEMONIC), bytearray(PASSWORD.encode()), "bip39-entropy", n=2)
    (folder / "config.toml").write_text(CONFIG)
    keep(folder / "keystore", sealed)
    keep(folder / "password", PASSWORD)
    await gateway.start()
    assert core_size_max(gateway.process.pid) == ["0", "0"]
    await asyncio.gather(sweep_one(fresh), bad_keys(fresh, folder))
    evidence.add("database", await everything_in(database))
    assert await gateway.stop() == 0
    evidence.add("log", gateway.said())
    assert not evidence.leaks()


def core_size_max(pid: int) -> list[str]:
    """Return the limits that a process has set for dumps of its memory."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line.split()[4:6] for line in lines if line.startswith("Max core file size"))


async def sweep_one(it: World) -> None:
    """Have one payment in coin signed for and moved."""
    await it.fund(coin=10**18)
    payment = await it.gateway.create(amount=10**17)
    await it.pay(payment, 10**17)

    async def moved() -> bool:
        await it.chain.mine()
        return int(await it.chain.rpc("eth_getBalance", TREASURY, "latest"), 16) > 9 * 10**16

    await until("the money is in the treasury", moved)
    await it.gateway.ask("GET", "/health")


async def everything_in(database: str) -> str:
    """Return every row of every table as text."""
    conn = await asyncpg.connect(database)
    try:
        tables = await conn.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = [await conn.fetch(f'SELECT t::text FROM "{name}" t') for (name,) in tables]
    finally:
        await conn.close()
    assert any("sending" in name for (name,) in tables)
    return "\n".join(row for some in rows for (row,) in some)


async def bad_keys(it: World, folder: Path) -> None:
    """Start with keys that must not be used, which is told without showing them."""
    other = MNEMONIC.split()
    keep(folder / "open", PASSWORD, 0o640)
    keep(folder / "wrong", PASSWORD.upper())
    keep(folder / "words", " ".join([*other[1:], other[0]]))
    for name, told in (("open", "chmod 600"), ("wrong", "does not open"), ("none", "No such")):
        done = await it.gateway.run(
            "serve", CTRIP_SETTLEMENT_PASSWORD_FILE=name, CTRIP_SERVER_PORT="0"
        )
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
        assert "Traceback" not in done.stderr
    (folder / "words.toml").write_text(CONFIG.split("keystore_file")[0] + 'mnemonic_file = "words"')
    for words in (("keys", "wallet", "check", "--json"), ("serve",)):
        done = await it.gateway.run(*words, "--config", "words.toml")
        assert (done.returncode, "checksum is wrong" in done.stderr) == (2, True), done.stderr
        it.gateway.evidence.add(f"{words}", done.stdout)
