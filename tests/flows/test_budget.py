"""A daily budget of calls warns, once, and stops nothing."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from ctrip.chain.client import EndpointState
from ctrip.flows.budget import Budget
from tests.flows.world import ANVIL
from tests.support.log_lines import StandardError, logging_left_as_found

MORNING = datetime(2026, 1, 1, 8, tzinfo=UTC)


def states(*calls: int) -> list[EndpointState]:
    return [EndpointState(label=f"endpoint {n}", ok=True, calls=c) for n, c in enumerate(calls)]


def test_calls_of_all_endpoints_count_together() -> None:
    budget = Budget(replace(ANVIL, daily_calls_max=10))
    budget.count(states(4, 6), MORNING)
    assert (budget.today, budget.warning) == (10, "")
    budget.count(states(4, 7), MORNING)
    assert budget.warning == "11 calls today; daily_calls_max is 10"


def test_a_day_begins_anew_at_midnight() -> None:
    budget = Budget(replace(ANVIL, daily_calls_max=10))
    budget.count(states(100), MORNING)
    budget.count(states(105), MORNING + timedelta(hours=16))
    assert (budget.today, budget.warning) == (0, "")
    budget.count(states(109), MORNING + timedelta(hours=17))
    assert budget.today == 4


def test_without_a_budget_nothing_is_too_much() -> None:
    budget = Budget(ANVIL)
    budget.count(states(10**9), MORNING)
    assert budget.warning == ""


def test_it_is_said_once_a_day() -> None:
    budget = Budget(replace(ANVIL, daily_calls_max=1))
    with logging_left_as_found():
        said = StandardError()
        said.configure()
        for calls in range(2, 9):
            budget.count(states(calls), MORNING)
        budget.count(states(8), MORNING + timedelta(days=1))
        budget.count(states(99), MORNING + timedelta(days=1))
    assert [line["event"] for line in said.lines] == ["call budget spent"] * 2
