"""Endpoints that are wrong and sound right: forged money, another chain, two branches.

What one node invents nobody else has. What it serves of another chain is not looked at.
"""

from typing import Final

import pytest
from msgspec.structs import replace

from ctrip.chain.decode import TRANSFER
from ctrip.core.finality import Terms
from ctrip.core.ids import Amount, RawAddress
from ctrip.core.payment import Payment, Status
from ctrip.dev.token import word
from ctrip.store.pool import Pool
from tests.faults.conftest import high_anvil
from tests.faults.world import TOKEN
from tests.support.anvil import FUNDER, Anvil
from tests.support.rpc_exchange import (
    BLOCK,
    LOGS,
    RECEIPT,
    Exchange,
    Json,
    Play,
    Sent,
    each,
    with_error,
    with_result,
)
from tests.support.rpc_proxy import proxy
from tests.wild.world import (
    SECONDS_IN_RANGES,
    USD,
    WHOLE_WAY,
    a_wild_world,
    address,
    proxied,
    scripted,
)

INVENTED: Final = "0x" + "1f" * 32
MUCH: Final = Terms(second_opinion_above=Amount(99))
LOOKS_UNTIL_NOTICED_MAX: Final = 6


def inventing_coin(to: RawAddress, block: Json) -> Play:
    """Show a transaction in a block, and its receipt, that nobody ever sent."""
    sent = {"hash": INVENTED, "from": FUNDER, "to": to, "value": hex(100)}
    place = {"blockHash": block["hash"], "blockNumber": block["number"]}
    receipt = {"transactionHash": INVENTED, **place, "status": "0x1", "logs": []}

    def forged(call: Json, reply: Json) -> Json:
        if call["method"] == BLOCK and call["params"] == [block["number"], True]:
            there = reply["result"]["transactions"]
            return with_result(reply, {**reply["result"], "transactions": [*there, sent]})
        if call["method"] == RECEIPT and call["params"] == [INVENTED]:
            return with_result(reply, receipt)
        return reply

    async def play(x: Exchange) -> Sent:
        return [forged(call, reply) for call, reply in await x.pairs()]

    return play


def inventing_tokens(to: RawAddress, block: Json) -> Play:
    """Show a log in a range that includes a block, of a transaction that nobody ever sent."""
    log = {
        "address": USD,
        "topics": [TRANSFER, "0x" + word(FUNDER), "0x" + word(to)],
        "data": f"{100:#066x}",
        "blockHash": block["hash"],
        "blockNumber": block["number"],
        "transactionHash": INVENTED,
        "transactionIndex": "0x0",
        "logIndex": "0x0",
        "removed": False,
    }

    def includes(call: Json) -> bool:
        [sought] = call["params"]
        first, last = sought.get("fromBlock", "0x1"), sought.get("toBlock", "0x0")
        return int(first, 16) <= int(block["number"], 16) <= int(last, 16)

    def forged(call: Json, reply: Json) -> Json:
        if call["method"] == LOGS and includes(call):
            return with_result(reply, [*reply["result"], log])
        return reply

    async def play(x: Exchange) -> Sent:
        return [forged(call, reply) for call, reply in await x.pairs()]

    return play


def inventing_balance(to: RawAddress, _: Json) -> Play:
    """Show a balance that is higher than what came."""

    def forged(call: Json, reply: Json) -> Json:
        if call["method"] == "eth_call" and "to" not in call["params"][0]:
            return with_error(reply, -32000, "execution reverted")  # one by one, please
        if call["method"] == "eth_getBalance" and call["params"][0] == to:
            return with_result(reply, hex(int(reply["result"], 16) + 100))
        return reply

    return each(forged)


@pytest.mark.parametrize("in_tokens", [False, True])
async def test_a_poisoned_endpoint_invents_a_payment(
    pool: Pool, anvil: Anvil, *, in_tokens: bool
) -> None:
    """KelpDAO in 2026, 292 million dollars: the data were forged for the verifier alone."""
    terms = {"tokens": (replace(TOKEN, terms=MUCH),), "block_seconds": SECONDS_IN_RANGES}
    changes = terms if in_tokens else {"coin_terms": MUCH}
    async with scripted(pool, anvil, beside=True, **changes) as (first, world):
        payment = await (world.create_usd(100) if in_tokens else world.create(100))
        await world.mine()
        block = await world.block(await world.height())
        inventing = inventing_tokens if in_tokens else inventing_coin
        first.play = inventing(address(payment), block)
        await world.mine_and_look(6)
        now = await world.now(payment)
        assert now.amount_received == 100, "it was believed as far as one endpoint is"
        assert now.status is Status.DETECTED, "and not confirmed, however deep"
        complaint = await world.complaint()
        for part in (str(payment.id), "endpoint 1 of 2", "endpoint 2 of 2"):
            assert part in complaint


