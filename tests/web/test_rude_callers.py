"""What callers do that no HTTP library does for them: raw bytes on a socket."""

import asyncio

from tests.web.bad_creates import GOOD
from tests.web.shop import Shop

PATIENCE_SECONDS = 10


def head(shop: Shop, length: object) -> bytes:
    """Return the head of a create."""
    return (
        f"POST /api/v1/payments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {shop.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    ).encode()


async def status_of(shop: Shop, sent: bytes, *, hang_up: bool = False) -> int:
    """Send bytes and return the status of the answer, or 0 if there is none."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", shop.port)
        try:
            writer.write(sent)
            await writer.drain()
            if hang_up:
                writer.write_eof()
            line = await reader.readline()
        finally:
            writer.close()
            await writer.wait_closed()
    return int(line.split()[1]) if line else 0


async def test_a_large_body_is_refused_on_its_announcement(shop: Shop) -> None:
    assert await status_of(shop, head(shop, 2_000_000)) == 413
    assert await status_of(shop, head(shop, 65_537)) == 413


async def test_a_length_that_is_no_number_is_refused(shop: Shop) -> None:
    for length in ("-1", "abc", "1" * 60, "1, 2"):
        assert await status_of(shop, head(shop, length)) == 400


async def test_a_body_that_ends_early_leaves_nothing_behind(shop: Shop) -> None:
    before = await shop.written()
    assert await status_of(shop, head(shop, len(GOOD) + 1) + GOOD, hang_up=True) in (0, 400)
    assert await shop.written() == before
    assert (await shop.get("/health")).status == 200


async def test_what_is_not_http_is_refused(shop: Shop) -> None:
    for sent in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"hello\r\n\r\n"):
        assert await status_of(shop, sent) in (0, 400)
    assert (await shop.get("/health")).status == 200


async def test_a_connection_goes_on_after_a_refusal(shop: Shop) -> None:
    bad = b'{"chain":"anvil","amount":0}'
    async with asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", shop.port)
        writer.write(head(shop, len(bad)) + bad + head(shop, len(GOOD)) + GOOD)
        text = b""
        while text.count(b"HTTP/1.1") < 2:
            text += await reader.read(65_536)
        writer.close()
        await writer.wait_closed()
    assert text.startswith(b"HTTP/1.1 400")
    assert b"HTTP/1.1 201" in text
