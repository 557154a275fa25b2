"""No secret is shown, whatever goes well or wrong: canaries are planted and looked for."""

import asyncio
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

from ctrip.dev.postgres import Cluster
from tests.support import canaries
from tests.support.canaries import Evidence, leaks
from tests.support.gateway import Gateway
from tests.support.provider import Mood
from tests.support.receiver import endless, redirect, reset
from tests.support.waiting import until
from tests.support.world import World


@pytest.mark.parametrize("secret", canaries.PLANTED)
def test_a_canary_is_found_in_any_spelling(secret: str) -> None:
    inside = f"before {secret} after"
    spelt = [inside, quote(inside, safe=""), inside.encode().hex()]
    spelt += [b64encode(f"{'x' * n}{secret}yz".encode()).decode() for n in range(3)]
    for text in spelt:
        assert leaks(f'{{"event": "{text}"}}', [secret]), text
    assert not leaks("nothing to see here", [secret])


async def test_no_secret_is_shown_whatever_happens(
    fresh: World, cluster: Cluster, database: str, evidence: Evidence
) -> None:
    gateway = fresh.gateway
    await gateway.start()
    await one_payment(fresh)
    await knock(gateway)
    await bad_receivers(fresh)
    await bad_providers(fresh)
    await database_away(gateway, cluster, database)
    await one_payment(fresh)
    await bad_starts(gateway)
    assert await gateway.stop() == 0
    said = gateway.said()
    evidence.add("log", said)
    assert {"stopped", "delivery", "task waits"} <= {e for e in WORDS if f'"event": "{e}"' in said}
    assert len(evidence.secrets) > len(canaries.PLANTED)
    assert not evidence.leaks()


WORDS = ("stopped", "delivery", "task waits", "request refused")


async def one_payment(it: World) -> None:
    await it.fund(coin=1)
    payment = await it.gateway.create(amount=1)
    await it.pay(payment, 1)
    await it.chain.mine(3)
    await it.gateway.reaches(payment["id"], "settled")
    await look_around(it.gateway)


async def look_around(gateway: Gateway) -> None:
    for path in ("/health", "/health/ready", "/metrics", "/api/v1/chains", "/api/v1/tokens"):
        await gateway.ask("GET", path)


async def knock(gateway: Gateway) -> None:
    """Try keys that are nearly right, and bodies that are not."""
    key = gateway.api_key
    other = "A" if key[-1] != "A" else "B"
    misses = [key[:-1] + other, key[:-1], f"{key}x", key.upper(), key.swapcase(), f" {key} {key}"]
    for miss in misses:
        for headers in ({"authorization": f"Bearer {miss}"}, {"x-api-key": miss}):
            ours = {"authorization": "", **headers}
            answer = await gateway.ask("GET", "/api/v1/tokens", headers=ours)
            assert answer.status == 401, miss
    answer = await gateway.ask("GET", f"/nowhere/{key}?key={key}")
    assert answer.status == 404
    reader = await gateway.make_key("read")
    answer = await gateway.ask(
        "POST", "/api/v1/payments", {}, headers={"authorization": f"Bearer {reader}"}
    )
    assert answer.status == 403
    json = {"content-type": "application/json"}
    for body in (b"{", b"[]", b'{"chain": 5}', b"\xff", f'{{"x": "{key}"}}'.encode()):
        answer = await gateway.ask("POST", "/api/v1/payments", data=body, headers=json)
        assert answer.status == 400, body


async def bad_receivers(it: World) -> None:
    """Announce payments to receivers that fail in several ways."""
    it.receiver.answers(500, reset, redirect(it.receiver.url), endless(500), 200)
    for count in range(1, 5):
        before = len(it.receiver.received)
        await it.gateway.create(amount=count)
        await it.receiver.wait_for(before + 1)
    await until("failed deliveries are noted", lambda: said(it, '"ended": false'))


async def said(it: World, text: str) -> bool:
    return text in it.gateway.said()


async def bad_providers(it: World) -> None:
    """Read the chain from a provider that fails in several ways."""
    gateway = it.gateway

    async def unready() -> bool:
        return not await gateway.is_ready()

    moods: tuple[Mood, ...] = ("refuses", "errs", "hangs up")
    for mood in moods:
        it.provider.mood = mood
        await until(f"the chain is away: {mood}", unready)
        await look_around(gateway)
        done = await gateway.run("check")
        assert done.returncode == 1
        gateway.evidence.add("check", done.stdout)
        it.provider.mood = "serves"
        await until("the chain is back", gateway.is_ready)


async def database_away(gateway: Gateway, cluster: Cluster, database: str) -> None:
    """Let the database refuse us in a way that nobody foresaw, so that tracebacks are logged."""
    name = database.rpartition("@/")[2].partition("?")[0]
    conn = await asyncpg.connect(cluster.url)
    try:
        await conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )

        async def failed() -> bool:
            answer = await gateway.ask("POST", "/api/v1/payments", {"chain": "anvil", "amount": 1})
            return answer.status >= 500

        async def logged() -> bool:
            return "Traceback" in gateway.said()

        await until("the database is away", failed)
        await until("that is logged as what nobody foresaw", logged)
        await look_around(gateway)
    finally:
        await conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await conn.close()
    await until("the database is back", gateway.is_ready, seconds=20)


async def bad_starts(gateway: Gateway) -> None:
    """Start with a configuration that is wrong somewhere, which must be told without showing it."""
    words = canaries.MNEMONIC.split()
    nowhere = f"postgresql://postgres:{quote(canaries.DATABASE_PASSWORD, safe='')}@127.0.0.1:9/x"
    changes: list[dict[str, Any]] = [
        {"CTRIP_WALLET_MNEMONIC": " ".join([*words[1:], words[0]])},  # the checksum is wrong
        {"CTRIP_WALLET_MNEMONIC": f"{canaries.MNEMONIC} {words[0]}"},
        {"CTRIP_WALLET_XPUB": canaries.MNEMONIC},
        {"CTRIP_DATABASE_URL": nowhere},
        {"CTRIP_DATABASE_URL": f"x{nowhere}"},
        {"CTRIP_DATABASE_URL": nowhere.replace("127.0.0.1:9", "127.0.0.1:port")},
        {"CTRIP_WEBHOOKS_SECRET": canaries.WEBHOOK_SECRET[:-3]},
        {"CTRIP_SERVER_PORT": canaries.WEBHOOK_SECRET},
        {"PATH_KEY": f"{canaries.RPC_PATH_KEY} \x00"[:-1]},
        {"CTRIP_NO_SUCH": canaries.RPC_QUERY_KEY},
    ]
    done = await asyncio.gather(*(gateway.run("serve", **change) for change in changes))
    for change, one in zip(changes, done, strict=True):
        assert one.returncode in {1, 2}, (change, one.stderr)
        assert "Traceback" not in one.stderr, one.stderr
        assert one.stderr.strip()
