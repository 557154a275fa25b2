"""So often by a key, so often from an address, and whose address it is."""

from uuid import UUID, uuid4

import pytest
from starlette.requests import Request

from ctrip.core.errors import ConfigError
from ctrip.core.ids import NOBODY, KeyId
from ctrip.settings import Server
from ctrip.store.pool import Pool
from ctrip.web.forwarded import Proxies
from ctrip.web.limits import Buckets, RateLimited, RateLimits
from ctrip.web.manners import MORE_HEADERS
from tests.web.shop import open_shop

KEY, OTHER = KeyId(UUID(int=1)), KeyId(UUID(int=2))


class Watch:
    """A clock that is set by hand."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def a_request(address: str | None = "192.0.2.1", *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    client = (address, 4711) if address else None
    return Request({"type": "http", "client": client, "headers": headers})


def told(request: Request) -> dict[str, int]:
    said = request.scope[MORE_HEADERS]
    assert len(dict(said)) == len(said)
    return {name.decode(): int(value) for name, value in said}


def limits(
    watch: Watch | None = None,
    *,
    rate_per_key: float = 2,
    rate_per_address: float = 1,
    trusted_proxies: tuple[str, ...] = (),
) -> RateLimits:
    settings = Server(rate_per_key=rate_per_key, rate_per_address=rate_per_address)
    return RateLimits(settings, Proxies(trusted_proxies), now=watch or Watch())


def passed(limits: RateLimits, key: KeyId | None, *, times: int, address: str = "192.0.2.1") -> int:
    """Return how many of so many requests are let through."""
    count = 0
    for _ in range(times):
        try:
            limits.take(a_request(address), key)
        except RateLimited:
            continue
        count += 1
    return count


def test_ten_seconds_worth_passes_at_once_and_then_the_rate() -> None:
    watch = Watch()
    ours = limits(watch)
    assert passed(ours, KEY, times=100) == 20
    watch.now += 0.49
    assert passed(ours, KEY, times=5) == 0
    watch.now += 0.02
    assert passed(ours, KEY, times=5) == 1
    watch.now += 3
    assert passed(ours, KEY, times=100) == 6
    watch.now += 1_000_000
    assert passed(ours, KEY, times=100) == 20


def test_who_keeps_to_the_rate_is_never_refused() -> None:
    watch = Watch()
    ours = limits(watch, rate_per_key=3)
    for _ in range(10_000):
        ours.take(a_request(), KEY)
        watch.now += 1 / 3


def test_every_answer_says_what_is_left_and_a_refusal_when_to_come_again() -> None:
    watch = Watch()
    ours = limits(watch)
    first = a_request()
    ours.take(first, KEY)
    assert told(first) == {
        "ratelimit-limit": 20,
        "ratelimit-remaining": 19,
        "ratelimit-reset": 1,
    }
    assert passed(ours, KEY, times=19) == 19
    refused = a_request()
    with pytest.raises(RateLimited) as caught:
        ours.take(refused, KEY)
    assert (caught.value.status, caught.value.code) == (429, "rate_limited")
    assert told(refused) == {
        "ratelimit-limit": 20,
        "ratelimit-remaining": 0,
        "ratelimit-reset": 10,
        "retry-after": 1,
    }
    watch.now += told(refused)["retry-after"]
    ours.take(a_request(), KEY)


def test_a_slow_rate_says_how_long_to_wait() -> None:
    ours = limits(rate_per_key=0.01)
    ours.take(a_request(), KEY)
    refused = a_request()
    with pytest.raises(RateLimited):
        ours.take(refused, KEY)
    assert told(refused)["retry-after"] == 100


def test_keys_and_addresses_have_buckets_of_their_own() -> None:
    ours = limits()
    assert passed(ours, KEY, times=100) == 20
    assert passed(ours, OTHER, times=100) == 20
    assert passed(ours, None, times=100) == 10
    assert passed(ours, None, times=100, address="192.0.2.2") == 10


def test_with_auth_off_an_address_has_the_rate_of_a_key() -> None:
    ours = limits()
    assert passed(ours, NOBODY, times=100) == 20
    assert passed(ours, NOBODY, times=100, address="192.0.2.2") == 20


def test_guessing_ends_before_the_key_is_looked_up_and_hurts_no_key_that_is_known() -> None:
    watch = Watch()
    ours = limits(watch)
    ours.may_guess(a_request())
    assert passed(ours, None, times=100) == 10
    guess = a_request()
    with pytest.raises(RateLimited):
        ours.may_guess(guess)
    assert told(guess)["retry-after"] == 1
    ours.may_guess(a_request("192.0.2.2"))
    ours.take(a_request(), KEY)
    watch.now += 1
    for _ in range(10):
        ours.may_guess(a_request())  # asking takes nothing


def test_zero_is_no_limit() -> None:
    ours = limits(rate_per_key=0, rate_per_address=0)
    for key in (KEY, NOBODY, None):
        assert passed(ours, key, times=1_000) == 1_000
    request = a_request()
    ours.may_guess(request)
    ours.take(request, KEY)
    assert MORE_HEADERS not in request.scope


def test_an_ipv6_household_shares_a_bucket_and_ipv4_inside_ipv6_is_ipv4() -> None:
    ours = limits()
    assert passed(ours, None, times=100, address="2001:db8:0:1::1") == 10
    assert passed(ours, None, times=100, address="2001:db8:0:1:ffff::2") == 0
    assert passed(ours, None, times=100, address="2001:db8:0:2::1") == 10
    assert passed(ours, None, times=100, address="::ffff:192.0.2.9") == 10
    assert passed(ours, None, times=100, address="192.0.2.9") == 0


def test_memory_is_bounded_and_the_quiet_are_forgotten() -> None:
    buckets = Buckets(1, count_max=1_000)
    for number in range(50_000):
        buckets.take(number, now=0)
    assert len(buckets) == 1_000
    for number in range(2_000):
        buckets.take(0, now=100 + number)
    assert len(buckets) == 1


def test_who_goes_on_asking_is_not_forgotten_for_others() -> None:
    buckets = Buckets(1, count_max=100)
    while not buckets.take("busy", now=0).lacking_seconds:
        pass
    for _ in range(1_000):
        buckets.take(uuid4(), now=0)
        assert buckets.take("busy", now=0).lacking_seconds


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.5", ["198.51.100.1"], "203.0.113.5"),  # who says so is nobody of ours
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # he wrote the first himself
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.9.9.9, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("fd00::1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, , 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["198.51.100.1, \xff"], "10.0.0.1"),
    ],
)
def test_the_caller_is_the_last_whom_our_proxies_vouch_for(
    peer: str, forwarded: list[str], expected: str
) -> None:
    proxies = Proxies(("10.0.0.0/8", "fd00::/8"))
    assert str(proxies.address_of(a_request(peer, *forwarded))) == expected


def test_without_proxies_the_header_is_not_read() -> None:
    assert str(Proxies().address_of(a_request("10.0.0.1", "198.51.100.1"))) == "10.0.0.1"
    assert Proxies().address_of(a_request(None)) is None
    assert passed(limits(), None, times=100, address="not an address") == 10


def test_a_proxy_that_is_no_network_refuses_to_start() -> None:
    for wrong in ("10.0.0.1/8", "proxy", "*"):
        with pytest.raises(ConfigError, match="trusted_proxies"):
            Proxies((wrong,))


def test_behind_a_proxy_each_caller_has_a_bucket() -> None:
    ours = limits(trusted_proxies=("10.0.0.0/8",))
    for _ in range(10):
        ours.take(a_request("10.0.0.1", "198.51.100.1"), None)
    with pytest.raises(RateLimited):
        ours.take(a_request("10.0.0.1", "1.1.1.1, 198.51.100.1"), None)
    ours.take(a_request("10.0.0.1", "198.51.100.2"), None)


async def test_a_site_counts_for_each_key_and_lets_nobody_guess(pool: Pool) -> None:
    few = Server(rate_per_key=0.5, rate_per_address=0.2)
    async with open_shop(pool, server=few) as shop:
        other = {"x-api-key": await shop.issue("read")}
        answers = [await shop.get("/api/v1/chains") for _ in range(6)]
        assert [answer.status for answer in answers] == [200] * 5 + [429]
        assert answers[0].headers["ratelimit-limit"] == "5"
        assert [answer.headers["ratelimit-remaining"] for answer in answers[:5]] == list("43210")
        assert (answers[-1].json["code"], int(answers[-1].headers["retry-after"])) == (
            "rate_limited",
            2,
        )
        wrong = {"x-api-key": f"ctrip_{'A' * 43}"}
        guesses = [await shop.call("GET", "/api/v1/chains", headers=wrong) for _ in range(4)]
        assert [guess.status for guess in guesses] == [401, 401, 429, 429]
        assert (await shop.call("GET", "/api/v1/chains", headers=other)).status == 200
        assert (await shop.call("GET", "/health", headers=wrong)).status == 200
