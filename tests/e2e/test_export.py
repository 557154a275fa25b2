"""A gateway without keys: what is to be signed goes out as a file, and comes back signed."""

import json
from typing import Final

from bip32 import BIP32  # type: ignore[import-untyped]
from coincurve import PublicKey

from ctrip.core.paths import ACCOUNT_PATH, GAS_PATH
from ctrip.wallet.derive import address_of
from ctrip.wallet.words import seed_of
from tests.e2e.test_secrets_of_keys import TREASURY, keep
from tests.support.canaries import MNEMONIC
from tests.support.waiting import until
from tests.support.world import World

ETHER: Final = 10**18
ROOT: Final = BIP32.from_seed(seed_of(bytearray(MNEMONIC.encode())))
GAS_WALLET: Final = address_of(PublicKey(ROOT.get_pubkey_from_path(GAS_PATH)))


async def test_coin_and_tokens_are_settled_by_signatures_from_elsewhere(fresh: World) -> None:
    gateway, folder = fresh.gateway, fresh.gateway.log.parent
    settlement = (
        f'[settlement]\nmode = "export"\ntreasury = "{TREASURY}"\ngas_wallet = "{GAS_WALLET}"'
    )
    xpub = ROOT.get_xpub_from_path(ACCOUNT_PATH)
    (folder / "config.toml").write_text(f'{settlement}\n[wallet]\nxpub = "{xpub}"\n')
    gateway.forget("CTRIP_WALLET_MNEMONIC")
    await gateway.start()
    await fresh.fund(coin=10 * ETHER, token=70)
    await fresh.chain.set_balance(GAS_WALLET, ETHER)
    coin = await gateway.create(amount=ETHER)
    token = await gateway.create(amount=70, token_id=fresh.token_id)
    for payment in (coin, token):
        await fresh.pay(payment, payment["amount"])
    await fresh.chain.mine(4)
    for payment in (coin, token):
        await gateway.reaches(payment["id"], "confirmed")

    async def planned() -> bool:
        return (await gateway.run("sweep", "list")).stdout.count("queued") == 2

    await until("both are to be moved", planned)
    done = await gateway.run("sweep", "export", "--chain", "anvil", "--out", "unsigned", "--json")
    assert json.loads(done.stdout) == {"transactions": 3, "waiting": []}
    keep(folder / "words", MNEMONIC)
    signing = ("--mnemonic-file", "words", "--treasury", TREASURY, "--yes")
    signed = await gateway.run("sweep", "sign", "unsigned", "--out", "signed", *signing)
    assert signed.returncode == 0, signed.stderr
    (folder / "words").unlink()
    taken = await gateway.run("sweep", "import", "signed", "--json")
    assert json.loads(taken.stdout) == {"signed": 3, "transactions": 3}

    async def settled() -> bool:
        await fresh.chain.mine()
        now = [await gateway.get(payment["id"]) for payment in (coin, token)]
        return [payment["status"] for payment in now] == ["settled", "settled"]

    await until("both are settled", settled, seconds=30)
    assert (await gateway.run("sweep", "list")).stdout == ""
    there = await fresh.chain.rpc("eth_getBalance", TREASURY, "latest")
    assert 0.999 * ETHER < int(there, 16) < ETHER


async def test_a_sweep_that_waits_is_listed_and_tried_again_or_dropped(fresh: World) -> None:
    gateway, folder = fresh.gateway, fresh.gateway.log.parent
    keep(folder / "words", MNEMONIC)
    (folder / "config.toml").write_text(
        f'[settlement]\nmode = "sweep"\ntreasury = "{TREASURY}"\nmnemonic_file = "words"'
    )
    await gateway.start()
    payment = await gateway.create(amount=70, token_id=fresh.token_id)
    await fresh.fund(token=70)
    await fresh.pay(payment, 70)
    await fresh.chain.mine(4)

    async def waits() -> str:
        said = (await gateway.run("sweep", "list")).stdout
        return said if "the gas wallet can spend 0 wei" in said else ""

    sweep_id = (await until("it waits for coin", waits)).split()[0]
    again = await gateway.run("sweep", "retry", sweep_id)
    assert (again.returncode, sweep_id in again.stdout) == (0, True)
    dropped = await gateway.run("sweep", "drop", sweep_id)
    assert "dropped by hand" in dropped.stdout
    assert (await gateway.run("sweep", "list")).stdout == ""
    missing = await gateway.run("sweep", "drop", sweep_id)
    assert (missing.returncode, "no open sweep" in missing.stderr) == (2, True)
