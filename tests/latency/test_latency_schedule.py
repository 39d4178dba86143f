from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.latency.schedule import ProbeView, due_at, first_due, jitter

EVERY = 10.0


def view(**changed: float) -> ProbeView:
    known = {"samples": 5, "cost": 0.1, "sd": 0.1, "best": 0.05, "down": False, "population": 6}
    return ProbeView(**(known | changed))  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("changed", "pace"),
    [
        ({"samples": 0}, 0.3),
        ({"samples": 2}, 0.3),
        ({"samples": 3}, 360.0),
        ({"cost": 0.05}, 30.0),  # the endpoint in use itself
        ({"cost": 0.061}, 30.0),  # 61 ms less two deviations is 49.9
        ({"cost": 0.0611}, 360.0),  # … and here 50.02: it cannot win
        ({"sd": 0.35}, 30.0),  # far, but so vaguely known that it could be near
        ({"sd": 0.34}, 360.0),
        ({"population": 1}, 60.0),  # the stalest each minute: six of them, each every six
        ({"down": True}, 1.25),
        ({"down": True, "samples": 0}, 1.25),  # a warm-up is for those that answer
        ({"down": True, "cost": 0.01}, 1.25),
        ({"suspect": True}, 1.25),  # traffic waits there in vain
        ({"lapsed": True}, 5.0),  # it was the better one, and may be so again
        ({"lapsed": True, "down": True}, 1.25),
        ({"lapsed": True, "samples": 0}, 0.3),
    ],
)
def test_a_probe_is_spent_where_it_can_change_the_choice(
    changed: dict[str, float], pace: float
) -> None:
    assert due_at(view(**changed), last=100.0, every=EVERY, factor=1.0) == pytest.approx(100 + pace)


@pytest.mark.parametrize(("every", "pace"), [(0.1, 0.1), (0.3, 0.3), (60.0, 0.3)])
def test_the_warm_up_is_no_slower_than_what_the_user_asked_for(every: float, pace: float) -> None:
    assert due_at(view(samples=1), last=0.0, every=every, factor=1.0) == pace


@given(
    samples=st.integers(0, 10),
    cost=st.floats(1e-6, 10),
    sd=st.floats(0.001, 2),
    every=st.floats(0.001, 3600),
    population=st.integers(1, 100_000),
    seed=st.integers(0, 2**32),
)
def test_an_endpoint_that_is_down_gets_at_most_one_probe_a_second(
    *, samples: int, cost: float, sd: float, every: float, population: int, seed: int
) -> None:
    down = view(samples=samples, cost=cost, sd=sd, population=population, down=True)
    due = due_at(down, last=0.0, every=every, factor=jitter(random.Random(seed)))
    assert 1.0 <= due <= 1.5


@given(factor=st.floats(0.8, 1.2), every=st.floats(0.01, 3600), samples=st.integers(0, 10))
def test_the_next_probe_always_lies_ahead(factor: float, every: float, samples: int) -> None:
    assert due_at(view(samples=samples), last=7.0, every=every, factor=factor) > 7.0


def test_each_wait_is_jittered_by_a_fifth() -> None:
    chance = random.Random(1)
    factors = [jitter(chance) for _ in range(1000)]
    assert 0.8 <= min(factors) < 0.81
    assert 1.19 < max(factors) <= 1.2


def test_the_nearest_are_probed_at_once_and_a_long_tail_in_turn() -> None:
    chance = random.Random(1)
    waits = [first_due(rank, every=EVERY, chance=chance) for rank in range(19)]
    assert all(0 <= wait <= 0.2 for wait in waits[:16])
    assert len(set(waits[:16])) == 16
    assert waits[16:] == [10.0, 20.0, 30.0]


def fleet(routers: int, endpoints: int, *, until: float) -> list[float]:
    """Return when routers that start at the same instant probe; each probe takes 50 ms."""
    instants = []
    for router in range(routers):
        chance = random.Random(router)
        for rank in range(endpoints):
            due, samples = first_due(rank, every=EVERY, chance=chance), 0
            while due < until:
                instants.append(due)
                samples += 1
                near = view(samples=samples, cost=0.05)
                due = due_at(near, last=due + 0.05, every=EVERY, factor=jitter(chance))
    return instants


def most_in_100_ms(instants: list[float], start: float, end: float) -> float:
    """Return the busiest 100 ms between two instants, as a multiple of the mean there."""
    chosen = [int(instant * 10) for instant in instants if start <= instant < end]
    return max(Counter(chosen).values()) / (len(chosen) / ((end - start) * 10))


def test_a_hundred_routers_that_start_together_do_not_probe_together() -> None:
    """Within the warm-up's second, that is; behind it lies a silence of 24 s, which is no mean."""
    instants = fleet(100, 3, until=10.0)
    assert most_in_100_ms(instants, 0.0, 1.0) < 2.0
    assert len(instants) == 900
    assert max(instants) < 1.3


def test_a_fleet_does_not_fall_into_step_later() -> None:
    instants = fleet(1000, 3, until=40.0)  # a thousand, so that chance alone makes no peaks
    assert most_in_100_ms(instants, 20.0, 40.0) < 3.0
