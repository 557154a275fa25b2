"""Where prices stand, in chains.yaml."""

from pathlib import Path

import pytest

from ctrip.config import load
from ctrip.core.ids import Address
from ctrip.core.price import RateSource
from ctrip.feeds import EITHER
from tests.config.writing import ANVIL, GOOD, faults, write

FEED = "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419"
WHERE = "chains.yaml:9: chains.anvil.coin.prices"


def with_prices(written: str) -> str:
    return ANVIL.replace("{symbol: ETH}", f"{{symbol: ETH, prices: {written}}}")


def test_a_coin_has_a_feed_for_each_currency(tmp_path: Path) -> None:
    feed = f'{{feed: "{FEED.lower()}", heartbeat_seconds: 3600}}'
    path = write(tmp_path, GOOD, with_prices(f"{{USD: {feed}, EUR: {{pinned: true}}}}"))
    (network,) = load(path, {}).networks
    assert network.chain.coin_prices == (
        RateSource(currency="USD", feed=Address(FEED), heartbeat_seconds=3600),
        RateSource(currency="EUR"),
    )


def test_a_token_has_prices_of_its_own(tmp_path: Path) -> None:
    tokens = f"""
    tokens:
      - {{symbol: A, address: "{FEED}", decimals: 6, prices: {{USD: {{pinned: true}}}}}}
      - {{symbol: B, address: "{"0x" + "b" * 40}", decimals: 6}}
"""
    (network,) = load(write(tmp_path, GOOD, ANVIL + tokens), {}).networks
    assert network.chain.coin_prices == ()
    assert [token.prices for token in network.chain.tokens] == [(RateSource(currency="USD"),), ()]


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("3", ": must be a mapping of names and values"),
        ("[USD]", ": must be a mapping of names and values"),
        ("{USD: 1}", ".USD: must be a mapping of names and values"),
        ("{USD: {}}", f".USD: {EITHER}"),
        ("{USD: {pinned: false}}", f".USD: {EITHER}"),
        (f'{{USD: {{feed: "{FEED}"}}}}', f".USD: {EITHER}"),
        ("{USD: {heartbeat_seconds: 60}}", f".USD: {EITHER}"),
        ("{USD: {pinned: true, heartbeat_seconds: 60}}", f".USD: {EITHER}"),
        (f'{{USD: {{pinned: true, feed: "{FEED}"}}}}', f".USD: {EITHER}"),
        ("{usd: {pinned: true}}", ".usd: must be three capital letters, such as USD; rename it"),
        ("{USDT: {pinned: true}}", ".USDT: must be three capital letters, such as USD; rename it"),
        ("{USD: {pinned: 1}}", ".USD.pinned: must be true or false"),
        (
            f'{{USD: {{feed: "{FEED}", heartbeat_seconds: 0}}}}',
            ".USD.heartbeat_seconds: must be a whole number from 1 up to 604800",
        ),
        (
            f'{{USD: {{feed: "{FEED.lower().replace("5f4e", "5F4e")}", heartbeat_seconds: 60}}}}',
            ".USD.feed: has a wrong checksum (EIP-55), so it may be mistyped; copy it again",
        ),
        (
            "{USD: {feed: 0x5f, heartbeat_seconds: 60}}",
            ".USD.feed: must be text, in quotes",
        ),
        (
            f'{{USD: {{feed: "{FEED}", heartbeat: 60}}}}',
            ".USD.heartbeat: is no field; the nearest is heartbeat_seconds",
        ),
    ],
)
def test_what_is_no_price_is_refused_with_its_line(
    tmp_path: Path, written: str, fault: str
) -> None:
    found = faults(write(tmp_path, GOOD, with_prices(written)))
    assert found[0] == WHERE + fault
