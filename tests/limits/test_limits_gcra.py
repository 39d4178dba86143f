from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.limits.gcra import NEVER_SPENT, Gcra
from router.units import Rate

ROUNDING = 1e-6


def events(gcra: Gcra, arrivals: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Return when each arrival, a time and a cost, is admitted if it waits as told."""
    tat, earliest, admitted = NEVER_SPENT, 0.0, []
    for arrival, cost in arrivals:
        now = max(arrival, earliest)
        now += gcra.wait(tat, now, cost)
        tat = gcra.spend(tat, now, cost)
        earliest = now
        admitted.append((now, cost))
    return admitted


@pytest.mark.parametrize(
    ("rate", "burst", "times"),
    [
        (Rate(10, 1), 1, [0, 0.1, 0.2, 0.3]),
        (Rate(10, 1), 3, [0, 0, 0, 0.1, 0.2]),
        (Rate(20, 60), 2, [0, 0, 3, 6, 9]),
        (Rate(0.5, 1), 1, [0, 2, 4]),
    ],
)
def test_arrivals_at_once_leave_as_a_burst_and_then_evenly(
    rate: Rate, burst: int, times: list[float]
) -> None:
    admitted = events(Gcra(rate, burst), [(0.0, 1)] * len(times))
    assert [now for now, _ in admitted] == pytest.approx(times)


def test_a_pause_brings_the_burst_back_and_no_more() -> None:
    gcra = Gcra(Rate(10, 1), 3)
    admitted = events(gcra, [(0.0, 1)] * 5 + [(100.0, 1)] * 4)
    assert [now for now, _ in admitted[5:]] == pytest.approx([100, 100, 100, 100.1])


def test_a_cost_counts_as_that_many_events() -> None:
    gcra = Gcra(Rate(10, 1), 5)
    admitted = events(gcra, [(0.0, 5), (0.0, 5), (0.0, 1)])
    assert [now for now, _ in admitted] == pytest.approx([0, 0.5, 0.6])


def test_the_wait_for_many_costs_at_once_is_that_of_the_last() -> None:
    gcra = Gcra(Rate(10, 1), 3)
    one_by_one = events(gcra, [(5.0, 1)] * 43)[-1][0] - 5.0
    assert gcra.wait(NEVER_SPENT, 5.0, 43) == pytest.approx(one_by_one)


def test_a_wait_taken_is_a_wait_over_whatever_the_clock_shows() -> None:
    gcra = Gcra(Rate(3, 0.7), 1)
    for start in (0.1, 7.3, 1e3, 1e6, 1e9):
        now, tat = start, gcra.spend(NEVER_SPENT, start)
        for _ in range(3):
            now += gcra.wait(tat, now)
        assert gcra.wait(tat, now) == 0


@given(
    per_second=st.floats(0.1, 1000),
    burst=st.integers(1, 20),
    steps=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 20)), min_size=1, max_size=60),
)
def test_no_window_holds_more_than_rate_times_its_length_plus_the_burst(
    per_second: float, burst: int, steps: list[tuple[float, int]]
) -> None:
    times = accumulate(gap for gap, _ in steps)
    arrivals = [(at, min(cost, burst)) for at, (_, cost) in zip(times, steps, strict=True)]
    admitted = events(Gcra(Rate(per_second, 1.0), burst), arrivals)
    for first in range(len(admitted)):
        spent = 0
        for now, cost in admitted[first:]:
            spent += cost
            length = now - admitted[first][0]
            assert spent <= per_second * length + burst + ROUNDING * (1 + per_second)


@given(per_second=st.floats(0.1, 1000), burst=st.integers(1, 20), count=st.integers(1, 60))
def test_nobody_waits_longer_than_the_bound_requires(
    per_second: float, burst: int, count: int
) -> None:
    admitted = events(Gcra(Rate(per_second, 1.0), burst), [(0.0, 1)] * count)
    for index, (now, _) in enumerate(admitted):
        assert now == pytest.approx(max(0, index + 1 - burst) / per_second)
