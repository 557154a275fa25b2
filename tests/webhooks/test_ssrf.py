"""Every way we know of to make ctrip speak to the inside: refused when said, and when dialled.

The URLs stand in ways_inside.py. Each is checked as it is at registration, and posted to,
when no socket may be made for it: to make that harder, every name leads to 127.0.0.1, so
that whatever a parser takes for a name is an attack too.
"""

import socket
from random import Random

import pytest

from ctrip.webhooks.client import Delivered
from ctrip.webhooks.guard import BAD_PORTS, AddressInfo, Guard
from tests.support.receiver import receiver, redirect
from tests.webhooks.posting import BODY, Answers, a_client, post, why
from tests.webhooks.ways_inside import CLOUD, DIALLED, WAYS

REDIRECTS = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://2130706433:{port}/",
    "//127.0.0.1:{port}/",
    "/elsewhere",
    "file:///etc/passwd",
    "http://169.254.169.254/",
]


PATIENT_SECONDS = 30.0  # refused at once, however busy the machine is


class Watched(Guard):
    """A guard that counts what it let through."""

    def __init__(self, allow_cidrs: tuple[str, ...] = ()) -> None:
        super().__init__(allow_cidrs)
        self.dialled: list[str] = []

    def socket_for(self, info: AddressInfo, *, plain: bool = False) -> socket.socket:
        made = super().socket_for(info, plain=plain)
        self.dialled.append(info[4][0])
        return made


def test_the_table_is_long_enough() -> None:
    assert len({url for url, _ in WAYS}) == len(WAYS)
    assert len(WAYS) >= 100
    assert len(CLOUD) >= 9


@pytest.mark.parametrize(("url", "said"), WAYS)
def test_it_is_refused_when_it_is_said(url: str, said: str) -> None:
    fault = Guard().check_url(url)
    assert (fault is None) if said is DIALLED else (said in (fault or ""))
    assert fault is None or "127.0.0.1" not in fault


@pytest.mark.parametrize("url", [url for url, _ in WAYS])
async def test_it_is_refused_when_it_is_dialled(url: str) -> None:
    guard = Watched()
    to_inside = Answers(["127.0.0.1"])
    async with a_client(guard, timeout_seconds=PATIENT_SECONDS, resolver=to_inside) as client:
        outcome = await client.post(url, BODY, {})
    assert why(outcome) in {"blocked", "url", "dns"}
    assert guard.dialled == []


@pytest.mark.parametrize("url", CLOUD)
async def test_credentials_of_clouds_are_refused_with_everything_else_open(url: str) -> None:
    guard = Watched(("0.0.0.0/0", "::/0"))
    assert guard.check_url(url) is not None
    answers = Answers(["169.254.169.254", "100.100.100.200"])
    assert why(await post(url, guard, answers)) in {"blocked", "url"}
    assert guard.dialled == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "shop.inside", "[::ffff:127.0.0.1]"])
async def test_the_operators_networks_are_open_and_need_no_tls(host: str) -> None:
    guard = Watched(("127.0.0.1/32",))
    async with receiver() as r:
        url = r.url.replace("127.0.0.1", host)
        assert guard.check_url(url) is None or host == "localhost"
        assert isinstance(await post(url, guard, Answers(["127.0.0.1"])), Delivered)
        assert len(r.received) == 1


async def test_no_url_whatsoever_is_dialled_or_raises() -> None:
    random = Random(7)
    pieces = [
        "http", "https", ":", "//", "/", "[", "]", "::1", "[::1]", "127.0.0.1", "0x7f", "%", "%25",
        "@", "user", "\0", "\t", " ", "\\", "#", "?", "{", "|", "...", "99999", "-1", "localhost",
        "é", "ß", "\uff0e", "\u200b", "\ud800", "xn--", "a" * 64, "a" * 300,
    ]  # fmt: skip
    guard = Watched()
    async with a_client(guard, resolver=Answers(["127.0.0.1"])) as client:
        for _ in range(3000):
            start = random.choice(["http://", "https://", ""])
            url = start + "".join(random.choice(pieces) for _ in range(random.randrange(7)))
            guard.check_url(url)
            assert why(await client.post(url, BODY, {})) in {"blocked", "url", "dns"}
        yarls = "http://é[::1]127.0.0.1@"  # its host is found, and then is none
        assert why(await client.post(yarls, BODY, {})) == "url"
    assert guard.dialled == []


