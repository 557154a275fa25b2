"""A key that is revoked ends within a second in every process, frozen ones too."""

import asyncio
import signal
from pathlib import Path
from typing import Final

from tests.support.gateway import Gateway
from tests.support.world import World

CHAINS: Final = "/api/v1/chains"
PROMISED_SECONDS: Final = 1.0


async def status_with(gateway: Gateway, key: str) -> int:
    """Return how a gateway answers a key."""
    return (await gateway.ask("GET", CHAINS, headers={"authorization": f"Bearer {key}"})).status


async def test_a_revoked_key_ends_in_every_process_within_a_second(
    fresh: World, tmp_path: Path
) -> None:
    first = fresh.gateway
    await first.start()
    second = first.twin(tmp_path)
    try:
        await second.start()
        key = await first.make_key("read")
        both = (first, second)
        assert [await status_with(gateway, key) for gateway in both] == [200, 200]
        second.process.send_signal(signal.SIGSTOP)
        done = await first.run("keys", "revoke", key[:12])
        assert done.returncode == 0, done.stderr
        await asyncio.sleep(PROMISED_SECONDS)
        asked = asyncio.create_task(status_with(second, key))  # it lies there when it wakes
        assert await status_with(first, key) == 401
        second.process.send_signal(signal.SIGCONT)
        assert await asked == 401
        assert [await status_with(gateway, gateway.api_key) for gateway in both] == [200, 200]
    finally:
        await second.close()
