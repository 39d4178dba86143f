"""When an answer is late, and which share of the requests may be sent twice."""

from __future__ import annotations

import math

import pytest

import router
from router.failover.budget import RetryBudget
from router.failover.hedging import LEAST_LATE, Allowance, Hedging, Lateness

GETS = (1, "GET")


def hedging(after: float = 0.95, at_most: float = 0.05, budget: int = 500) -> Hedging:
    return Hedging(router.Hedge(after=after, at_most=at_most), RetryBudget(budget))


PERCENTILES = [
    # percentile, ratios, from which ratio on an answer is late
    (0.95, [1 + n / 100 for n in range(64)], 1.60),
    (0.5, [1 + n / 100 for n in range(64)], 1.31),
    (0.95, [0.5] * 64, 1.05),
    (0.95, [1.0] * 60 + [math.inf] * 4, 5.0),
    (0.95, [1.0] * 60 + [60.0] * 4, 5.0),
    (0.9, [2.0] * 60 + [math.inf] * 4, 2.0),
]


@pytest.mark.parametrize(("percentile", "ratios", "late"), PERCENTILES)
def test_late_is_a_percentile_of_the_time_over_the_expected_one(
    percentile: float, ratios: list[float], late: float
) -> None:
    lateness = Lateness(percentile)
    for ratio in ratios:
        lateness.take(ratio)
    assert lateness.late == pytest.approx(late)


def test_nothing_is_late_before_enough_is_known() -> None:
    made = hedging()
    for _ in range(63):
        made.learn(GETS, 0.02, expected=0.01)
    assert made.late_after(GETS, 0.01) is None
    made.learn(GETS, 0.02, expected=0.01)
    assert made.late_after(GETS, 0.01) == pytest.approx(0.02)
    assert made.late_after(GETS, 0.3) == pytest.approx(0.6), "what is far takes longer"


def test_nothing_is_late_within_what_a_busy_host_takes_by_itself() -> None:
    made = hedging()
    for _ in range(64):
        made.learn(GETS, 0.0002, expected=0.0001)
    assert made.late_after(GETS, 0.0001) == LEAST_LATE


def test_only_the_last_few_hundred_answers_count() -> None:
    lateness = Lateness(0.95)
    for ratio in [9.0] * 512 + [2.0] * 512:
        lateness.take(ratio)
    assert lateness.late == pytest.approx(2.0)


def test_tiers_and_methods_are_kept_apart() -> None:
    made = hedging()
    for _ in range(64):
        made.learn(GETS, 0.02, expected=0.01)
        made.learn((1, "POST"), 0.09, expected=0.01)
    told = [made.late_after(group, 0.01) for group in (GETS, (1, "POST"), (2, "GET"))]
    assert told == [pytest.approx(0.02), pytest.approx(0.09), None]


def test_outrun_counts_as_later_than_all_so_the_percentile_does_not_sink() -> None:
    made = hedging(after=0.9)
    for n in range(640):
        made.learn(GETS, math.inf if n % 20 == 0 else 0.02, expected=0.01)
    assert made.late_after(GETS, 0.01) == pytest.approx(0.02)


def test_when_more_stall_than_the_percentile_leaves_out_late_is_five_medians() -> None:
    made = hedging(after=0.95)
    for n in range(640):
        made.learn(GETS, math.inf if n % 5 == 0 else 0.02, expected=0.01)
    assert made.late_after(GETS, 0.01) == pytest.approx(5 * 0.02)


@pytest.mark.parametrize("expected", [0.0, -1.0])
def test_what_was_not_expected_teaches_nothing(expected: float) -> None:
    made = hedging()
    for _ in range(64):
        made.learn(GETS, 1.0, expected=expected)
    assert made.late_after(GETS, 1.0) is None


def test_hedges_are_a_share_of_the_requests_and_one() -> None:
    allowance, sent = Allowance(0.05), 0
    for _ in range(1000):
        allowance.count()
        sent += allowance.take()
    assert sent in {50, 51}


def test_at_most_ten_are_saved_up() -> None:
    allowance = Allowance(0.05)
    for _ in range(10_000):
        allowance.count()
    assert [allowance.take() for _ in range(12)] == [True] * 10 + [False] * 2


def test_a_hedge_that_was_not_sent_is_given_back() -> None:
    budget = RetryBudget(500)
    made = Hedging(router.Hedge(), budget)
    assert made.pay(1.0)
    assert not made.pay(1.0)
    made.refund()
    assert budget.tokens == 500
    assert made.pay(1.0)


def test_an_empty_budget_pays_for_none_and_keeps_the_allowance() -> None:
    budget = RetryBudget(14)
    made = Hedging(router.Hedge(), budget)
    budget.withdraw(14, 1.0)
    assert not made.pay(1.0)
    budget.refund(14)
    assert made.pay(1.0)


def test_a_child_of_a_fork_has_a_lock_of_its_own() -> None:
    made = hedging()
    made._lock.acquire()
    made.reset_after_fork()
    assert made.pay(1.0)
