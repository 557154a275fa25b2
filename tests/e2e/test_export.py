"""A gateway without keys: what is to be signed goes out as a file, and comes back signed."""

import json
from typing import Any, Final

from bip32 import BIP32  # type: ignore[import-untyped]
from coincurve import PublicKey
from eth_account import Account

from ctrip.core.ids import RawAddress
from ctrip.core.paths import ACCOUNT_PATH, GAS_PATH, PAYOUT_PATH
from ctrip.wallet.derive import address_of, checksum
from ctrip.wallet.words import seed_of
from tests.e2e.test_secrets_of_keys import TREASURY, keep
from tests.support.canaries import MNEMONIC
from tests.support.waiting import until
from tests.support.world import World

ETHER: Final = 10**18
ROOT: Final = BIP32.from_seed(seed_of(bytearray(MNEMONIC.encode())))
GAS_WALLET: Final = address_of(PublicKey(ROOT.get_pubkey_from_path(GAS_PATH)))
PAYOUT_WALLET: Final = address_of(PublicKey(ROOT.get_pubkey_from_path(PAYOUT_PATH)))
PAYER: Final = checksum(RawAddress("0x" + "4e" * 20))
CONFIG: Final = f"""
[settlement]
mode = "export"
treasury = "{TREASURY}"
gas_wallet = "{GAS_WALLET}"
payout_wallet = "{PAYOUT_WALLET}"
[wallet]
xpub = "{{xpub}}"
"""


def raw(one: Any) -> str:
    """Sign a transaction of an export with another library."""
    key = ROOT.get_privkey_from_path(one["path"])
    return str(Account.sign_transaction(one["eth_transaction"], key).raw_transaction.hex())


async def exported_elsewhere(it: World) -> None:
    """Start a gateway that has no keys, and may refund."""
    folder, xpub = it.gateway.log.parent, ROOT.get_xpub_from_path(ACCOUNT_PATH)
    (folder / "config.toml").write_text(CONFIG.format(xpub=xpub))
    chains = folder / "chains.yaml"
    coin = "symbol: ETH, refund_per_day_max: 1,"
    chains.write_text(chains.read_text().replace("symbol: ETH,", coin))
    it.gateway.forget("CTRIP_WALLET_MNEMONIC")
    await it.gateway.start()


async def test_coin_and_tokens_are_settled_by_signatures_from_elsewhere(fresh: World) -> None:
    gateway, folder = fresh.gateway, fresh.gateway.log.parent
    await exported_elsewhere(fresh)
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


async def test_refunds_go_back_by_signatures_from_elsewhere_ours_or_raw_ones(fresh: World) -> None:
    gateway, folder = fresh.gateway, fresh.gateway.log.parent
    await exported_elsewhere(fresh)
    gateway.api_key = await gateway.make_key("admin")
    await fresh.chain.set_balance(PAYOUT_WALLET, ETHER)
    await fresh.fund(coin=ETHER)
    payment = await gateway.create(amount=ETHER // 10)
    await fresh.pay(payment, payment["amount"])
    await fresh.chain.mine(4)
    await gateway.reaches(payment["id"], "confirmed")
    path = f"/api/v1/payments/{payment['id']}"
    keep(folder / "words", MNEMONIC)

    async def handed_out(part: int) -> list[Any]:
        """Ask for a part back, and return the refunds of an export."""
        asked = await gateway.ask("POST", f"{path}/refund", {"to": PAYER, "amount": ETHER // part})
        assert (asked.status, asked.json["state"]) == (201, "queued"), asked.body
        (folder / "unsigned").unlink(missing_ok=True)
        done = await gateway.run("sweep", "export", "--chain", "anvil", "--out", "unsigned")
        assert done.returncode == 0, done.stderr
        file = json.loads((folder / "unsigned").read_text())
        return [one for one in file["transactions"] if one["refund"]]

    async def states(count: int) -> bool:
        await fresh.chain.mine()
        told = await gateway.ask("GET", f"{path}/refunds")
        return [one["state"] for one in told.json["data"]] == ["final"] * count

    await handed_out(100)
    signing = ("--mnemonic-file", "words", "--treasury", TREASURY, "--yes")
    refused = await gateway.run("sweep", "sign", "unsigned", "--out", "signed", *signing)
    assert (refused.returncode, "--refund-max for that is 0" in refused.stderr) == (2, True)
    expected = (*signing, "--refund-max", "coin=0.01")
    signed = await gateway.run("sweep", "sign", "unsigned", "--out", "signed", *expected)
    assert f"to {PAYER}, for payment {payment['id']}" in signed.stdout
    assert (await gateway.run("sweep", "import", "signed")).returncode == 0
    await until("the first is paid", lambda: states(1))

    [one] = await handed_out(50)
    (folder / "raw").write_text(f"{raw(one)}\n")
    taken = await gateway.run("sweep", "import", "raw", "--json")
    assert json.loads(taken.stdout) == {"signed": 1, "transactions": 1}, taken.stderr
    await until("the second is paid", lambda: states(2))

    [one] = await handed_out(25)
    tx_hash = await fresh.chain.rpc("eth_sendRawTransaction", f"0x{raw(one)}")
    await fresh.chain.mine(4)
    words = ("sweep", "used", one["refund"]["id"], "--by")
    early = await gateway.run(*words, "0x1")
    assert (early.returncode, "--by: must be the hash" in early.stderr) == (2, True)

    async def used() -> str:
        said = await gateway.run(*words, tx_hash)
        return said.stdout if said.returncode == 0 else ""

    assert "is what paid refund" in await until("its block is read", used)
    await until("the third is on record", lambda: states(3))
    there = await fresh.chain.rpc("eth_getBalance", PAYER, "latest")
    assert int(there, 16) == ETHER // 100 + ETHER // 50 + ETHER // 25


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
