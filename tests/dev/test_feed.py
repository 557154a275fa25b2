"""The price feed of a dev chain: its artifact is of its source, and ctrip can sell at it."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from ctrip.chain.wire import Endpoint
from ctrip.core.ids import Amount
from ctrip.core.price import Price
from ctrip.dev import feed, token
from ctrip.dev.anvil import FUNDER, DevChain, dev_chain
from ctrip.dev.child import CannotStart
from ctrip.dev.run import client_of, furnish, network
from ctrip.flows.price import Pricer
from ctrip.settings import Secret
from tests.support.clock import FakeClock

TWENTY_FIVE: Final = Price("USD", "25")


@pytest.fixture
async def anvil(folder: Path) -> AsyncIterator[DevChain]:
    async with dev_chain(folder / "log", block_seconds=None) as anvil:
        yield anvil


def test_the_artifact_was_made_from_the_source_beside_it() -> None:
    source = feed.ARTIFACT.with_suffix(".sol").read_bytes()
    assert feed.artifact().source_sha256 == hashlib.sha256(source).hexdigest()
    for signature, start in feed.artifact().selectors.items():
        assert keccak(text=signature)[:4].hex() == start


async def test_a_deployer_that_was_used_before_is_said_so(anvil: DevChain) -> None:
    assert str(to_checksum_address(feed.ADDRESS)) == feed.ADDRESS
    node = Endpoint("anvil", Secret(anvil.url))
    await token.mined(node, {"from": feed.DEPLOYER, "to": FUNDER})
    with pytest.raises(CannotStart, match="has been used on this dev chain: delete"):
        await feed.ensure(node)
    await node.close()


async def test_everything_on_a_dev_chain_has_a_price_at_once(anvil: DevChain) -> None:
    for _ in range(2):  # a second start finds what the first one made, and makes it fresh
        await furnish(anvil)
    chain, client = network(), client_of(anvil)
    [dollar] = chain.tokens
    pricer = Pricer({chain.name: client}, FakeClock(datetime.now(UTC)))
    try:
        assert (await pricer.convert(TWENTY_FIVE, chain, None)).amount == Amount(10**16)
        assert (await pricer.convert(TWENTY_FIVE, chain, dollar)).amount == Amount(25 * 10**6)
    finally:
        await client.close()
