from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import pytest
from balance_samples import START, choose, pool_of
from hypothesis import given
from hypothesis import strategies as st

from router.balance.host import Host
from router.balance.load import FIRST_LIMIT, FRESH, LONGEST_FADES, Load

if TYPE_CHECKING:
    from router.balance.choice import Choice


def load(
    *elapsed: float, apart: float = 0.1, in_flight: int = 1, guess: float = 0.1, then: float = 0.0
) -> Load:
    """Return what answers tell that took so long, the last of them `then` before START."""
    made = Load(guess, now=START - then - apart * len(elapsed))
    for left, seconds in zip(reversed(range(len(elapsed))), elapsed, strict=True):
        made.answered(seconds, in_flight=in_flight, now=START - then - apart * left)
    return made


def expected(made: Load) -> float:
    """Return the seconds that a request takes which meets no queue of ours."""
    return made.alone + made.surplus


def sent(made: Load, *instants: float, predicted: float = 0.1) -> list[Choice]:
    """Have requests under way since these instants."""
    pool, choices = pool_of("a"), []
    for instant in instants:
        choice = choose(pool)
        choice.sent, choice.predicted = instant, predicted
        made.ahead[choice] = None
        choices.append(choice)
    return choices


# -- how long a request takes


def test_the_first_answer_takes_the_place_of_a_guess() -> None:
    made = load(guess=0.5)
    assert (made.measured, made.alone) == (False, 0.5)
    made = load(0.02, guess=0.5)
    assert (made.measured, made.alone, made.surplus) == (True, 0.02, 0.0)


@pytest.mark.parametrize("seconds", [0.001, 0.05, 3.0])
def test_where_all_answers_are_alike_that_is_what_is_expected(seconds: float) -> None:
    made = load(*[seconds] * 100)
    assert made.alone == pytest.approx(seconds)
    assert made.surplus == pytest.approx(0.0, abs=1e-9)
    assert made.deviation < 0.2 * seconds + 0.01
    assert made.limit == FIRST_LIMIT, "one at a time tells nothing of how many it holds"


@pytest.mark.parametrize("after", [0.3, 0.06])
def test_a_change_shows_in_the_surplus_at_once_and_in_the_rest_slowly(after: float) -> None:
    made = load(*[0.1] * 100, *[after] * 10)
    assert abs(expected(made) - after) < 0.5 * abs(0.1 - after)
    assert abs(made.alone - 0.1) < 0.35 * abs(0.1 - after)
    made = load(*[0.1] * 100, *[after] * 1500)
    assert made.alone == pytest.approx(after, rel=0.1), "in the end it is how things are"
    assert expected(made) == pytest.approx(after, rel=0.05)


def test_what_we_have_under_way_ourselves_is_no_surplus() -> None:
    made = load(*[0.1] * 100)
    for step in range(1, 50):
        made.answered(0.2, in_flight=int(2 * made.limit), now=START + step / 10)
    assert made.alone == pytest.approx(0.1, rel=0.1)
    assert abs(made.surplus) < 0.02


def test_an_answer_out_of_all_proportion_counts_for_three_deviations() -> None:
    before = load(*[0.1] * 100)
    stalls = [copy.deepcopy(before) for _ in range(3)]
    for made, seconds in zip(stalls, (1.0, 10.0, 1000.0), strict=True):
        made.answered(seconds, in_flight=1, now=START + 0.1)
    assert len({(made.alone, made.surplus, made.deviation) for made in stalls}) == 1
    assert expected(stalls[0]) - expected(before) < 2 * 3 * before.deviation * 0.4


def test_noise_widens_the_deviation_and_quiet_narrows_it() -> None:
    quiet = load(*[0.1] * 200)
    noisy = load(*[0.05, 0.15] * 100)
    assert noisy.deviation > 2 * quiet.deviation
    assert noisy.alone == pytest.approx(0.1, rel=0.2)


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.integers(1, 500), st.floats(-0.1, 10_000)), max_size=60
    )
)
def test_whatever_answers_come_the_figures_are_figures(
    answers: list[tuple[float, int, float]],
) -> None:
    made, now = Load(0.1, now=START), START
    for elapsed, in_flight, since in answers:
        now += since
        made.answered(elapsed, in_flight=in_flight, now=now)
        assert made.alone > 0
        assert made.deviation > 0
        assert 1 <= made.limit <= FIRST_LIMIT + len(answers)
        assert -made.alone <= made.surplus < math.inf or made.alone < 1e-3
        assert 0 < made.faded_alone(now + 1, 0.1) < math.inf


# -- how many it holds


def serve(made: Load, rounds: int, *, holds: float, share: float) -> None:
    """Have so much under way, of what its limit says; what is over `holds` waits in a queue."""
    for step in range(1, rounds + 1):
        in_flight = math.ceil(share * made.limit)
        elapsed = 0.1 * max(1.0, in_flight / holds)
        made.answered(elapsed, in_flight=in_flight, now=START + step / 50)


