"""`ctrip webhooks` as it is typed: real processes and a real database."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from ctrip.cli import recover
from ctrip.cli.shown import printable
from ctrip.clock import SystemClock
from ctrip.core.deliveries import Ended
from ctrip.core.endpoints import CONFIG
from ctrip.core.signature import headers
from ctrip.flows.endpoints import Endpoints
from ctrip.flows.replay import Replayer
from ctrip.flows.stops import Stops
from ctrip.settings import Secret, Webhooks
from ctrip.store import queue
from ctrip.store.pool import Pool, connection
from ctrip.webhooks.guard import Guard
from tests.store.rows import written
from tests.support.builders import CREATED
from tests.support.terminal import KEY, Done, Terminal
from tests.support.warm_ctrip import WarmCtrip

WHSEC: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOBODY: Final = "evt_" + "0" * 32


@pytest.fixture
def terminal(database: str, tmp_path: Path, warm: WarmCtrip) -> Terminal:
    return Terminal(database, tmp_path, warm=warm)


async def an_event(pool: Pool, *, outcome: str | None = None, answer: bytes = b"") -> str:
    """Write an event for the receiver of the configuration, and let its delivery end so."""
    async with connection(pool) as conn:
        payment = await written(conn)
        event_id = await conn.fetchval("SELECT id FROM events WHERE payment_id = $1", payment.id)
        if outcome is not None:
            claims = await queue.claim(
                conn,
                now=CREATED,
                count_max=100,
                lease_until=CREATED + timedelta(seconds=30),
                claim_id=uuid4(),
                allowed={},
                tried_after=5,
            )
            await queue.complete(
                conn,
                [
                    Ended(
                        claim=claim,
                        delivered=outcome == "200",
                        due_at=None,
                        outcome=outcome,
                        milliseconds=12,
                        address="192.0.2.1",
                        answer=answer,
                    )
                    for claim in claims
                    if claim.event_id == event_id
                ],
                now=CREATED,
            )
    return str(event_id)


async def test_an_endpoint_lives_and_dies(terminal: Terminal) -> None:
    made = await terminal.webhooks("create", "http://127.0.0.1:9000/hooks", "--events", "payment.*")
    endpoint, secret = made.out.split()[0], made.out.split()[-1]
    assert secret.startswith("whsec_")
    (line,) = (await terminal.webhooks("list")).out.splitlines()
    assert line == f"{endpoint}  http://127.0.0.1:9000/hooks  payment.*  enabled"
    rotated = (await terminal.webhooks("rotate", endpoint)).out.strip()
    assert rotated.startswith("whsec_")
    assert rotated != secret
    assert len((await terminal.read("show", endpoint))["secrets"]) == 2
    await terminal.webhooks("disable", endpoint)
    (line,) = (await terminal.webhooks("list")).out.splitlines()
    assert "DISABLED 20" in line
    assert "disabled by its owner" in line
    await terminal.webhooks("enable", endpoint)
    assert (await terminal.read("list"))[0]["enabled"]
    assert (await terminal.read("delete", endpoint)) == {"id": endpoint, "deleted": True}
    gone = await terminal.webhooks("show", endpoint)
    assert (gone.code, gone.err) == (2, "No endpoint has this id\n")


async def test_secrets_come_from_files_and_are_shown_once(terminal: Terminal) -> None:
    headers_file = terminal.file("headers", "X-Token: canary-of-a-header\n")
    made = await terminal.webhooks(
        "create", "http://127.0.0.1:9000/", "--secret-file", "-", "--headers-file", headers_file,
        "--json", stdin=f"{WHSEC}\n",
    )  # fmt: skip
    assert made.json["secret"] == WHSEC
    endpoint = made.json["id"]
    for words in (["list"], ["show", endpoint], ["show", endpoint, "--json"]):
        done = await terminal.webhooks(*words)
        assert WHSEC not in done.out
        assert "canary" not in done.out
    assert (await terminal.read("show", endpoint))["header_names"] == ["X-Token"]


async def test_of_an_ed25519_key_the_public_half_is_told(terminal: Terminal) -> None:
    made = await terminal.read("create", "http://127.0.0.1:9000/", "--ed25519")
    assert made["secret"].startswith("whpk_")
    assert made["secret"] in (await terminal.webhooks("show", made["id"])).out


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["create", "http://10.0.0.1/"], "not public"),
        (["create", "http://127.0.0.1:9000/", "--events", "nothing"], "event_types: "),
        (["create", "http://127.0.0.1:9000/", "--headers-file", "absent"], "absent cannot be read"),
        (["rotate", "we_nobody"], "No endpoint has this id"),
        (["redeliver", CONFIG, NOBODY], "There is no event"),
        (["show", NOBODY], "There is no event"),
        (["recover", CONFIG, "--since", "yesterday"], "--since: must be a time such as"),
        (["deliveries", CONFIG, "--state", "lost"], "--state: must be one of"),
    ],
    ids=lambda words: " ".join(words[:1]) if isinstance(words, list) else words[:20],
)
async def test_what_cannot_be_done_is_told_in_a_sentence(
    terminal: Terminal, pool: Pool, words: list[str], fault: str
) -> None:
    await an_event(pool)
    done = await terminal.webhooks(*words)
    assert done.code == 2
    assert fault in done.err
    assert done.out == ""


async def test_without_a_key_to_seal_with_no_endpoint_is_made(terminal: Terminal) -> None:
    done = await terminal.webhooks(
        "create", "http://127.0.0.1:9000/", CTRIP_WEBHOOKS_SECRETS_KEY=""
    )
    assert (done.code, "[webhooks] secrets_key" in done.err) == (2, True)


async def test_a_secret_that_no_key_opens_is_told(terminal: Terminal) -> None:
    endpoint = await terminal.create()
    done = await terminal.webhooks("show", endpoint, CTRIP_WEBHOOKS_SECRETS_KEY="0" * 64)
    assert "no configured key opens" in done.out


async def test_an_event_is_shown_with_every_attempt(terminal: Terminal, pool: Pool) -> None:
    event = await an_event(pool, outcome="500", answer=b"\x1b[31mred\x1b]0;title\x07\nsecond")
    text = (await terminal.webhooks("show", event)).out
    assert f"{event}  payment.created  of payment " in text
    assert "dead at 2026-01-01T12:00:00Z (1 attempt, last: 500)" in text
    assert "500  12 ms  192.0.2.1  ?[31mred?]0;title? second" in text
    shown = await terminal.read("show", event)
    assert shown["deliveries"][0]["log"][0]["answer"].startswith("\x1b[31m")
    assert shown["body"]["id"] == event


async def test_deliveries_are_listed_by_what_became_of_them(terminal: Terminal, pool: Pool) -> None:
    dead = await an_event(pool, outcome="500")
    good = await an_event(pool, outcome="200")
    waiting = await an_event(pool)
    for state, wanted in (("dead", {dead}), ("delivered", {good}), ("waiting", {waiting})):
        found = await terminal.read("deliveries", CONFIG, "--state", state)
        assert {one["event_id"] for one in found} == wanted
        assert {one["state"] for one in found} == {state}
    every = (await terminal.webhooks("deliveries", CONFIG)).out
    assert every.split()[0] == waiting
    assert {line.split()[0] for line in every.splitlines()} == {dead, good, waiting}
    assert len(await terminal.read("deliveries", CONFIG, "--limit", "2")) == 2


async def test_events_are_queued_again(terminal: Terminal, pool: Pool) -> None:
    dead, good = await an_event(pool, outcome="500"), await an_event(pool, outcome="200")
    assert await terminal.read("redeliver", CONFIG, dead, good, good) == {
        "queued": 2,
        "under_way": 0,
    }
    rows = await pool.fetch("SELECT event_id, manual FROM deliveries ORDER BY event_id")
    assert [(row["event_id"], row["manual"]) for row in rows] == [
        (event, True) for event in sorted([dead, good])
    ]


async def test_what_failed_is_recovered_while_no_gateway_runs(
    terminal: Terminal, pool: Pool
) -> None:
    dead = {await an_event(pool, outcome="500") for _ in range(3)}
    good = await an_event(pool, outcome="200")
    done = await terminal.webhooks("recover", CONFIG, "--since", "2026-01-01T00:00Z")
    assert (done.code, done.out) == (0, "3 events queued; `ctrip serve` sends them\n")
    assert {row["event_id"] for row in await pool.fetch("SELECT event_id FROM deliveries")} == dead
    again = await terminal.read("recover", CONFIG, "--since", "2026-01-01", "--include-delivered")
    assert (again["queued"], again["ended_at"] is not None) == (1, True)
    rows = await pool.fetch("SELECT event_id FROM deliveries")
    assert {row["event_id"] for row in rows} == {*dead, good}
    shown = (await terminal.webhooks("show", CONFIG)).out
    assert "recovery of 2026-01-01T00:00:00Z to 20" in shown
    for bounds in (["--until", "2026-01-01T11:00Z"], ["--types", "payment.paid"]):
        none = await terminal.read("recover", CONFIG, "--since", "2026-01-01", *bounds)
        assert none["queued"] == 0


async def test_a_recovery_that_nobody_makes_room_for_is_left_to_the_gateway(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctrip.flows.replay.WAITING_MAX", 1)
    await an_event(pool, outcome="500")
    await an_event(pool)
    await an_event(pool)
    clock, news = SystemClock(), asyncio.Event()
    desk = Endpoints(pool, Guard(), Webhooks(secrets_key=Secret(KEY)), clock, news, Stops())
    begun = await desk.recover(CONFIG, since=datetime(2026, 1, 1, tzinfo=UTC))
    stood = await recover.follow(begun, Replayer(pool, clock, news), pool, patience_seconds=0.2)
    assert stood.ended_at is None
    assert "goes on with the rest by itself" in recover.as_text(stood)
    await pool.execute("DELETE FROM deliveries")
    ended = await recover.follow(begun, Replayer(pool, clock, news), pool)
    assert (ended.queued, ended.ended_at is not None) == (3, True)


async def test_a_request_in_files_is_judged(terminal: Terminal) -> None:
    body = '{"id":"evt_1"}'
    made = headers("evt_1", 1_767_225_600, body.encode(), [WHSEC])
    lines = "POST /hooks HTTP/1.1\n" + "".join(f"> {k}: {v}\r\n" for k, v in made.items())
    files = ["--headers-file", terminal.file("h", lines), "--body-file", terminal.file("b", body)]
    files += ["--secret-file", terminal.file("s", f"{WHSEC}\n")]
    good = await terminal.webhooks("verify", *files, "--now", "1767225601")
    assert good == Done(0, "genuine: entry 1 of 1, v1 of webhook-signature fits\n", "")
    late = await terminal.webhooks("verify", *files, "--json")
    assert (late.code, late.json["verdict"], late.json["part"]) == (2, "wrong", "timestamp")
    terminal.file("h", json.dumps(made))
    terminal.file("b", body + "\n")
    spoilt = await terminal.webhooks("verify", *files[:4], "--secret-file", "-", stdin=WHSEC)
    assert (spoilt.code, spoilt.out[:13]) == (2, "wrong (body):")
    assert WHSEC not in spoilt.out + spoilt.err


def test_a_strangers_text_cannot_drive_the_terminal() -> None:
    assert printable("a\x1b[2J\r\n\tb\x9b\u202eé") == "a?[2J b??é"
