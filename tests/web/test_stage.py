"""Test cases are for development gateways."""

import asyncio

import pytest
from msgspec import json

from ctrip.core.payment import Payment
from ctrip.core.plays import Case
from ctrip.flows.stage import PLAYS_MAX, Look, NoStage, Stage
from ctrip.store.pool import Pool
from tests.support.builders import a_payment
from tests.web.shop import Shop


async def test_a_test_case_is_refused_where_money_is_real(shop: Shop) -> None:
    before = await shop.written()
    answer = await shop.post(json.encode({"chain": "anvil", "amount": 1, "test_case": "paid"}))
    assert (answer.status, answer.json["code"]) == (400, "test_case_not_possible")
    assert await shop.written() == before


class Endless:
    """A player who never comes to an end."""

    sweeps = False

    async def play(self, case: Case, payment: Payment, look: Look) -> None:
        del case, payment, look
        await asyncio.Event().wait()


async def test_there_is_room_for_so_many_plays_and_all_of_them_end(pool: Pool) -> None:
    stage = Stage(pool, Endless(), asyncio.create_task)
    for _ in range(PLAYS_MAX):
        stage.require(Case.PAID)
        stage.perform(Case.PAID, a_payment())
    with pytest.raises(NoStage, match="wait until some are over"):
        stage.require(Case.PAID)
    await stage.close()
    stage.require(Case.PAID)


async def test_a_case_of_sweeps_is_played_where_money_is_swept(pool: Pool) -> None:
    stage = Stage(pool, Endless(), asyncio.create_task)
    with pytest.raises(NoStage, match="sweep_stuck is played by `ctrip dev --sweep`"):
        stage.require(Case.SWEEP_STUCK)
