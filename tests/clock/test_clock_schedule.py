"""When servers are asked again."""

from __future__ import annotations

import itertools
import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.clock.ntp import PHI
from router.clock.schedule import Spacing, poll_wait


class Middle(Random):
    """Chance without jitter: the middle of every range."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


# bound, failures, seconds to wait without jitter, with a target of 500 ms
SCHEDULE = [
    ("a good bound waits up to half an hour", 0.01, 0, 1575.0),
    ("a wider bound comes sooner", 0.15, 0, 1000.0),
    ("half the target is the floor", 0.25, 0, 64.0),
    ("over the target is the floor", 0.7, 0, 64.0),
    ("a first failure", 0.1, 1, 64.0),
    ("a second failure", 0.1, 2, 128.0),
    ("a fifth failure", 0.1, 5, 1024.0),
    ("many failures", 0.1, 7, 3600.0),
    ("ages of failures", 9.0, 100_000, 3600.0),
    ("never right, first", math.inf, 1, 1.0),
    ("never right, second", math.inf, 2, 2.0),
    ("never right, sixth", math.inf, 6, 32.0),
    ("never right, tenth", math.inf, 10, 512.0),
    ("never right, long", math.inf, 100_000, 3600.0),
]


@pytest.mark.parametrize(
    ("bound", "failures", "wait"), [row[1:] for row in SCHEDULE], ids=[row[0] for row in SCHEDULE]
)
def test_the_schedule(bound: float, failures: int, wait: float) -> None:
    found = poll_wait(bound=bound, target=0.5, failures=failures, random=Middle())
    assert found == pytest.approx(wait)


@settings(database=None, derandomize=True)
@given(
    bound=st.floats(0.0, 2.0) | st.just(math.inf),
    target=st.floats(0.05, 5.0),
    failures=st.integers(0, 50),
    seed=st.integers(0, 2**32),
)
def test_no_wait_is_out_of_its_limits(
    bound: float, target: float, failures: int, seed: int
) -> None:
    wait = poll_wait(bound=bound, target=target, failures=failures, random=Random(seed))
    assert 0.75 <= wait <= 3600 * 1.25
    if failures == 0:
        assert wait == 64 or bound + PHI * wait <= target / 2 + 1e-9


def test_hosts_that_started_together_do_not_poll_together() -> None:
    waits = [poll_wait(bound=0.0, target=5.0, failures=0, random=Random(n)) for n in range(200)]
    assert min(waits) < 1400
    assert max(waits) > 1750
    assert all(1350 <= wait <= 1800 for wait in waits)


def asked_for(*times: float) -> list[float]:
    """Return when rounds begin that are asked for at these boot times."""
    spacing, began = Spacing(), []
    for time in times:
        start = max(time, time + spacing.wait(time))
        spacing.note(start)
        began.append(start)
    return began


def test_a_round_that_is_asked_for_begins_at_once() -> None:
    assert asked_for(5000.0) == [5000.0]


def test_rounds_that_are_asked_for_all_the_time_come_ever_more_rarely() -> None:
    spacing, now = Spacing(), 0.0
    began: list[float] = []
    while len(began) < 10:
        if spacing.wait(now) == 0:
            spacing.note(now)
            began.append(now)
        now += 0.25
    gaps = [after - before for before, after in itertools.pairwise(began)]
    assert gaps == [1, 2, 4, 8, 16, 32, 64, 64, 64]


def test_after_ten_quiet_minutes_they_may_come_fast_again() -> None:
    assert asked_for(0, 1, 3, 603, 603) == [0, 1, 3, 603, 611]
    assert asked_for(0, 1, 3, 604, 604) == [0, 1, 3, 604, 605]