async def test_what_is_open_opens_nothing_beside_it() -> None:
    guard = Watched(("127.0.0.2/32",))
    for url, _ in WAYS:
        outcome = await post(url, guard, Answers(["127.0.0.1"]))
        assert why(outcome) in {"blocked", "url", "dns"}
    assert guard.dialled == []


@pytest.mark.parametrize("port", sorted(BAD_PORTS))
def test_a_port_of_another_protocol_is_refused_in_the_operators_networks_too(port: int) -> None:
    guard = Guard(("10.0.0.0/8",))
    assert str(port) in (guard.check_url(f"https://10.0.0.1:{port}/") or "")
    info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("10.0.0.1", port))
    with pytest.raises(OSError, match="not allowed"):
        guard.socket_for(info)


async def test_a_name_of_the_operators_is_not_spoken_to_in_the_clear_when_it_leads_outside() -> (
    None
):
    guard = Watched(("10.0.0.0/8",))
    assert guard.check_url("http://shop.inside/") is None
    assert why(await post("http://shop.inside/", guard, Answers(["1.1.1.1"]))) == "blocked"
    assert guard.dialled == []


@pytest.mark.parametrize("target", REDIRECTS)
async def test_a_redirect_leads_nowhere(target: str) -> None:
    async with receiver() as r, receiver() as inside:
        r.answers(redirect(target.format(port=inside.url.split(":")[2].split("/")[0])))
        guard = Watched(("127.0.0.0/8",))
        outcome = await post(r.url, guard)
        assert not isinstance(outcome, Delivered)
        assert (len(guard.dialled), len(r.received), inside.connections) == (1, 1, 0)


async def test_a_name_that_was_outside_yesterday_and_is_inside_today_is_refused_today() -> None:
    guard = Watched(("127.0.0.1/32",))  # stands for the outside
    resolver = Answers(["127.0.0.1"], ["127.0.0.2"])
    async with receiver("127.0.0.1") as outside:
        port = int(outside.url.split(":")[2].split("/")[0])
        async with receiver("127.0.0.2", port=port) as inside:
            url = f"http://rebinding.test:{port}/"
            assert isinstance(await post(url, guard, resolver), Delivered)
            assert why(await post(url, guard, resolver)) == "blocked"
            assert (outside.connections, inside.connections) == (1, 0)


async def test_a_connection_that_is_kept_leads_where_it_led_when_it_was_checked() -> None:
    resolver = Answers(["127.0.0.1"], ["127.0.0.2"])
    async with receiver() as r, a_client(Guard(("127.0.0.1/32",)), resolver=resolver) as client:
        url = r.url.replace("127.0.0.1", "rebinding.test")
        outcomes = [await client.post(url, BODY, {}) for _ in range(3)]
        assert {outcome.address for outcome in outcomes} == {"127.0.0.1"}
        assert r.connections == 1


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1", "::1"], ["10.0.0.1", "169.254.169.254", "fe80::1"], ["::ffff:127.0.0.1"]],
)
async def test_a_name_with_only_inside_addresses_is_refused(answers: list[str]) -> None:
    guard = Watched()
    assert why(await post("https://many.test/", guard, Answers(answers))) == "blocked"
    assert guard.dialled == []


async def test_of_mixed_answers_only_the_outside_is_dialled() -> None:
    guard = Watched(("127.0.0.1/32",))
    async with receiver() as r:
        url = r.url.replace("127.0.0.1", "mixed.test")
        answers = Answers(["10.0.0.1", "127.0.0.2", "127.0.0.1", "169.254.169.254"])
        assert isinstance(await post(url, guard, answers), Delivered)
    assert guard.dialled == ["127.0.0.1"]
