"""Where the client connects to, and where it never does."""

from pathlib import Path

import pytest

from ctrip.webhooks.client import Delivered
from ctrip.webhooks.guard import Guard
from tests.support.certificates import a_certificate
from tests.support.receiver import (
    receiver,
)
from tests.webhooks.posting import BODY, Answers, BlackHole, a_client, post, time_bounded, why

# Self-signed for shop.test, with its key, which guards nothing.


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://127.0.0.1.:{port}/",
        "http://user:pass@127.0.0.1:{port}/",
        "http://0.0.0.0:{port}/",
        "http://[::]:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f000001:{port}/",
        "http://0x7f.1:{port}/",
        "http://127.1:{port}/",
        "http://0177.0.0.1:{port}/",
        "http://\uff11\uff12\uff17.0.0.1:{port}/",
    ],
)
async def test_a_blocked_address_is_never_connected(url: str) -> None:
    async with receiver() as r:
        outcome = await post(url.format(port=r.url.split(":")[2].split("/")[0]), Guard())
        assert why(outcome) in {"blocked", "url", "dns"}
        assert r.connections == 0


async def test_the_guard_names_its_refusal() -> None:
    async with receiver() as r:
        assert why(await post(r.url, Guard())) == "blocked"
        assert why(await post(r.url.replace("127.0.0.1", "localhost"), Guard())) == "blocked"


async def test_a_name_that_changes_its_mind_is_caught_when_it_is_dialled() -> None:
    """DNS rebinding: what was looked up for the check is not what is dialled."""
    guard = Guard(("127.0.0.1/32",))
    resolver = Answers(["127.0.0.1"], ["127.0.0.2"])
    assert guard.check_url("https://rebinding.test/") is None
    await resolver.resolve("rebinding.test")
    async with receiver("127.0.0.2") as inside:
        url = inside.url.replace("127.0.0.2", "rebinding.test")
        assert why(await post(url, guard, resolver)) == "blocked"
        assert resolver.asked == 2
        assert inside.connections == 0


async def test_of_several_addresses_only_the_allowed_are_dialled() -> None:
    async with receiver("127.0.0.2") as inside:
        port = int(inside.url.split(":")[2].split("/")[0])
        async with receiver("127.0.0.1", port=port) as outside:
            url = f"http://mixed.test:{port}/"
            resolver = Answers(["127.0.0.2", "127.0.0.3", "127.0.0.1"])
            assert isinstance(await post(url, Guard(("127.0.0.1/32",)), resolver), Delivered)
            assert (inside.connections, outside.connections) == (0, 1)


async def test_several_blocked_addresses_are_blocked() -> None:
    resolver = Answers(["127.0.0.1", "10.0.0.1", "169.254.169.254"])
    assert why(await post("http://many.test/", Guard(), resolver)) == "blocked"


async def test_a_name_server_that_never_answers_runs_into_the_timeout() -> None:
    with time_bounded():
        assert why(await post("http://black-hole.test/", resolver=BlackHole([]))) == "timeout"


async def test_a_name_without_an_address_is_a_fault_of_dns() -> None:
    assert why(await post("http://no-such-name.invalid/")) == "dns"


async def test_tls_checks_the_name_though_the_guard_sees_the_address(tmp_path: Path) -> None:
    shop = a_certificate("shop.test", tmp_path)
    async with (
        receiver(tls=shop.shown) as r,
        a_client(resolver=Answers(["127.0.0.1"]), tls=shop.trusted, timeout_seconds=5) as client,
    ):
        good = r.url.replace("127.0.0.1", "shop.test")
        assert isinstance(await client.post(good, BODY, {}), Delivered)
        bad = r.url.replace("127.0.0.1", "other.test")
        assert why(await client.post(bad, BODY, {})) == "tls"
        assert len(r.received) == 1


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async with receiver(tls=a_certificate("shop.test", tmp_path).shown) as r:
        url = r.url.replace("127.0.0.1", "shop.test")
        assert why(await post(url, resolver=Answers(["127.0.0.1"]))) == "tls"
        assert r.received == []


async def test_plain_http_where_tls_is_expected_is_refused() -> None:
    async with receiver() as r:
        assert why(await post(r.url.replace("http:", "https:"))) == "tls"
