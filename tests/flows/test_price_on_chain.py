"""A price at a real contract's rate, on a real node, and what becomes of it when either fails."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from ctrip.chain.rpc import RpcChain
from ctrip.core.ids import Amount
from ctrip.flows.price import Pricer, PriceUnavailable
from ctrip.settings import Secret
from tests.flows.pricing import FEED, HASTY, TWENTY
from tests.support.anvil import Anvil, running_anvil
from tests.support.builders import CHAIN
from tests.support.clock import FakeClock


@pytest.fixture
async def anvil() -> AsyncIterator[Anvil]:
    async with running_anvil() as anvil:
        yield anvil


async def test_a_real_contract_on_a_real_node_sells_refuses_and_sells_again(anvil: Anvil) -> None:
    feed = await anvil.ensure_feed()
    clock = FakeClock(datetime.now(UTC))
    client = RpcChain(HASTY, [Secret(anvil.url)], clock, timeout_seconds=2)
    pricer = Pricer({CHAIN: client}, clock)
    now = int(clock.now().timestamp())

    async def asked() -> Amount | str:
        """Return what twenty dollars are now, or why nothing."""
        try:
            return (await pricer.convert(TWENTY, HASTY, None)).amount
        except PriceUnavailable as fault:
            return str(fault).partition("on anvil ")[2]

    async def amount_at(value: int, *, updated_at: int = now, answered_in: int = 9) -> Amount | str:
        """Let the feed say something first."""
        await anvil.put_round(
            feed, round_id=9, value=value, updated_at=updated_at, answered_in=answered_in
        )
        return await asked()

    try:
        assert await asked() == 8 * 10**15
        assert await amount_at(200_000_000_000) == 10**16
        assert await amount_at(-200_000_000_000) == "says less than zero"
        assert await amount_at(0) == "says zero"
        stale = await amount_at(1, updated_at=now - 4_000)
        assert stale == "was last updated 66 min ago, and is due every 60 min"
        assert await amount_at(1, updated_at=0) == "has begun a round and not ended it"
        assert await amount_at(1, updated_at=now + 3_600) == "was updated in the future"
        carried = await amount_at(1, answered_in=8)
        assert carried == "carries an answer over from an earlier round"
        assert await amount_at(300_000_000_000) == 6_666_666_666_666_667
        await anvil.rpc("anvil_setCode", FEED, "0x60006000fd")
        assert await asked() == "does not answer as a feed does"
        await anvil.rpc("anvil_setCode", FEED, "0x")
        assert await asked() == "does not answer as a feed does"
    finally:
        await client.close()


async def test_a_node_that_is_down_sells_nothing() -> None:
    async with running_anvil() as anvil:
        await anvil.ensure_feed()
        url = Secret(anvil.url)
    clock = FakeClock(datetime.now(UTC))
    client = RpcChain(HASTY, [url], clock, timeout_seconds=1)
    try:
        with pytest.raises(PriceUnavailable, match="cannot be read now"):
            await Pricer({CHAIN: client}, clock).convert(TWENTY, HASTY, None)
    finally:
        await client.close()
