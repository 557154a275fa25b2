"""How deep, for how much, and on whose word: depths, times, tags and tiers in chains.yaml."""

from pathlib import Path

import pytest

from ctrip.config import load
from ctrip.core.chains import Chain
from ctrip.core.finality import Depth, Tag, Terms, Tier
from ctrip.core.ids import AMOUNT_MAX, Amount
from ctrip.terms import EITHER
from tests.config.writing import ANVIL, GOOD, faults, write

TWO = ANVIL.replace(
    "rpc_url: http://127.0.0.1:8545", "rpc_urls: [http://127.0.0.1:8545, http://127.0.0.2:8545]"
).replace("    poll", "    block_seconds: 0.5\n    poll")
COIN = "{symbol: ETH}"
USDT = """
    tokens:
      - symbol: USDT
        address: "0xdac17f958d2ee523a2206206994597c13d831ec7"
        decimals: 6
"""


def chain_with(tmp_path: Path, chains: str) -> Chain:
    (network,) = load(write(tmp_path, GOOD, chains), {}).networks
    return network.chain


def depth_of(tmp_path: Path, line: str) -> Depth:
    return chain_with(tmp_path, TWO.replace("confirmations: 3", line)).confirmations


def terms_of(tmp_path: Path, fields: str) -> Terms:
    return chain_with(tmp_path, with_coin(fields)).coin_terms


def with_coin(fields: str) -> str:
    return TWO.replace(COIN, f"{{symbol: ETH, decimals: 18, {fields}}}")


@pytest.mark.parametrize(
    ("line", "depth"),
    [
        ("confirmations: 12", Depth(blocks=12)),
        ('confirmations: "12"', Depth(blocks=12)),
        ("confirmations: 15 s", Depth(seconds=15)),
        ('confirmations: "15 s"', Depth(seconds=15)),
        ("confirmations: 0.9s", Depth(seconds=0.9)),
        ("confirmations: 0.4 min", Depth(seconds=24)),
        ("finality: safe", Depth(tag=Tag.SAFE)),
        ('finality: "finalized"', Depth(tag=Tag.FINALIZED)),
    ],
)
def test_a_depth_is_blocks_or_a_time_or_a_tag(tmp_path: Path, line: str, depth: Depth) -> None:
    assert depth_of(tmp_path, line) == depth


@pytest.mark.parametrize(
    "written",
    ["0", "-1", "1.5", "012", "1_0", "1:30", "1e1", "100001", "0 s", "15 m", "15 sec", "s", "",
     "86401 s", "15  s", "true", "~", "[3]", "1٣", "15 s\\n"],
)  # fmt: skip
def test_what_is_no_depth_is_refused(tmp_path: Path, written: str) -> None:
    text = written if not written.endswith("\\n") else f'"{written}"'
    path = write(tmp_path, GOOD, TWO.replace("confirmations: 3", f"confirmations: {text}"))
    (found,) = faults(path)
    assert found.startswith("chains.yaml:6: chains.anvil.confirmations: must be a whole number of ")
    assert found.endswith("blocks from 1 up to 100000, or a time such as 15 s or 2 min")


@pytest.mark.parametrize(
    "line", ["confirmations: 3\n    finality: safe", "", "finality:", "finality: ~"]
)
def test_a_chain_names_one_depth(tmp_path: Path, line: str) -> None:
    (found,) = faults(write(tmp_path, GOOD, TWO.replace("confirmations: 3", line)))
    assert found == (
        "chains.yaml:3: chains.anvil: must have either confirmations (blocks, or a time) or "
        "finality (safe or finalized)"
    )


def test_a_tag_is_one_of_two(tmp_path: Path) -> None:
    (found,) = faults(write(tmp_path, GOOD, TWO.replace("confirmations: 3", "finality: latest")))
    assert found == "chains.yaml:6: chains.anvil.finality: must be one of safe, finalized"