@pytest.mark.parametrize(
    ("share", "limit"),
    [(1.0, FIRST_LIMIT + 30), (0.85, FIRST_LIMIT + 30), (0.7, FIRST_LIMIT)],  # who is not busy …
)
def test_from_the_start_the_limit_grows_by_one_for_each_answer_that_met_no_queue(
    share: float, limit: float
) -> None:
    made = load(0.1)
    serve(made, 30, holds=1000, share=share)
    assert made.limit == pytest.approx(limit, abs=2)


def test_after_the_first_queue_it_shrinks_and_then_grows_by_one_for_each_round_of_answers() -> None:
    made = load(*[0.1] * 100)
    serve(made, 30, holds=3, share=1.5)
    assert 1 <= made.limit < FIRST_LIMIT / 2
    serve(made, 60, holds=1000, share=1.0)
    before = made.limit
    serve(made, 30, holds=1000, share=1.0)
    assert before + 1 < made.limit < before + 15, "by one for each answer it would be 30"


@pytest.mark.parametrize("waiting", [1.2, 2.8])
def test_a_short_queue_is_as_it_should_be(waiting: float) -> None:
    made = load(*[0.1] * 100)
    for step in range(1, 200):
        made._queue = waiting
        made.answered(made.alone * (1 + waiting / 8), in_flight=8, now=START + step / 1e6)
    assert made.limit == FIRST_LIMIT


def test_a_queue_shrinks_the_limit_to_one_at_least() -> None:
    made = load(*[0.1] * 50)
    for step in range(1, 400):
        made.answered(10.0 + step, in_flight=100, now=START + step / 100)
    assert made.limit == 1.0


def test_to_begin_anew_is_to_forget_and_to_start_slowly() -> None:
    made = load(*[0.1] * 50, *[0.3] * 5)
    made.begin()
    assert (made.measured, made.surplus, made.limit) == (False, 0.0, 1.0)
    made.answered(0.2, in_flight=1, now=START + 9)
    assert made.alone == 0.2
    for step in range(6):
        made.answered(0.2, in_flight=math.ceil(made.limit), now=START + 9.1 + step / 10)
    assert made.limit == 8.0, "it doubles, since each answer lets one more in"


# -- silence


@pytest.mark.parametrize(
    ("ages", "late"),
    [
        ([], 0),
        ([0.0, 0.05], 0),
        ([0.1], 0),  # to the instant
        ([0.2], 1),
        ([0.3], 2),
        ([0.3, 0.2, 0.15, 0.05], 3.5),
        ([1.1] * 5, 50),
    ],
)
def test_each_request_adds_by_how_many_deviations_it_is_overdue(
    ages: list[float], late: float
) -> None:
    made = load(*[0.1] * 50)
    made.deviation = 0.1
    sent(made, *(START - age for age in ages))
    assert made.silence(START) == pytest.approx(late, abs=1e-6)


def test_silence_grows_before_anything_returns_and_with_what_is_sent() -> None:
    one, five = load(*[0.1] * 50), load(*[0.1] * 50)
    sent(one, START)
    sent(five, *[START] * 5)
    told = [(one.silence(START + n / 100), five.silence(START + n / 100)) for n in range(60)]
    assert told == sorted(told)
    assert told[9] == (0.0, 0.0)
    assert 0 < told[-1][0] < told[-1][1]


def test_who_is_known_to_be_slow_of_late_is_not_late_so_soon() -> None:
    made = load(*[0.1] * 50, *[0.2] * 20)
    sent(made, START)
    assert made.silence(START + 0.15) == 0.0


def test_a_stall_that_a_later_request_overtakes_is_no_silence() -> None:
    made = load(*[0.1] * 50)
    stalled, _, later, last = sent(made, START, START, START + 0.1, START + 0.2)
    assert made.silence(START + 0.25) > 0
    made.passed(later)
    assert list(made.ahead) == [last]
    assert made.silence(START + 0.25) == 0.0
    made.passed(stalled)  # it ends at last, and that is no news
    assert list(made.ahead) == [last]
    assert made.lateness(stalled, START + 10) > 50, "how late it is itself can still be told"


# -- forgetting


def test_a_surplus_fades_where_nothing_is_heard_and_not_while_an_answer_is_on_its_way() -> None:
    made = load(*[0.1] * 100, *[0.3] * 10)
    faded = [made.faded_surplus(START + n, waiting=False) for n in range(1, 200)]
    assert faded == sorted(faded, reverse=True)
    assert 0 < faded[-1] < 0.001
    assert made.faded_surplus(START + 200, waiting=True) == made.surplus


def test_an_answer_after_a_silence_finds_the_surplus_faded() -> None:
    early, late = (load(*[0.1] * 100, *[0.3] * 10) for _ in range(2))
    early.answered(0.1, in_flight=1, now=START + 0.5)
    late.answered(0.1, in_flight=1, now=START + 50)
    assert late.surplus < early.surplus / 2


def test_what_a_request_takes_fades_towards_what_else_suggests_itself() -> None:
    made = load(*[0.1] * 100)
    told = [made.faded_alone(START + idle, 0.02) for idle in (0, 1, 60, 600, 6000)]
    assert told[:2] == [pytest.approx(0.1)] * 2
    assert told == sorted(told, reverse=True)
    assert told[-1] == pytest.approx(0.02)


