"""When servers are asked again, and what is remembered of each."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.clock.ntp import PHI, Sample
from router.clock.sync import Source, poll_wait


class Middle(Random):
    """Chance without jitter: the middle of every range."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


# bound, failures, seconds to wait without jitter, with a target of 500 ms
SCHEDULE = [
    ("a good bound waits half an hour", 0.01, 0, 1800.0),
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
    ("never right, long", math.inf, 100_000, 64.0),
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
    assert min(waits) < 1440
    assert max(waits) > 2160
    assert all(1350 <= wait <= 2250 for wait in waits)


def sample(theta: float, *, delta: float = 0.02, taken: float = 0.0) -> Sample:
    return Sample(theta=theta, delta=delta, epsilon=0.001, taken=taken)


def test_the_best_sample_is_the_one_with_the_least_bound_now() -> None:
    source = Source("ntp.example.net")
    early, late = sample(5.0, delta=0.01, taken=0.0), sample(5.0, delta=0.05, taken=100.0)
    source.hear(early)
    source.hear(late)
    assert source.best(100.0) == early
    source.hear(later := sample(5.0, delta=0.05, taken=1000.0))
    assert source.best(1000.0) == later


def test_eight_samples_are_kept() -> None:
    source = Source("ntp.example.net")
    for taken in range(20):
        source.hear(sample(5.0, taken=float(taken)))
    assert [kept.taken for kept in source.samples] == list(range(12, 20))


def test_a_sample_that_contradicts_older_ones_ends_them() -> None:
    source = Source("ntp.example.net")
    source.hear(sample(5.0, delta=0.001))
    source.hear(jumped := sample(7.0, delta=0.3, taken=64.0))
    assert list(source.samples) == [jumped]
    assert source.best(64.0) == jumped


def test_the_interval_that_was_too_short_is_doubled() -> None:
    source = Source("ntp.example.net")
    source.ask(0.0)
    source.ask(1800.0)
    source.rest()
    assert source.due == 1800.0 + 3600.0


def test_no_server_is_left_alone_for_more_than_36_hours() -> None:
    source = Source("ntp.example.net")
    source.ask(0.0)
    for _ in range(50):
        source.rest()
    assert source.due == 36 * 3600
