"""`ctrip webhooks` beside a gateway that runs."""

from pathlib import Path

from tests.support import canaries
from tests.support.receiver import receiver, verify
from tests.support.terminal import Terminal
from tests.support.waiting import until
from tests.support.warm_ctrip import WarmCtrip
from tests.support.world import World


async def test_beside_a_gateway_that_runs_an_endpoint_is_made_tested_and_sent_to_again(
    fresh: World, database: str, tmp_path: Path, warm: WarmCtrip
) -> None:
    terminal = Terminal(database, tmp_path, secrets_key=canaries.SECRETS_KEY, warm=warm)
    await fresh.gateway.start()
    async with receiver() as own:
        made = await terminal.read("create", own.url)
        tried = await terminal.read("test", made["id"])
        (trial,) = await own.wait_for(1)
        assert verify(trial, made["secret"])["id"] == tried["event_id"]
        own.answers(500, 200)
        payment = await fresh.gateway.create(amount=5)
        (_, first, *_) = await own.wait_for(2)
        news = verify(first, made["secret"])
        assert news["data"]["id"] == payment["id"]
        await terminal.read("redeliver", made["id"], news["id"])

        async def delivered() -> str | None:
            text = (await terminal.webhooks("show", news["id"])).out
            return text if f"{made['id']}  delivered" in text else None

        text = await until("it is delivered", delivered, seconds=30)
        assert text
        assert "  500  " in text
        assert "  200  " in text
        assert {one.headers["webhook-id"] for one in own.received[1:]} == {news["id"]}
