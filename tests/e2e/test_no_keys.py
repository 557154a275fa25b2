"""A gateway that was given an xpub has no key that spends, wherever one looks.

Its whole memory is read, of which a core dump is a copy, and its log and its tables.
"""

import json
from typing import Final

import pytest
from bip32 import BIP32  # type: ignore[import-untyped]

from ctrip.core.paths import ACCOUNT_PATH
from ctrip.wallet.sign import Signer
from ctrip.wallet.words import seed_of
from tests.e2e.test_secrets_of_keys import PATHS, everything_in
from tests.support.canaries import MNEMONIC, Evidence, spellings
from tests.support.process_memory import found_in
from tests.support.waiting import until
from tests.support.warm_ctrip import WarmCtrip
from tests.support.world import World, world

TREASURY: Final = "0x00000000000000000000000000000000000000aa"
SEED: Final = seed_of(bytearray(MNEMONIC.encode()))
ROOT: Final = BIP32.from_seed(SEED)
XPUB: Final = ROOT.get_xpub_from_path(ACCOUNT_PATH)
EXPORT: Final = {
    "CTRIP_SETTLEMENT_MODE": "export",
    "CTRIP_SETTLEMENT_TREASURY": TREASURY,
    "CTRIP_SETTLEMENT_GAS_WALLET": Signer(bytearray(MNEMONIC.encode())).gas_address,
    "CTRIP_SETTLEMENT_PAYOUT_WALLET": Signer(bytearray(MNEMONIC.encode())).payout_address,
}


def keys() -> set[bytes]:
    """Return all that money can be spent with, in every spelling."""
    raw = [SEED, *(ROOT.get_privkey_from_path(path) for path in PATHS)]
    texts = [key.hex() for key in raw] + [key.hex().upper() for key in raw]
    texts += [ROOT.get_xpriv_from_path(path) for path in PATHS]
    return {*raw, *(text.encode() for text in (*texts, *spellings(MNEMONIC)))}


@pytest.mark.parametrize("settlement", [{}, EXPORT], ids=["hold", "export"])
async def test_no_key_is_in_memory_log_or_database(
    database: str, evidence: Evidence, warm: WarmCtrip, settlement: dict[str, str]
) -> None:
    watching = {"CTRIP_WALLET_MNEMONIC": "", "CTRIP_WALLET_XPUB": XPUB, **settlement}
    async with world(database, evidence, warm, block_seconds=1, settings=watching) as it:
        await it.gateway.start()
        await work(it, waits=bool(settlement))
        pid = it.gateway.process.pid
        assert found_in(pid, [XPUB.encode()]), "all of its memory is looked through"
        assert found_in(pid, keys()) == set()
        said = it.gateway.said() + await everything_in(database)
        assert not [text for text in map(bytes.hex, keys()) if text in said]
        assert not [key for key in keys() if key.isascii() and key.decode() in said]


async def work(it: World, *, waits: bool) -> None:
    """Have one payment confirmed, and moved out as far as it goes without keys."""
    await it.fund(coin=10**18)
    payment = await it.gateway.create(amount=10**17)
    await it.pay(payment, 10**17)
    await it.chain.mine(5)
    if not waits:
        await it.gateway.reaches(payment["id"], "settled")
        return
    await it.gateway.reaches(payment["id"], "confirmed")

    async def exported() -> bool:
        file = it.gateway.log.with_name("bundle")
        file.unlink(missing_ok=True)
        words = ("sweep", "export", "--chain", "anvil", "--out", str(file), "--json")
        done = await it.gateway.run(*words)
        assert done.returncode == 0, done.stderr
        return bool(json.loads(done.stdout)["transactions"] == 1)

    await until("its sweep is exported", exported)
