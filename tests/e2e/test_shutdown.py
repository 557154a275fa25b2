"""SIGTERM: the gateway ends within five seconds, well, with nothing half done."""

import asyncio
import json
from contextlib import suppress

from tests.support.canaries import WEBHOOK_SECRET
from tests.support.receiver import hang, verify
from tests.support.waiting import until
from tests.support.world import World


async def test_it_ends_in_time_with_a_hanging_receiver_and_an_open_request(fresh: World) -> None:
    gateway = fresh.gateway
    await gateway.start()
    fresh.receiver.answers(hang)
    payment = await gateway.create(amount=1)
    await fresh.receiver.wait_for(1)
    host, port = gateway.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /api/v1/payments HTTP/1.1\r\nhost: x\r\nx-api-key: {gateway.api_key}\r\n"
    writer.write(f"{head}content-type: application/json\r\ncontent-length: 99\r\n\r\n{{".encode())
    await writer.drain()
    assert await gateway.stop() == 0
    assert '"event": "stopped"' in gateway.said()
    writer.close()

    fresh.receiver.answers(200)
    await gateway.start()  # what was on the wire is sent again at once, not after its lease
    news = await fresh.receiver.wait_for(2)
    bodies = [verify(one, WEBHOOK_SECRET) for one in news]
    assert bodies[0] == bodies[1]
    assert bodies[0]["data"]["id"] == payment["id"]


async def test_a_request_under_way_is_answered_before_the_end(fresh: World) -> None:
    gateway = fresh.gateway
    await gateway.start()
    body = json.dumps({"chain": "anvil", "amount": 7}).encode()
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /api/v1/payments HTTP/1.1\r\nhost: x\r\nx-api-key: {gateway.api_key}\r\n"
    kind = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(f"{head}{kind}".encode() + body[:5])
    await writer.drain()
    gateway.process.terminate()

    async def closing() -> bool:
        return "Shutting down" in gateway.said()

    await until("it has begun to end", closing)
    writer.write(body[5:])
    answer = await reader.readuntil(b"\r\n")
    assert answer.startswith(b"HTTP/1.1 201")
    assert await gateway.ended() == 0
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    assert not gateway.faults()


async def test_it_ends_in_time_while_the_chain_is_away(fresh: World) -> None:
    gateway = fresh.gateway
    await gateway.start()
    await gateway.create(amount=5)  # with nothing open the chain is looked at once a minute
    fresh.provider.mood = "hangs up"

    async def waits() -> bool:
        return "task waits" in gateway.said()

    await until("the chain is away", waits)
    assert await gateway.stop() == 0
    assert not gateway.faults()
