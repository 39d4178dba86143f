"""What the service says is left holds the limiter back, and only until its reset."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import router
from router.limits.headers import Word
from router.limits.limiter import Limiter, Permit, Ticket

ROUNDING = 1e-6


def make(**limits: Any) -> Limiter:
    return Limiter(router.Limits(**{"rate": "100/s", "burst": 10, **limits}))


def granted(admitted: Permit | Ticket | None) -> Permit:
    assert isinstance(admitted, Permit)
    return admitted


def told(limiter: Limiter, remaining: float, reset: float, *, now: float = 0.0) -> None:
    """Have an answer say so that is the only one under way."""
    permit = granted(limiter.admit(now))
    limiter.heard(permit, now, words=[Word("requests", remaining, reset)])
    permit.give_back()


def test_less_than_ours_holds_back_until_its_reset_and_then_ours_counts_again() -> None:
    limiter = make()
    told(limiter, 2, 30.0)
    granted(limiter.admit(1.0))
    granted(limiter.admit(1.0))
    ticket = limiter.admit(1.0)
    assert isinstance(ticket, Ticket)
    assert ticket.wait(1.0) == pytest.approx(29.0)
    assert ticket.poll(29.9) is None
    granted(ticket.poll(30.0))
    assert [isinstance(limiter.admit(30.001), Permit) for _ in range(10)].count(True) == 9


def test_more_than_ours_changes_nothing() -> None:
    limiter = make()
    told(limiter, 10**6, 30.0)
    assert limiter._quick
    admitted = [isinstance(limiter.admit(1.0), Permit) for _ in range(12)]
    assert admitted == [True] * 10 + [False] * 2


def test_the_last_word_counts_and_wakes_who_waits() -> None:
    limiter = make()
    told(limiter, 1, 30.0)
    permit = granted(limiter.admit(1.0))
    ticket = limiter.admit(1.0)
    assert isinstance(ticket, Ticket)
    assert ticket.wait(1.0) == pytest.approx(29.0)
    limiter.heard(permit, 2.0, words=[Word("requests", 50, 30.0)])
    assert ticket.nudge.done()
    granted(ticket.poll(2.0))


def test_what_is_under_way_is_taken_off_until_its_answer_came() -> None:
    limiter = make()
    first, *others = [granted(limiter.admit(0.0)) for _ in range(4)]
    limiter.heard(first, 0.1, words=[Word("requests", 5, 30.0)])
    assert limiter.peek(0.1).at_once
    granted(limiter.admit(0.1))
    granted(limiter.admit(0.1))
    assert limiter.peek(0.1).wait == pytest.approx(30.0), "three are on their way to the service"
    for permit in others:
        limiter.heard(permit, 0.2)
    limiter.heard(first, 0.2, words=[Word("requests", 5, 30.0)])
    assert limiter.peek(0.2).at_once


def test_a_word_on_what_is_not_counted_here_holds_nobody() -> None:
    limiter = make()
    permit = granted(limiter.admit(0.0))
    limiter.heard(permit, 0.0, words=[Word("tokens", 0, 30.0)])
    assert limiter.peek(0.0).at_once
    assert limiter.words()["tokens"] == (Word("tokens", 0, 30.0), 0.0)


def test_a_word_lasts_an_hour_at_most() -> None:
    limiter = make()
    told(limiter, 0, 1e9)
    ticket = limiter.admit(1.0)
    assert isinstance(ticket, Ticket)
    assert ticket.wait(1.0) == pytest.approx(3599.0)


WORDS = st.tuples(st.floats(0, 3), st.floats(0, 20), st.floats(0, 5))


@given(st.lists(WORDS, min_size=1, max_size=30))
def test_held_back_requests_come_in_the_end_and_the_configured_rate_is_never_exceeded(
    steps: list[tuple[float, float, float]],
) -> None:
    limiter, now, spent = make(rate="2/s", burst=4), 0.0, []
    for gap, remaining, reset in steps:
        now += gap
        admitted = limiter.admit(now)
        for _ in range(20):
            if isinstance(admitted, Permit):
                break
            now += admitted.wait(now) or 0.0
            admitted = admitted.poll(now) or admitted
        permit = granted(admitted)
        spent.append(now)
        limiter.heard(permit, now, words=[Word("requests", remaining, reset)])
        permit.give_back()
    for place, first in enumerate(spent):
        for count, last in enumerate(spent[place:], 1):
            assert count <= 2 * (last - first) + 4 + ROUNDING
    assert (limiter.in_use, limiter.waiting) == (0, 0)
    assert limiter.peek(now + 10.0).at_once