def test_each_answer_that_confirms_it_after_a_silence_makes_it_fade_more_slowly() -> None:
    made, now, left = load(*[0.1] * 1200), START, []
    for _ in range(12):
        left.append(made.faded_alone(now + 1200, 0.02))
        now += 4000
        made.answered(0.1, in_flight=1, now=now)
    assert left == sorted(left)
    assert left[-1] == pytest.approx(0.02 + 0.08 * math.exp(-1199 / LONGEST_FADES), rel=0.01)


def test_an_answer_that_belies_it_after_a_silence_takes_its_place() -> None:
    made = load(*[0.1] * 100)
    made.answered(0.4, in_flight=1, now=START + 600)
    assert (made.alone, made.surplus) == (0.4, 0.0)
    made.answered(0.4, in_flight=1, now=START + 600.1)
    assert expected(made) == pytest.approx(0.4)


# -- the way there


@pytest.mark.parametrize(
    ("step", "surplus", "idle", "alone", "left"),
    [
        (0.05, 0.0, 0.0, 0.15, 0.0),
        (-0.03, 0.0, 0.0, 0.07, 0.0),
        (-0.09, 0.0, 0.0, 0.05, 0.0),  # never under the round trip itself
        (0.05, 0.08, 0.0, 0.15, 0.03),  # traffic has seen it already
        (0.05, 0.02, 0.0, 0.15, 0.0),
        (0.05, 0.08, FRESH + 1, 0.15, 0.08),  # … and here it saw something else, before
        (0.05, -0.02, 0.0, 0.15, -0.02),
        (-0.03, -0.02, 0.0, 0.07, 0.0),
        (-0.03, -0.04, 0.0, 0.07, -0.01),
    ],
)
def test_a_way_that_became_longer_is_not_counted_twice(
    step: float, surplus: float, idle: float, alone: float, left: float
) -> None:
    made = load(*[0.1] * 100)
    made.alone, made._surplus.value = 0.1, surplus
    made.moved(step, least=0.05, now=START + idle)
    assert made.alone == pytest.approx(alone)
    assert made.surplus == pytest.approx(left)


@pytest.mark.parametrize(
    ("samples", "in_flight", "since", "sated"),
    [
        (100, 1, 0.0005, True),
        (100, 1, 0.002, False),  # at that rate each one is learnt from
        (5, 1, 0.0005, False),  # it has just begun
        (100, 10**6, 0.0005, False),  # it is at its limit
    ],
)
def test_of_answers_that_crowd_one_is_learnt_from(
    samples: int, in_flight: int, since: float, *, sated: bool
) -> None:
    made = load(*[0.1] * samples)
    assert made.sated(in_flight, START + since) is sated


def test_how_long_bodies_take_is_told_apart() -> None:
    made = load(0.1)
    assert math.isnan(made.total)
    made.ended(2.0)
    assert made.total == 2.0
    for _ in range(100):
        made.ended(1.0)
    assert made.total == pytest.approx(1.0, rel=0.01)
    assert made.alone == 0.1


def test_the_first_answers_are_weighed_with_what_else_suggests_itself() -> None:
    made = Load(0.1, now=START)
    for number in range(3):
        made.answered(0.2, in_flight=1, now=START + number / 10, suggested=0.1)
    assert 0.12 < made.alone < 0.16
    for number in range(3, 200):
        made.answered(0.2, in_flight=1, now=START + number / 10, suggested=0.1)
    assert expected(made) == pytest.approx(0.2, rel=0.02)


@pytest.mark.parametrize("held", [8, 3, 20])
def test_where_more_are_always_under_way_than_it_holds_the_limit_is_what_it_holds(
    held: int,
) -> None:
    made = load(*[0.1] * 30)
    for number in range(2000):
        made.answered(0.1 * 32 / held, in_flight=32, now=START + number / 50)
    assert made.limit / made.alone == pytest.approx(held / 0.1, rel=0.3)
    assert 0.7 * held < made.limit < 1.7 * held


# -- when the clock or the host misbehaves


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(1e-6, 10)), max_size=60))
def test_a_clock_that_steps_back_does_no_harm(steps: list[tuple[float, float]]) -> None:
    made, now = Load(0.1, now=START), START
    for step, elapsed in steps:
        now += step
        made.answered(elapsed, in_flight=1, now=now, suggested=0.1)
        for seen in (now, now - 1e3):
            told = (made.faded_alone(seen, 0.1), made.faded_surplus(seen, waiting=False))
            assert all(map(math.isfinite, (*told, made.deviation, made.limit)))
            assert told[0] > 0
    assert made.deviation > 0


def test_what_the_process_computed_meanwhile_is_no_silence() -> None:
    computed = 0.0
    host = Host(lambda: computed)
    made = Load(0.1, now=START, host=host)
    _held = sent(made, START)
    assert made.silence(START + 1) > 10
    computed = 0.9
    host.look()
    assert made.silence(START + 1) == 0.0
    assert made.silence(START + 2) > 10, "it did not compute all that time"