def test_a_time_is_held_against_finality_at_the_pace_of_the_chain(tmp_path: Path) -> None:
    assert depth_of(tmp_path, "confirmations: 31.5 s") == Depth(seconds=31.5)  # 64 blocks
    (found,) = faults(write(tmp_path, GOOD, TWO.replace("confirmations: 3", "confirmations: 32 s")))
    assert found == (
        "chains.yaml:6: chains.anvil.confirmations: is, at block_seconds, deeper than "
        "finality_depth; lower this or raise that"
    )


def test_small_amounts_may_go_earlier_and_large_ones_wait_for_a_tag(tmp_path: Path) -> None:
    tiers = (
        "tiers: [{below: 0.1, confirmations: 1}, {below: '2.50', confirmations: 9 s},"
        " {below: 10, finality: safe}]"
    )
    assert terms_of(tmp_path, tiers).tiers == (
        Tier(below=Amount(10**17), depth=Depth(blocks=1)),
        Tier(below=Amount(25 * 10**17), depth=Depth(seconds=9)),
        Tier(below=Amount(10**19), depth=Depth(tag=Tag.SAFE)),
    )


def test_a_token_has_terms_of_its_own_in_its_own_decimals(tmp_path: Path) -> None:
    terms = "        tiers: [{below: 0.000001, finality: finalized}]\n"
    above = "        second_opinion_above: 1000\n"
    (token,) = chain_with(tmp_path, TWO + USDT + terms + above).tokens
    assert token.terms == Terms(
        tiers=(Tier(below=Amount(1), depth=Depth(tag=Tag.FINALIZED)),),
        second_opinion_above=Amount(1_000_000_000),
    )


@pytest.mark.parametrize("written", ["0.1", '"0.1"', "0.10"])
def test_an_amount_is_taken_as_it_is_written(tmp_path: Path, written: str) -> None:
    terms = terms_of(tmp_path, f"second_opinion_above: {written}")
    assert terms.second_opinion_above == 10**17


def test_an_amount_that_no_float_can_hold_is_exact(tmp_path: Path) -> None:
    terms = terms_of(tmp_path, "second_opinion_above: 123456789.123456789123456789")
    assert terms.second_opinion_above == 123456789123456789123456789


def test_every_amount_may_need_a_second_opinion(tmp_path: Path) -> None:
    assert terms_of(tmp_path, "second_opinion_above: 0").second_opinion_above == 0


def test_terms_may_be_shared_by_an_anchor(tmp_path: Path) -> None:
    first = "tiers: &small [{below: 0.1, confirmations: &one 1}]"
    chain = chain_with(tmp_path, with_coin(first) + USDT + "        tiers: *small\n")
    assert [tier.below for tier in chain.coin_terms.tiers] == [10**17]
    assert [tier.below for tier in chain.tokens[0].terms.tiers] == [100_000]


def test_an_anchor_on_an_amount_leaves_its_other_uses_alone(tmp_path: Path) -> None:
    text = TWO.replace("finality_depth: 64", "finality_depth: &depth 64").replace(
        "confirmations: 3", "block_seconds: 12"
    )
    text = text.replace("    block_seconds: 0.5\n", "    confirmations: *depth\n")
    chain = chain_with(tmp_path, text)
    assert (chain.finality_depth, chain.confirmations) == (64, Depth(blocks=64))


AMOUNTS = [
    ("below: 0", "below: must be above 0, as no payment is smaller"),
    ("below: 1e3", "below: must be an amount in whole coins, such as 10 or 0.1"),
    ("below: .5", "below: must be an amount in whole coins"),
    ("below: 1_000", "below: must be an amount in whole coins"),
    ("below: 010", "below: must be an amount in whole coins"),
    ("below: -1", "below: must be an amount in whole coins"),
    ("below: .inf", "below: must be an amount in whole coins"),
    ('below: "1\\n"', "below: must be an amount in whole coins"),
    ("below: '1,5'", "below: must be an amount in whole coins"),
    ("below: [1]", "below: must be an amount in whole coins"),
    (f"below: {'1' * 78}", "below: is more than there can be, 2^256-1 base units; lower it"),
    ("below: 0.1234567890123456789", "has more decimals than its asset, which has 18; round it"),
    ("belo: 1", "belo: is no field; the nearest is below"),
]


