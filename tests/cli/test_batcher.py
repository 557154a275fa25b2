"""`ctrip sweep batcher`: what it says is what puts the contract there."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from ctrip.chain.batcher import FACTORY
from ctrip.cli import batcher
from ctrip.core.errors import ConfigError
from ctrip.core.ids import raw
from ctrip.settings import Database, Network, Secret, Settings, Wallet
from ctrip.settings import Settlement as Keys
from tests.faults.world import served
from tests.support.anvil import Anvil, running_anvil
from tests.support.batching import WORDS, a_batch
from tests.support.log_lines import logging_left_as_found
from tests.sweeps.world import swept


def settings_of(anvil: Anvil, folder: Path) -> Settings:
    words = folder / "words"
    words.touch(0o600)
    words.write_text(WORDS)
    return Settings(
        database=Database(url=Secret("postgresql://nobody@127.0.0.1:1/nothing")),
        wallet=Wallet(mnemonic=Secret(WORDS)),
        settlement=Keys(mode="sweep", mnemonic_file=str(words)),
        networks=(Network(chain=swept(batch=True), rpc_urls=(Secret(anvil.url),)),),
    )


async def test_what_it_says_is_to_be_sent_puts_the_contract_where_it_says(tmp_path: Path) -> None:
    async with running_anvil() as anvil:
        settings = settings_of(anvil, tmp_path)
        name = settings.networks[0].chain.name
        with logging_left_as_found():
            before = await batcher.look(settings, name)
            assert (before.deployed, before.factory) == (False, True)
            assert f"data  {before.data}" in batcher.as_text(before)
            batch = await a_batch(anvil)
            assert raw(before.contract) == batch.address
            assert raw(before.gas_wallet) == batch.signer.gas_address
            after = await batcher.look(settings, name)
        assert after.deployed
        assert batcher.as_text(after).endswith("it is there")


async def test_a_chain_without_the_factory_cannot_have_it(tmp_path: Path) -> None:
    async with running_anvil() as anvil:
        await anvil.rpc("anvil_setCode", FACTORY, "0x")
        settings = settings_of(anvil, tmp_path)
        with logging_left_as_found():
            found = await batcher.look(settings, settings.networks[0].chain.name)
        assert "it cannot be on this chain" in batcher.as_text(found)


async def test_a_chain_that_is_not_swept_has_none(tmp_path: Path) -> None:
    async with running_anvil() as anvil:
        settings = settings_of(anvil, tmp_path)
        held = replace(settings, networks=(Network(chain=served(), rpc_urls=()),))
        with pytest.raises(ConfigError, match="has no batches"):
            await batcher.look(held, served().name)
