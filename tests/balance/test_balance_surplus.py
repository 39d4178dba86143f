from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.balance.surplus import MOST_FADES, STAYS, Surplus, clipped

if TYPE_CHECKING:
    from collections.abc import Iterable

DEVIATION = 0.01


def surplus(answers: Iterable[float], *, since: float = 0.1) -> Surplus:
    """Return what answers say that took so many seconds longer than expected."""
    made = Surplus()
    for beyond in answers:
        made.take(beyond, deviation=DEVIATION, since=since)
    return made


def test_answers_in_time_leave_none() -> None:
    assert surplus([0.0] * 100).value == 0.0
    assert abs(surplus([0.009, -0.009] * 100).value) < 0.002


@pytest.mark.parametrize("beyond", [0.1, 5.0, -0.1])
def test_a_single_answer_counts_for_one_deviation_at_most_and_slowly(beyond: float) -> None:
    assert abs(surplus([beyond], since=9.0).value) <= 0.1 * DEVIATION
    to_and_fro = surplus([beyond, 0.0] * 20)
    assert abs(to_and_fro.value) < DEVIATION, "and so do many that do not agree"


@pytest.mark.parametrize("sign", [1, -1])
def test_two_in_a_row_that_agree_are_news_and_followed_at_once(sign: int) -> None:
    told = [sign * surplus([sign * 0.1] * count).value for count in range(30)]
    assert told == sorted(told)
    assert told[2] - told[1] > 3 * told[1]
    assert told[-1] == pytest.approx(0.1, abs=1.5 * DEVIATION)


def test_even_news_counts_for_three_deviations_at_most() -> None:
    assert surplus([1.0] * 5).value == surplus([1000.0] * 5).value
    assert surplus([1000.0] * 2, since=9.0).value < 0.1 * DEVIATION + 0.4 * 3 * DEVIATION + 1e-9


def test_those_on_different_sides_do_not_agree() -> None:
    one_sided, both = surplus([0.1] * 4), surplus([0.1, -0.1] * 2)
    assert abs(both.value) < one_sided.value / 4


def test_a_change_back_is_followed_as_fast() -> None:
    made = surplus([0.1] * 30 + [0.0] * 15)
    assert abs(made.value) < 2 * DEVIATION


def test_it_stays_for_a_moment_and_then_fades() -> None:
    made = surplus([0.1] * 30)
    assert made.faded(0.0) == made.faded(STAYS) == made.value
    told = [made.faded(STAYS + n) for n in range(100)]
    assert told == sorted(told, reverse=True)
    assert told[20] == pytest.approx(made.value * math.exp(-20 / MOST_FADES))


def test_what_few_answers_said_is_forgotten_sooner_than_what_many_said() -> None:
    few, many = surplus([0.1] * 3), surplus([0.1] * 40)
    assert few.faded(10) < 0.25 * few.value
    assert many.faded(10) > 0.5 * many.value


def test_an_answer_after_a_silence_finds_it_faded() -> None:
    made = surplus([0.1] * 30)
    noise, value = made.noise, made.value
    made.take(value * math.exp(-60 / MOST_FADES), deviation=DEVIATION, since=60 + STAYS)
    assert made.value == pytest.approx(value * math.exp(-60 / MOST_FADES))
    assert made.noise < noise


def test_it_knows_how_far_it_may_be_off() -> None:
    assert Surplus().noise == 0.0
    calm, moved = surplus([0.0] * 200), surplus([0.0] * 200 + [0.1] * 5)
    assert 0 < calm.noise < moved.noise < DEVIATION


@pytest.mark.parametrize(
    ("value", "step", "left"),
    [
        (0.08, 0.05, 0.03),
        (0.02, 0.05, 0.0),
        (-0.02, 0.05, -0.02),
        (-0.04, -0.03, -0.01),
        (0.08, 0.0, 0.08),
        (0.0, 0.05, 0.0),
    ],
)
def test_what_has_another_reason_is_taken_out(value: float, step: float, left: float) -> None:
    made = Surplus()
    made.value = value
    made.seen_elsewhere(step)
    assert made.value == pytest.approx(left)


@pytest.mark.parametrize(
    ("step", "cap", "within"),
    [(5.0, 3.0, 3.0), (-5.0, 3.0, -3.0), (2.0, 3.0, 2.0), (0.0, 0.0, 0.0)],
)
def test_a_step_is_clipped_on_both_sides(step: float, cap: float, within: float) -> None:
    assert clipped(step, cap) == within


@given(st.lists(st.tuples(st.floats(-10, 1e3), st.floats(1e-4, 10), st.floats(-1, 1e5))))
def test_whatever_comes_it_lies_between_what_answers_said(
    answers: list[tuple[float, float, float]],
) -> None:
    made = Surplus()
    for beyond, deviation, since in answers:
        made.take(beyond, deviation=deviation, since=since)
        assert 0 <= made.noise <= max(d for _, d, _ in answers)
    known = [0.0, *(beyond for beyond, _, _ in answers)]
    assert min(known) - 1e-9 <= made.value <= max(known) + 1e-9
