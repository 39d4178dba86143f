"""An adaptive window: narrower when the service refuses, wider when it answers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import router
from router.limits.limiter import Limiter, Permit, Ticket
from router.limits.window import Window


def make(most: int | None = 10) -> Limiter:
    return Limiter(router.Limits(concurrency=most, adaptive=True))


def fill(limiter: Limiter, now: float) -> list[Permit]:
    """Take all that the window has."""
    out = []
    while isinstance(admitted := limiter.admit(now), Permit):
        out.append(admitted)
    admitted.leave()
    return out


def test_a_refusal_narrows_it_and_many_at_once_are_one() -> None:
    limiter = make()
    out = fill(limiter, 0.0)
    assert len(out) == 10
    for permit in out:
        limiter.heard(permit, 1.0, refused=True)
        permit.give_back()
    out = fill(limiter, 2.0)
    assert len(out) == 7
    limiter.heard(out[0], 3.0, refused=True)
    assert limiter.most == 4


def test_answers_widen_it_by_one_a_round_and_never_beyond_what_is_configured() -> None:
    limiter = make()
    limiter.heard(fill(limiter, 0.0)[0], 0.0, refused=True)
    limiter.reset_after_fork()
    sizes = []
    for round_ in range(6):
        out = fill(limiter, float(round_))
        sizes.append(len(out))
        for permit in out:
            limiter.heard(permit, float(round_))
        for permit in out:
            permit.give_back()
    assert sizes[0] == 7
    assert all(0 <= after - before <= 1 for before, after in pairwise(sizes))
    assert sizes[-1] == 10


def test_without_a_configured_window_it_finds_its_own() -> None:
    limiter = make(None)
    capacity, now = 50, 0.0
    for _ in range(400):
        now += 1.0
        out = fill(limiter, now)
        for place, permit in enumerate(out):
            limiter.heard(permit, now, refused=place >= capacity)
        for permit in out:
            permit.give_back()
    assert capacity * 0.6 <= limiter.most <= capacity * 1.1


def test_a_wider_window_wakes_who_waits() -> None:
    limiter = Limiter(router.Limits(concurrency=3, adaptive=True))
    out = fill(limiter, 0.0)
    limiter.heard(out[0], 0.0, refused=True)
    out.pop().give_back()
    ticket = limiter.admit(1.0)
    assert isinstance(ticket, Ticket)
    for _ in range(5):
        limiter.heard(out[0], 1.0)
    assert limiter.most == 3
    assert ticket.nudge.done()
    assert isinstance(ticket.poll(1.0), Permit)


@given(st.lists(st.booleans(), max_size=300), st.integers(1, 50))
def test_it_is_never_under_one_nor_over_what_is_configured(events: list[bool], most: int) -> None:
    window = Window(most)
    for now, refused in enumerate(events):
        if refused:
            window.refused(float(now), float(now))
        else:
            window.served(in_use=most)
        assert 1 <= window.size <= most


def test_an_idle_window_does_not_widen() -> None:
    window = Window(10)
    window.refused(0.0, 0.0)
    for _ in range(100):
        window.served(in_use=1)
    assert window.size == pytest.approx(7.0)
