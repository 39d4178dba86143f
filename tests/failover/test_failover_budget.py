"""The budget of retries and hedges: what it takes, what fills it, and that it holds."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.failover.budget import Cost, RetryBudget

COSTS = [(Cost.EASY, 5), (Cost.USUAL, 14), (Cost.OUTAGE, 100)]


@pytest.mark.parametrize(("cost", "tokens"), COSTS)
def test_an_attempt_costs(cost: Cost, tokens: int) -> None:
    budget = RetryBudget(500)
    assert budget.withdraw(cost, now=1.0)
    assert budget.tokens == 500 - tokens


def test_what_is_too_dear_takes_nothing() -> None:
    budget = RetryBudget(20)
    assert budget.withdraw(Cost.USUAL, now=1.0)
    assert not budget.withdraw(Cost.USUAL, now=1.0)
    assert budget.tokens == 6
    assert budget.withdraw(Cost.EASY, now=1.0)
    assert budget.tokens == 1


def test_a_success_gives_one_and_none_above_full() -> None:
    budget = RetryBudget(500)
    budget.deposit()
    assert budget.tokens == 500
    budget.withdraw(Cost.USUAL, now=1.0)
    for left in (487, 488):
        budget.deposit()
        assert budget.tokens == left


def test_it_fills_by_a_token_a_second() -> None:
    budget = RetryBudget(100)
    assert budget.withdraw(Cost.OUTAGE, now=50.0)
    assert not budget.withdraw(Cost.USUAL, now=63.0)
    assert budget.withdraw(Cost.USUAL, now=64.0)
    assert budget.tokens == 0
    assert budget.withdraw(Cost.OUTAGE, now=1e6), "and not beyond its size"
    assert budget.tokens == 0


def test_a_clock_that_steps_back_takes_nothing_away() -> None:
    budget = RetryBudget(100)
    budget.withdraw(Cost.USUAL, now=50.0)
    budget.withdraw(Cost.USUAL, now=10.0)
    assert budget.tokens == 72
    budget.withdraw(Cost.USUAL, now=51.0)
    assert budget.tokens == 59, "the second is paid once"


def test_another_size_takes_away_what_is_above_it() -> None:
    budget = RetryBudget(500)
    budget.resize(30)
    assert budget.tokens == 30
    budget.resize(500)
    assert budget.tokens == 30
    budget.refund(1000)
    assert budget.tokens == 500


@given(
    full=st.integers(1, 200),
    steps=st.lists(st.tuples(st.sampled_from([0, 1, 5, 14, 100]), st.floats(0, 50)), max_size=50),
)
def test_it_is_never_negative_and_never_more_than_full(
    full: int, steps: list[tuple[int, float]]
) -> None:
    budget, now = RetryBudget(full), 1.0
    for cost, passes in steps:
        now += passes
        if cost:
            budget.withdraw(cost, now)
        else:
            budget.deposit()
        assert 0 <= budget.tokens <= full


def test_threads_take_no_more_than_there_is() -> None:
    budget = RetryBudget(500)
    granted: list[bool] = []

    def spend() -> None:
        granted.extend(budget.withdraw(Cost.EASY, now=1.0) for _ in range(200))

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 100
    assert budget.tokens == 0


def test_a_child_of_a_fork_has_a_lock_of_its_own() -> None:
    budget = RetryBudget(500)
    budget._lock.acquire()
    budget.reset_after_fork()
    assert budget.withdraw(Cost.USUAL, now=1.0)


def test_it_grows_with_the_traffic_and_shrinks_with_it() -> None:
    budget = RetryBudget(500)
    budget.reckon(1.0)
    for second in range(2, 80):
        for _ in range(1000):
            budget.deposit()
        budget.reckon(float(second))
    assert budget.full == pytest.approx(0.05 * 10_000 * 14, rel=0.01)
    assert budget.tokens == pytest.approx(budget.full, rel=0.02)
    for second in range(80, 300):
        budget.reckon(float(second))
    assert budget.full == budget.tokens == 500
