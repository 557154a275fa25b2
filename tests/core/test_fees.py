"""What is offered for gas, and what a replacement offers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrip.core.fees import Market, Price, cost, is_cheap, price, raised
from ctrip.core.ids import Amount

GWEI = 10**9
NEVER = 10**30  # a ceiling that no price reaches
ETHEREUM = Market(base_fee=10 * GWEI, tip=GWEI, gas_price=12 * GWEI)
BSC = Market(base_fee=0, tip=GWEI, gas_price=GWEI)
OLD = Market(base_fee=None, tip=0, gas_price=5 * GWEI)

fee = st.integers(0, 10**15)
markets = st.builds(Market, base_fee=st.none() | fee, tip=fee, gas_price=fee)
ceilings = fee
prices = st.builds(Price, max_fee=fee, priority_fee=st.none()) | st.tuples(fee, fee).map(
    lambda fees: Price(max(fees), min(fees))
)


def test_an_offer_holds_while_five_full_blocks_follow_each_other() -> None:
    offered = price(ETHEREUM, max_fee_ceiling=NEVER)
    assert offered == Price(max_fee=21 * GWEI, priority_fee=GWEI)
    base_fee = 10 * GWEI
    for _ in range(5):
        base_fee = base_fee * 9 // 8
    assert base_fee + GWEI < offered.max_fee


@pytest.mark.parametrize("market", [BSC, OLD], ids=["base fee 0", "no base fee"])
def test_without_a_base_fee_no_more_is_offered_than_the_node_proposes(market: Market) -> None:
    assert price(market, max_fee_ceiling=NEVER) == Price(market.gas_price, None)


def test_an_offer_stops_at_the_ceiling() -> None:
    assert price(ETHEREUM, max_fee_ceiling=11 * GWEI) == Price(11 * GWEI, GWEI)


@pytest.mark.parametrize("market", [ETHEREUM, BSC, OLD])
def test_nothing_is_offered_while_gas_costs_more_than_the_ceiling(market: Market) -> None:
    going = market.base_fee + market.tip if market.base_fee else market.gas_price
    assert price(market, max_fee_ceiling=going) is not None
    assert price(market, max_fee_ceiling=going - 1) is None


def test_a_replacement_is_dearer_by_an_eighth_in_both_fields() -> None:
    before = Price(max_fee=80 * GWEI + 1, priority_fee=8 * GWEI)
    after = raised(before, ETHEREUM, max_fee_ceiling=NEVER)
    assert after == Price(max_fee=90 * GWEI + 2, priority_fee=9 * GWEI)


def test_a_replacement_offers_what_gas_costs_where_that_is_more() -> None:
    after = raised(Price(GWEI, 1), ETHEREUM, max_fee_ceiling=NEVER)
    assert after == Price(max_fee=21 * GWEI, priority_fee=GWEI)


def test_a_legacy_transaction_is_replaced_by_one() -> None:
    assert raised(Price(8, None), OLD, max_fee_ceiling=NEVER) == Price(5 * GWEI, None)
    assert raised(Price(8 * GWEI, None), OLD, max_fee_ceiling=NEVER) == Price(9 * GWEI, None)


def test_a_tip_of_nothing_rises_too() -> None:
    free = Market(base_fee=10, tip=0, gas_price=10)
    assert raised(Price(100, 0), free, max_fee_ceiling=NEVER) == Price(113, 1)


def test_a_replacement_above_the_ceiling_is_none() -> None:
    before = Price(max_fee=80 * GWEI, priority_fee=GWEI)
    assert raised(before, ETHEREUM, max_fee_ceiling=90 * GWEI) is not None
    assert raised(before, ETHEREUM, max_fee_ceiling=90 * GWEI - 1) is None


def test_nothing_is_replaced_while_gas_costs_more_than_the_ceiling() -> None:
    assert raised(Price(GWEI, GWEI), ETHEREUM, max_fee_ceiling=11 * GWEI - 1) is None


def test_the_cost_is_that_of_all_the_gas_at_the_most() -> None:
    assert cost(Price(3, 1), 21_000) == Amount(63_000)


@given(markets, ceilings)
def test_no_offer_passes_the_ceiling_or_tips_more_than_it_offers(
    market: Market, ceiling: int
) -> None:
    offered = price(market, max_fee_ceiling=ceiling)
    if offered is not None:
        assert offered.max_fee <= ceiling
        assert (offered.priority_fee or 0) <= offered.max_fee


@given(prices, markets, ceilings)
def test_every_replacement_is_one_that_pools_take(
    before: Price, market: Market, ceiling: int
) -> None:
    after = raised(before, market, max_fee_ceiling=ceiling)
    if after is None:
        return
    assert after.max_fee <= ceiling
    assert after.max_fee > before.max_fee
    assert after.max_fee * 10 >= before.max_fee * 11
    assert (after.priority_fee is None) == (before.priority_fee is None)
    if before.priority_fee is not None and after.priority_fee is not None:
        assert before.priority_fee < after.priority_fee <= after.max_fee
        assert after.priority_fee * 10 >= before.priority_fee * 11


@pytest.mark.parametrize(
    ("market", "usual", "is_so"),
    [
        (ETHEREUM, 20 * GWEI, True),
        (ETHEREUM, 20 * GWEI - 1, False),
        (ETHEREUM, None, False),
        (BSC, 0, False),  # what is always 0 is never cheap
        (OLD, 5 * GWEI, False),
    ],
)
def test_gas_is_cheap_at_half_of_what_it_was_of_late(
    market: Market, usual: int | None, *, is_so: bool
) -> None:
    assert is_cheap(market, usual) is is_so
