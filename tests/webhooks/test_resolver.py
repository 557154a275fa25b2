"""Looking names up: against real name servers on loopback, one zone of which is dead."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import pytest
import uvloop

from ctrip.webhooks.client import Delivered
from ctrip.webhooks.guard import Guard
from ctrip.webhooks.resolver import NoAddress, Resolver
from tests.support.receiver import receiver
from tests.webhooks.nameserver import NameServer, a_nameserver
from tests.webhooks.posting import BODY, a_client, post, time_bounded, why

DEADLINE_SECONDS = 1.5  # seconds; others must be done long before, on a busy machine too

STUCK = """
import asyncio, sys, uvloop
from ctrip.webhooks.resolver import Resolver

async def main(server, end):
    resolver = Resolver(deadline_seconds=0.05, nameservers=[server])
    names = ["a.dead.test", "b.dead.test"]
    found = await asyncio.gather(*map(resolver.resolve, names), return_exceptions=True)
    print(*found)
    if end == "closed":
        await resolver.close()

for run in (asyncio.run, uvloop.run):
    run(main(*sys.argv[1:]))
"""


@asynccontextmanager
async def a_resolver(
    server: NameServer | None = None, *, denial_seconds: float = 60
) -> AsyncIterator[Resolver]:
    resolver = Resolver(
        deadline_seconds=DEADLINE_SECONDS,
        denial_seconds=denial_seconds,
        nameservers=[server.address] if server else None,
    )
    try:
        yield resolver
    finally:
        await resolver.close()


async def addresses(resolver: Resolver, name: str) -> list[str]:
    return sorted(result["host"] for result in await resolver.resolve(name, 80))


async def test_a_name_has_addresses_of_both_families() -> None:
    async with a_nameserver() as ns, a_resolver(ns) as resolver:
        ns.names["shop.test"] = ["192.0.2.7", "192.0.2.8", "2001:db8::7"]
        found = await resolver.resolve("shop.test", 8443)
    assert sorted((result["family"], result["host"]) for result in found) == [
        (socket.AF_INET, "192.0.2.7"),
        (socket.AF_INET, "192.0.2.8"),
        (socket.AF_INET6, "2001:db8::7"),
    ]
    assert {(result["hostname"], result["port"]) for result in found} == {("shop.test", 8443)}


@pytest.mark.parametrize(
    ("family", "expected"), [(socket.AF_INET, "192.0.2.7"), (socket.AF_INET6, "2001:db8::7")]
)
async def test_one_family_may_be_asked_for(family: socket.AddressFamily, expected: str) -> None:
    async with a_nameserver() as ns, a_resolver(ns) as resolver:
        ns.names["shop.test"] = ["192.0.2.7", "2001:db8::7"]
        (found,) = await resolver.resolve("shop.test", 80, family)
    assert found["host"] == expected


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
async def test_a_name_may_have_one_family_only(address: str) -> None:
    async with a_nameserver() as ns, a_resolver(ns) as resolver:
        ns.names["shop.test"] = [address]
        assert await addresses(resolver, "shop.test") == [address]


def hosts() -> list[tuple[str, str]]:
    """Return each name of this machine's hosts file that is the first in its line."""
    lines = [line.split("#")[0].split() for line in Path("/etc/hosts").read_text().splitlines()]
    return [(words[1], words[0]) for words in lines if len(words) > 1]


async def test_names_of_the_hosts_file_need_no_name_server() -> None:
    async with a_nameserver() as ns, a_resolver(ns) as resolver:
        for name, address in hosts():
            assert name == "localhost" or address in await addresses(resolver, name)
        assert set(await addresses(resolver, "localhost")) <= {"127.0.0.1", "::1"}
        assert not ns.asked


async def test_the_machines_own_name_servers_are_the_default() -> None:
    async with a_resolver() as resolver:
        assert set(await addresses(resolver, "localhost")) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("name", ["no-such-name.test", "a" * 64 + ".test", "a..b", "shop.test\0"])
async def test_a_name_without_an_address_is_an_os_error(name: str) -> None:
    async with a_nameserver() as ns, a_resolver(ns) as resolver:
        ns.names["shop.test"] = ["192.0.2.7"]
        with pytest.raises(OSError, match="no address"):
            await resolver.resolve(name, 80)


async def test_a_dead_zone_costs_its_own_names_the_deadline_and_others_nothing() -> None:
    async with a_nameserver() as ns, a_resolver(ns) as resolver:
        ns.silent = "dead.test"
        started = perf_counter()
        dead = [asyncio.create_task(resolver.resolve(f"n{n}.dead.test")) for n in range(64)]
        await ns.wait_for(64)
        for n in range(10):
            ns.names[f"n{n}.alive.test"] = ["192.0.2.7"]
            with time_bounded(DEADLINE_SECONDS / 2):
                assert await addresses(resolver, f"n{n}.alive.test") == ["192.0.2.7"]
        assert not any(task.done() for task in dead)
        ended = await asyncio.gather(*dead, return_exceptions=True)
        assert all(isinstance(error, NoAddress) for error in ended)
        assert DEADLINE_SECONDS / 2 < perf_counter() - started < DEADLINE_SECONDS + 1


