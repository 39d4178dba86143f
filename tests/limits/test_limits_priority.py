"""The queue: first come, first served within a priority, and nobody waits for ever."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import router
from router.errors import LimitError, OptionsError
from router.limits.limiter import Limiter, Permit, Ticket
from router.limits.line import AGEING


def make(**limits: Any) -> Limiter:
    return Limiter(router.Limits(**limits))


def queued(admitted: Permit | Ticket) -> Ticket:
    assert isinstance(admitted, Ticket)
    return admitted


def served(limiter: Limiter, out: Permit, queue: dict[Any, Ticket]) -> list[Any]:
    """Give the one permit back again and again; return who got it, in order."""
    order = []
    for _ in range(len(queue)):
        out.give_back()
        for name, each in queue.items():
            if name not in order and each.permit is not None:
                order.append(name)
                out = each.permit
    return order


def full() -> tuple[Limiter, Permit]:
    limiter = make(concurrency=1)
    out = limiter.admit(0.0)
    assert isinstance(out, Permit)
    return limiter, out


def test_the_higher_priority_goes_first_and_within_one_who_came_first() -> None:
    limiter, out = full()
    priorities = [0, 1, 0, 9, 1, -3, 9]
    queue = {
        place: queued(limiter.admit(0.1, priority=priority))
        for place, priority in enumerate(priorities)
    }
    assert served(limiter, out, queue) == [3, 6, 1, 4, 0, 2, 5]


def test_who_has_waited_long_is_not_passed_any_more() -> None:
    limiter, out = full()
    patient = queued(limiter.admit(0.0))
    soon = queued(limiter.admit(AGEING - 0.1, priority=1))
    late = queued(limiter.admit(AGEING + 0.1, priority=1))
    queue = {"patient": patient, "soon": soon, "late": late}
    assert served(limiter, out, queue) == ["soon", "patient", "late"]


def test_a_stream_of_the_highest_does_not_starve_the_lowest() -> None:
    limiter = make(rate="10/s", burst=1)
    limiter.admit(0.0)
    lowest, now, waited = queued(limiter.admit(0.0, priority=-9)), 0.0, 0.0
    highest: list[Ticket] = []
    while lowest.permit is None:
        now += 0.05  # twice what the rate admits
        try:
            admitted = limiter.admit(now, priority=9)
        except LimitError:
            continue
        if isinstance(admitted, Ticket):
            highest.append(admitted)
        waited = now
        assert waited < 3 * 18 * AGEING
    assert waited >= 18 * AGEING


@given(
    arrivals=st.lists(st.tuples(st.floats(0, 3), st.integers(-9, 9)), min_size=1, max_size=40),
    seed=st.integers(0, 99),
)
def test_nobody_is_passed_by_who_came_later_than_the_priority_is_worth(
    arrivals: list[tuple[float, int]], seed: int
) -> None:
    limiter, out = full()
    random, now = Random(seed), 0.0
    queue: dict[int, Ticket] = {}
    came: dict[int, tuple[float, int]] = {}
    for place, (gap, priority) in enumerate(arrivals):
        now += gap
        queue[place] = queued(limiter.admit(now, priority=priority))
        came[place] = now, priority
    for place in random.sample(sorted(queue), len(queue) // 3):
        queue.pop(place).leave()
    order = served(limiter, out, queue)
    assert sorted(order) == sorted(queue), "nobody is lost"
    for index, place in enumerate(order):
        when, priority = came[place]
        for before in order[:index]:
            their_time, theirs = came[before]
            passed = before > place
            assert not passed or theirs > priority
            assert not passed or their_time - when <= AGEING * (theirs - priority)


def test_a_head_that_is_passed_while_it_sleeps_is_woken_when_its_turn_comes_again() -> None:
    limiter = make(rate="10/s", burst=1, concurrency=2)
    out = limiter.admit(0.0)
    assert isinstance(out, Permit)
    first = queued(limiter.admit(0.0))
    assert first.wait(0.0) == pytest.approx(0.1)
    urgent = queued(limiter.admit(0.05, priority=5))
    assert urgent.wait(0.05) == pytest.approx(0.05)
    assert first.poll(0.1001) is None, "the turn is the other's"
    assert isinstance(urgent.poll(0.1001), Permit)
    assert first.wait(0.1001) is None, "the window is full"
    out.give_back()
    assert first.nudge.done()
    assert first.poll(0.15) is None
    assert first.wait(0.15) == pytest.approx(0.0501)
    assert isinstance(first.poll(0.2002), Permit)


def test_a_place_left_by_who_passed_another_wakes_that_one() -> None:
    limiter, out = full()
    first = queued(limiter.admit(0.0))
    urgent = queued(limiter.admit(0.0, priority=1))
    urgent.leave()
    out.give_back()
    assert first.permit is not None


def test_a_thousand_of_three_priorities_wait_and_five_hundred_leave() -> None:
    limiter, out = full()
    random = Random(36)
    priorities = {place: random.choice([-1, 0, 2]) for place in range(1000)}
    queue = {p: queued(limiter.admit(0.0, priority=level)) for p, level in priorities.items()}
    for place in random.sample(range(1000), 500):
        queue.pop(place).leave()
    order = served(limiter, out, queue)
    assert order == sorted(queue, key=lambda place: (-priorities[place], place))
    assert (limiter.in_use, limiter.waiting) == (1, 0)
    assert len(limiter._line._heap) <= 64, "who left is cleared away"


def test_a_deadline_is_judged_by_who_is_surely_ahead() -> None:
    limiter = make(rate="1/s", burst=1)
    limiter.admit(0.0)
    for _ in range(10):
        queued(limiter.admit(0.0))
    with pytest.raises(LimitError):
        limiter.admit(0.0, deadline=5.0)
    assert isinstance(limiter.admit(0.0, deadline=5.0, priority=1), Ticket)


@pytest.mark.parametrize("priority", [10, -10, 1.5, True, "high", None])
def test_a_priority_is_a_small_whole_number(priority: Any) -> None:
    with pytest.raises(OptionsError, match="priority"):
        router.Options(priority=priority)