@pytest.mark.parametrize(("below", "fault"), AMOUNTS, ids=[row[0][:20] for row in AMOUNTS])
def test_a_wrong_amount_is_named(tmp_path: Path, below: str, fault: str) -> None:
    tiers = with_coin(f"tiers: [{{{below}, confirmations: 1}}]")
    found = faults(write(tmp_path, GOOD, tiers))
    assert found[0].startswith("chains.yaml:10: chains.anvil.coin.tiers[0].")
    assert fault in found[0]


def test_the_largest_amount_fits(tmp_path: Path) -> None:
    whole, part = divmod(AMOUNT_MAX, 10**18)
    terms = terms_of(tmp_path, f"second_opinion_above: {whole}.{part:018}")
    assert terms.second_opinion_above == AMOUNT_MAX
    more = with_coin(f"second_opinion_above: {whole}.{part + 1:018}")
    (found,) = faults(write(tmp_path, GOOD, more))
    assert "coin.second_opinion_above: is more than there can be" in found


@pytest.mark.parametrize("second", ["0.1", "0.10", "0.09"])
def test_tiers_rise(tmp_path: Path, second: str) -> None:
    tiers = f"tiers: [{{below: 0.1, confirmations: 1}}, {{below: {second}, confirmations: 2}}]"
    (found,) = faults(write(tmp_path, GOOD, with_coin(tiers)))
    assert found == (
        "chains.yaml:10: chains.anvil.coin.tiers[1].below: is not above that of the tier before; "
        "begin with the lowest"
    )


def test_every_fault_of_the_terms_is_told_beside_those_of_the_chain(tmp_path: Path) -> None:
    tiers = "tiers: [{below: 1}, 5, {below: x, confirmations: 65}, {below: 2, confirmations: 65}]"
    text = with_coin(tiers).replace("poll_interval_seconds: 0.5", "poll_interval_seconds: 0")
    found = faults(write(tmp_path, GOOD, text))
    assert [fault.partition(": ")[2].partition(";")[0] for fault in found] == [
        "chains.anvil.poll_interval_seconds: must be a number above 0 up to 600",
        f"chains.anvil.coin.tiers[0]: {EITHER}",
        "chains.anvil.coin.tiers[1]: must be a mapping of names and values",
        "chains.anvil.coin.tiers[2].below: must be an amount in whole coins, such as 10 or 0.1",
    ]
    found = faults(write(tmp_path, GOOD, with_coin(tiers)))
    assert found[-1].startswith(
        "chains.yaml:10: chains.anvil.coin.tiers[3].confirmations: is deeper than finality_depth;"
    )


def test_a_second_opinion_needs_a_second_endpoint(tmp_path: Path) -> None:
    text = ANVIL.replace(COIN, "{symbol: ETH, second_opinion_above: 1}")
    fault = (
        "chains.yaml:9: chains.anvil.coin.second_opinion_above: needs a second endpoint; list two "
        "operators in rpc_urls"
    )
    assert faults(write(tmp_path, GOOD, text)) == [fault]
    same = with_coin("second_opinion_above: 1").replace("127.0.0.2", "127.0.0.1")
    assert faults(write(tmp_path, GOOD, same)) == [fault.replace(":9:", ":10:")]
    token = ANVIL + USDT + "        second_opinion_above: 1\n"
    (found,) = faults(write(tmp_path, GOOD, token))
    assert "chains.anvil.tokens[0].second_opinion_above: needs a second endpoint" in found