async def test_a_name_is_asked_for_once_however_many_wait() -> None:
    async with a_nameserver() as ns, a_resolver(ns) as resolver:
        ns.names["shop.test"] = ["192.0.2.7"]
        found = await asyncio.gather(*[addresses(resolver, "shop.test") for _ in range(100)])
        assert found == [["192.0.2.7"]] * 100
        assert ns.asked["shop.test"] == 2  # A and AAAA


async def test_one_who_gives_up_does_not_take_the_answer_from_others() -> None:
    async with a_nameserver() as ns, a_resolver(ns) as resolver:
        ns.silent = "dead.test"
        first = asyncio.create_task(resolver.resolve("a.dead.test"))
        second = asyncio.create_task(resolver.resolve("a.dead.test"))
        await ns.wait_for(1)
        first.cancel()
        ns.silent, ns.names["a.dead.test"] = "none", ["192.0.2.7"]
        assert [result["host"] for result in await second] == ["192.0.2.7"]  # asked again


async def test_an_answer_is_kept_and_a_denial_soon_forgotten() -> None:
    async with a_nameserver() as ns, a_resolver(ns, denial_seconds=0.02) as resolver:
        with pytest.raises(NoAddress):
            await resolver.resolve("new.test")
        with pytest.raises(NoAddress):
            await resolver.resolve("new.test")
        assert ns.asked["new.test"] == 2  # A and AAAA, once each
        ns.names["new.test"] = ["192.0.2.7"]
        async with asyncio.timeout(10):
            while ns.asked["new.test"] == 2:
                await asyncio.sleep(0.01)
                try:
                    assert await addresses(resolver, "new.test") == ["192.0.2.7"]
                except NoAddress:
                    continue
        assert await addresses(resolver, "new.test") == ["192.0.2.7"]
        assert ns.asked["new.test"] == 4


async def test_closing_ends_what_is_waited_for() -> None:
    async with a_nameserver() as ns, a_resolver(ns) as resolver:
        ns.silent = "dead.test"
        waiting = asyncio.create_task(resolver.resolve("a.dead.test"))
        await ns.wait_for(1)
        with time_bounded(DEADLINE_SECONDS / 2):
            await resolver.close()
            with pytest.raises(NoAddress):
                await waiting
        with pytest.raises(NoAddress):
            await resolver.resolve("localhost")


@pytest.mark.parametrize("end", ["closed", "left open"])
async def test_a_name_server_that_never_answers_does_not_hold_up_the_end(end: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        host, port = silent.getsockname()
        done = subprocess.run(  # noqa: S603, ASYNC221  (our own words, and it is short)
            [sys.executable, "-c", STUCK, f"{host}:{port}", end],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    assert done.stdout.count("no name server answered in time") == 4
    assert done.stderr == ""


def test_it_works_in_uvloop_as_it_does_here() -> None:
    async def dead_and_alive() -> list[str]:
        async with a_nameserver() as ns, a_resolver(ns) as resolver:
            ns.silent, ns.names["shop.test"] = "dead.test", ["192.0.2.7"]
            with pytest.raises(NoAddress):
                await resolver.resolve("a.dead.test")
            return await addresses(resolver, "shop.test")

    assert uvloop.run(dead_and_alive()) == ["192.0.2.7"]


async def test_a_webhook_finds_its_way_by_name_and_a_dead_name_is_a_fault_of_dns() -> None:
    async with a_nameserver() as ns, a_resolver(ns) as resolver, receiver() as r:
        ns.silent, ns.names["shop.test"] = "dead.test", ["127.0.0.1"]
        port = r.url.split(":")[2]
        async with a_client(resolver=resolver, timeout_seconds=30) as client:
            outcome = await client.post(f"http://shop.test:{port}", BODY, {})
            assert isinstance(outcome, Delivered)
            assert why(await client.post(f"http://a.dead.test:{port}", BODY, {})) == "dns"


async def test_sixty_four_posts_to_a_dead_zone_leave_another_post_as_quick_as_ever() -> None:
    async with a_nameserver() as ns, a_resolver(ns) as resolver, receiver() as r:
        ns.silent, ns.names["shop.test"] = "dead.test", ["127.0.0.1"]
        port = r.url.split(":")[2]
        async with a_client(resolver=resolver, timeout_seconds=30) as client:
            dead = [
                asyncio.create_task(client.post(f"http://n{n}.dead.test:{port}", BODY, {}))
                for n in range(64)
            ]
            await ns.wait_for(64)
            with time_bounded(DEADLINE_SECONDS / 2):
                outcome = await client.post(f"http://shop.test:{port}", BODY, {})
            assert isinstance(outcome, Delivered)
            assert not any(task.done() for task in dead)
            assert {why(outcome) for outcome in await asyncio.gather(*dead)} == {"dns"}


@pytest.mark.parametrize("address", ["fe80::1", "169.254.169.254", "::ffff:10.0.0.1", "ff02::1"])
async def test_what_a_name_server_says_is_guarded_like_anything_else(address: str) -> None:
    async with a_nameserver() as ns, a_resolver(ns) as resolver:
        ns.names["inside.test"] = [address]
        assert why(await post("https://inside.test/", Guard(), resolver)) == "blocked"