async def test_a_poisoned_endpoint_invents_a_balance(pool: Pool, anvil: Anvil) -> None:
    async with scripted(pool, anvil, beside=True) as (first, world):
        payment = await world.create(100)
        first.play = inventing_balance(address(payment), None)
        await world.mine_and_look(12)
        assert (await world.now(payment)).transfers == ()
        assert "endpoint 1 of 2 shows its money" in await world.complaint()
        assert "it shows that the address holds 0 of 100" in await world.complaint()


async def test_an_endpoint_serves_another_chain(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """Benched before any of its data is used, at the start and whenever it is tried again."""
    async with proxy(anvil.url) as first:
        await first.plays("wrong chain id")
        async with a_wild_world(
            pool, anvil, [first.url, anvil.url], block_seconds=block_seconds
        ) as world:
            payment = await world.create(100)
            await anvil.send(address(payment), 100)
            await world.mine_and_look(5)
            await world.shows(payment, 100, *WHOLE_WAY)
            assert set(first.methods) == {"eth_chainId"}
            stranger, _ = world.client.endpoints()
            assert not stranger.ok
            assert "it is on chain 56, not on 31337" in stranger.why


async def test_an_endpoint_comes_back_as_one_of_another_chain(pool: Pool, anvil: Anvil) -> None:
    """The id is asked again after every fault: an operator may have moved the name elsewhere."""
    async with proxy(anvil.url) as only, a_wild_world(pool, anvil, [only.url]) as world:
        payment = await world.create(100)
        await anvil.send(address(payment), 100)
        await world.mine()
        read = await world.cursor()
        await only.plays("wrong chain id after a while")
        await world.look()
        asked = only.methods.copy()
        for _ in range(3):
            await world.look()
        assert set(only.methods - asked) <= {"eth_chainId"}
        assert await world.cursor() == read
        assert "it is on chain 56" in await world.complaint()
        await world.shows(payment, 0)


async def test_an_endpoint_falls_back_by_ten_thousand_blocks(
    pool: Pool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """eth_defi: no head of one chain falls so far, so it is another chain's."""
    async with high_anvil(tmp_path_factory.mktemp("chain")) as chain, proxy(chain.url) as first:
        await chain.ensure_token()
        await chain.mine(20)
        async with a_wild_world(pool, chain, [first.url, chain.url]) as world:
            payment = await world.create(100)
            await chain.send(address(payment), 100)
            await world.mine()
            await first.plays("head far back")
            asked = first.methods[BLOCK]
            await world.look()
            stranger, _ = world.client.endpoints()
            assert "it is on another chain" in stranger.why
            assert first.methods[BLOCK] - asked <= 2, "its newest and its final block, no more"
            await world.mine_and_look(4)
            await world.shows(payment, 100, *WHOLE_WAY)


async def test_two_endpoints_disagree_about_the_block_at_a_height(
    pool: Pool, anvil: Anvil, twin: Anvil, block_seconds: float
) -> None:
    """Nobody is right while two say different things: nothing is read beyond what they share."""
    async with proxied(pool, anvil, beside=True, twin=twin, block_seconds=block_seconds) as (
        first,
        world,
    ):
        await first.plays("two endpoints on two forks")
        await world.part(twin)
        payment = await world.create(100)
        await anvil.send(address(payment), 100)
        for _ in range(LOOKS_UNTIL_NOTICED_MAX):
            await world.mine_and_look()
            if "different blocks at height" in await world.complaint():
                break
        complaint, read = await world.complaint(), await world.cursor()
        for label in ("anvil, endpoint 1 of 2", "anvil, endpoint 2 of 2"):
            assert label in complaint
        await world.mine_and_look(3)
        assert await world.cursor() == read
        assert (await world.now(payment)).status is Status.PENDING
        first.calms()
        await world.mine_and_look(6)
        await world.shows(payment, 100, *WHOLE_WAY)


async def test_logs_come_from_another_branch_than_their_blocks(
    pool: Pool, anvil: Anvil, twin: Anvil, block_seconds: float
) -> None:
    async with proxied(pool, anvil, twin=twin, block_seconds=block_seconds) as (only, world):
        await only.plays("old fork for one method only")
        await world.part(twin)
        payment = await paid_in_tokens(anvil, await world.create_usd(100))
        read = await world.cursor()
        await world.mine()
        for _ in range(2):
            await world.look()
        assert await world.cursor() == read
        assert await world.complaint()
        only.calms()
        await world.mine_and_look(5)
        await world.shows(payment, 100, *WHOLE_WAY)


async def paid_in_tokens(anvil: Anvil, payment: Payment) -> Payment:
    await anvil.mint(USD, address(payment), payment.amount)
    return payment
