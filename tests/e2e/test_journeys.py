"""One payment after the other, from created to settled, in every form that money takes."""

from collections.abc import Sequence
from typing import Any, Final

import pytest

from tests.support.canaries import WEBHOOK_SECRET
from tests.support.receiver import verify
from tests.support.waiting import until
from tests.support.world import World

HUGE: Final = 2**255  # base units
JOURNEY: Final = ["created", "detected", "confirmed", "paid", "settled"]


async def news_of(it: World, payment_id: str, *, until_type: str) -> list[dict[str, Any]]:
    """Return the verified events of a payment in their order, once one of a type is there."""

    async def look() -> list[dict[str, Any]] | None:
        bodies = [verify(received, WEBHOOK_SECRET) for received in it.receiver.received]
        ours = [body for body in bodies if body["data"]["id"] == payment_id]
        there = any(body["type"] == f"payment.{until_type}" for body in ours)
        # Deliveries overtake each other.
        whole = len({body["sequence"] for body in ours}) == max(
            (body["sequence"] for body in ours), default=0
        )
        return sorted(ours, key=lambda body: body["sequence"]) if there and whole else None

    found = await until(f"{payment_id}: payment.{until_type} is delivered", look)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("is_token", "parts"),
    [
        pytest.param(False, [10**18], id="native"),
        pytest.param(True, [5_000_000], id="token"),
        pytest.param(False, [3, 10**17], id="native in two parts"),
        pytest.param(True, [1, 2_500_000], id="token in two parts"),
        pytest.param(False, [HUGE], id="native 2^255"),
        pytest.param(True, [HUGE], id="token 2^255"),
        pytest.param(False, [1], id="one wei"),
    ],
)
async def test_a_payment_walks_through_every_status(
    running: World, parts: Sequence[int], *, is_token: bool
) -> None:
    gateway, chain, amount = running.gateway, running.chain, sum(parts)
    await running.fund(**{"token" if is_token else "coin": amount})
    asset = {"token_id": running.token_id} if is_token else {}
    payment = await gateway.create(amount=str(amount), **asset)
    assert (payment["status"], payment["amount"]) == ("pending", amount)
    hashes = []
    for part in parts[:-1]:
        hashes.append(await running.pay(payment, part))
        await chain.mine()
        await news_of(running, payment["id"], until_type="underpaid")
        assert (await gateway.get(payment["id"]))["amount_received"] == part
    hashes.append(await running.pay(payment, parts[-1]))
    await chain.mine()
    detected = await gateway.reaches(payment["id"], "detected")
    assert detected["confirmations"] == 1
    await chain.mine()
    assert (await gateway.reaches(payment["id"], "paid"))["confirmations"] == 2
    await chain.mine()
    settled = await gateway.reaches(payment["id"], "settled")

    assert settled["amount_received"] == amount
    assert sorted(t["tx_hash"] for t in settled["transfers"]) == sorted(hashes)
    assert all(t["counted"] and not t["orphaned"] for t in settled["transfers"])
    news = await news_of(running, payment["id"], until_type="settled")
    told = [body["type"].removeprefix("payment.") for body in news]
    assert [name for name in told if name != "underpaid"] == JOURNEY
    assert told.count("underpaid") == len(parts) - 1
    assert [body["sequence"] for body in news] == list(range(1, len(told) + 1))
    statuses = {name: body["data"]["status"] for name, body in zip(told, news, strict=True)}
    assert {statuses[name] for name in JOURNEY[1:]} == set(JOURNEY[1:])
    assert statuses["created"] == "pending"
    assert news[-1]["data"]["amount_received"] == amount


@pytest.mark.parametrize("is_token", [False, True], ids=["native", "token"])
async def test_a_reorg_takes_a_payment_back_and_it_is_counted_once(
    running: World, *, is_token: bool
) -> None:
    gateway, chain = running.gateway, running.chain
    await running.fund(coin=700, token=700)
    asset = {"token_id": running.token_id} if is_token else {}
    payment = await gateway.create(amount="700", **asset)
    paid = await running.pay(payment, 700)
    signed = await chain.raw_transaction(paid)
    await chain.mine()
    detected = await gateway.reaches(payment["id"], "detected")

    await chain.reorg(1)  # the block comes back without the transaction
    await chain.mine()
    dropped = await gateway.reaches(payment["id"], "pending")
    assert "reorged" in dropped["flags"]
    assert (dropped["amount_received"], dropped["detected_in_block"]) == (0, None)
    assert [t["orphaned"] for t in dropped["transfers"]] == [True]
    news = await news_of(running, payment["id"], until_type="reorged")
    assert news[-1]["data"]["status"] == "pending"

    assert await chain.resend(signed) == paid
    await chain.mine()
    again = await gateway.reaches(payment["id"], "detected")
    assert again["detected_in_block"] > detected["detected_in_block"]
    await chain.mine(2)
    settled = await gateway.reaches(payment["id"], "settled")
    assert settled["amount_received"] == 700
    assert [(t["tx_hash"], t["orphaned"]) for t in settled["transfers"]] == [(paid, False)]
    news = await news_of(running, payment["id"], until_type="settled")
    told = [body["type"].removeprefix("payment.") for body in news]
    assert told == ["created", "detected", "reorged", *JOURNEY[1:]]
