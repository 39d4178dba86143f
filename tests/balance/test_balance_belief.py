from __future__ import annotations

import math

import pytest
from balance_samples import START
from hypothesis import given
from hypothesis import strategies as st

from router.balance.belief import FAILURE, MOST, UNLIKELY, Belief, risk


def belief(story: str, *, apart: float = 0.0) -> Belief:
    """Return what is believed after failures (`f`) and answers (`a`), so many seconds apart."""
    made = Belief()
    for place, what in enumerate(story):
        now = START + place * apart
        made.failed(now) if what == "f" else made.answered(now)
    return made


@pytest.mark.parametrize(
    ("story", "odds"),
    [
        ("", -7.0),
        ("aaaa", -7.0),  # it is not surer than that
        ("f", -3.088),
        ("ff", 0.824),  # the second failure makes it more likely broken than not
        ("fff", 4.736),
        ("ffff", 8.0),
        ("ffffffff", 8.0),  # … nor than that
        ("ffa", 0.141),
        ("ffaa", -0.542),
        ("afaaaaa", -6.504),
        ("faaaaaa", -7.0),  # six answers make up for a stray failure
        ("ffff" + "a" * 11, 0.486),
        ("ffff" + "a" * 12, -0.197),  # a dozen for one that was surely broken
    ],
)
def test_failures_speak_for_it_being_broken_and_answers_against(story: str, odds: float) -> None:
    assert belief(story).odds(START) == pytest.approx(odds, abs=1e-3)


@pytest.mark.parametrize("apart", [0.001, 0.1])
def test_the_rate_of_requests_makes_no_difference(apart: float) -> None:
    assert belief("fff", apart=apart).odds(START + 2 * apart) == pytest.approx(4.736, abs=0.3)


@pytest.mark.parametrize(
    ("seconds", "odds"),
    [(0.0, 8.0), (4.5, -7 + 15 / math.e), (45.0, -7 + 15 * math.exp(-10)), (1e6, -7.0)],
)
def test_it_fades_where_nothing_is_heard(seconds: float, odds: float) -> None:
    assert belief("fffff").odds(START + seconds) == pytest.approx(odds)


def test_it_does_not_fade_while_an_answer_is_on_its_way() -> None:
    assert belief("fffff").odds(START + 60, waiting=True) == MOST


def test_an_instant_before_the_last_makes_it_no_stronger() -> None:
    assert belief("ff").odds(START - 60) == belief("ff").odds(START)


def test_the_silence_before_a_failure_counts_with_it() -> None:
    made = Belief()
    made.failed(START, late=2.5)
    assert made.odds(START) == pytest.approx(UNLIKELY + FAILURE + 2.5)


@pytest.mark.parametrize(
    ("story", "left"), [("f", ""), ("ff", "f"), ("fff", "ff"), ("ffa", "fa"), ("", "")]
)
def test_a_failure_that_was_not_its_own_is_taken_back(story: str, left: str) -> None:
    made = belief(story)
    made.absolve(START)
    assert made.odds(START) == pytest.approx(belief(left).odds(START))


def test_it_begins_again_where_it_is_told_to() -> None:
    made = belief("ffff")
    made.begin(-1.0, START + 5)
    assert made.odds(START + 5) == -1.0


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["failed", "answered", "absolve"]),
        st.floats(0, 100),
    )
)


@given(EVENTS, st.floats(-10, 1e6))
def test_whatever_happens_it_stays_within_bounds_and_moves_the_right_way(
    events: list[tuple[str, float]], later: float
) -> None:
    made, now = Belief(), START
    for what, passed in events:
        now += passed
        before = made.odds(now)
        getattr(made, what)(now)
        after = made.odds(now)
        assert UNLIKELY <= after <= MOST
        assert after >= before if what == "failed" else after <= before
    assert UNLIKELY <= made.odds(now + later) <= MOST


@pytest.mark.parametrize(
    ("odds", "alone", "seconds"),
    [
        (-7.0, 0.1, 0.0),  # what is unlikely costs nothing
        (-100.0, 0.1, 0.0),
        (-3.088, 0.1, 0.0872),
        (0.0, 0.1, 1.0),  # one chance in two of a second, and of ten requests' time
        (0.0, 0.01, 0.55),
        (8.0, 0.1, 1.9993),
        (30.1, 0.1, 2.0),
        (1e9, 0.1, 2.0),  # silence may add to it without end
    ],
)
def test_the_risk_is_the_chance_of_failing_times_what_that_costs(
    odds: float, alone: float, seconds: float
) -> None:
    assert risk(odds, alone) == pytest.approx(seconds, abs=1e-4)


@given(st.floats(-20, 50), st.floats(-20, 50), st.floats(0, 10))
def test_the_risk_grows_with_the_odds(one: float, other: float, alone: float) -> None:
    less, more = sorted((one, other))
    assert 0 <= risk(less, alone) <= risk(more, alone) <= 1 + 10 * alone
