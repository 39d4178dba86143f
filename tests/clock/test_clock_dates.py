"""Servers' clocks from their Dates: intervals that hold, late Dates, steps, aim, many threads."""

from __future__ import annotations

import itertools
import math
import random
import statistics
import threading
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.clock.dates import Dates, skew
from router.clock.ntp import PHI
from router.clock.tracker import DateTracker, Heard

UTC = 1_780_000_000.0
ROUNDING = 1e-6  # of a float that holds Unix seconds
Edges = tuple[float, float]


class Exchange(NamedTuple):
    """One answer, in seconds: of a server whose theta is UTC, unless told otherwise."""

    after: float
    there: float = 0.05
    back: float = 0.05


def date_at(boot: float, theta: float = UTC, *, late: float = 0.0) -> float:
    return float(math.floor(boot + theta - late))


def tell(tracker: DateTracker, boot: float, theta: float = UTC, *, late: float = 0.0) -> Heard:
    """Let a tracker hear an answer that was made at `boot`, 50 ms away."""
    date = date_at(boot, theta, late=late)
    return tracker.hear(date, asked=boot - 0.05, received=boot + 0.05)


def edges(tracker: DateTracker, now: float, theta: float = UTC) -> Edges:
    """Return a tracker's interval as distances from a theta."""
    interval = tracker.interval(now)
    assert interval is not None
    return interval[0] - theta, interval[1] - theta


def narrow(tracker: DateTracker, theta: float = UTC) -> float:
    """Let a tracker hear ten answers, each made at another tenth; return the next half second."""
    for n in range(10):
        tell(tracker, 100.0 + n * 1.1, theta)
    return 111.5


# -- what one answer says, and what several say together


def test_nothing_is_known_before_the_first_answer() -> None:
    assert DateTracker().interval(1.0) is None


@pytest.mark.parametrize(
    ("made", "low", "high"), [(100.0, -0.05, 1.05), (100.3, -0.35, 0.75), (100.999, -1.049, 0.051)]
)
def test_one_answer_leaves_a_second_and_the_way(made: float, low: float, high: float) -> None:
    tracker = DateTracker()
    assert tell(tracker, made) is Heard.CHANGED
    assert edges(tracker, made + 0.05) == pytest.approx((low, high), abs=ROUNDING)


def test_answers_are_intersected_and_age() -> None:
    tracker = DateTracker()
    tell(tracker, 100.3)
    assert tell(tracker, 101.9) is Heard.CHANGED
    aged = PHI * 1.6
    assert edges(tracker, 101.95) == pytest.approx((-0.35 - aged, 0.15), abs=ROUNDING)
    later = 1000 * PHI
    wide = pytest.approx((-0.35 - aged - later, 0.15 + later), abs=ROUNDING)
    assert edges(tracker, 1101.95) == wide
    assert edges(tracker, 101.95 - 1000) == wide, "a look back is no surer"


def test_an_answer_that_says_nothing_new_changes_nothing() -> None:
    tracker = DateTracker()
    now = narrow(tracker)
    known = tracker.known
    assert tell(tracker, now) is Heard.UNCHANGED
    assert tracker.known is known


@given(
    st.floats(0, 1),
    st.floats(-PHI, PHI),
    st.lists(st.tuples(st.floats(0, 5000), st.floats(0, 2), st.floats(0, 2)), min_size=1),
)
def test_a_truthful_server_is_always_inside(
    fraction: float, drift: float, exchanges: list[tuple[float, float, float]]
) -> None:
    tracker, now = DateTracker(), 1000.0
    for exchange in itertools.starmap(Exchange, exchanges):
        asked = now + exchange.after
        made = asked + exchange.there
        now = made + exchange.back
        date = date_at(made, UTC + fraction + drift * made)
        heard = tracker.hear(date, asked=asked, received=now)
        low, high = edges(tracker, now, UTC + fraction + drift * now)
        assert low <= ROUNDING
        assert high >= -ROUNDING
        assert heard in {Heard.CHANGED, Heard.UNCHANGED}


# -- late Dates


@given(
    st.lists(st.tuples(st.floats(0, 60), st.floats(0, 0.3), st.floats(0, 1 - ROUNDING)), min_size=1)
)
def test_a_server_whose_dates_are_late_never_seems_to_be_ahead(
    answers: list[tuple[float, float, float]],
) -> None:
    tracker, now, upper = DateTracker(), 1000.0, math.inf
    for after, way, late in answers:
        made = now + after + way
        now = made + way
        date = date_at(made, late=late)
        tracker.hear(date, asked=made - way, received=now)
        low, high = edges(tracker, now)
        assert low <= ROUNDING, "it was late, and that is no reason to think it ahead"
        upper = min(upper, high)
        assert tracker.known is not None
        shown = tracker.known.stale
        assert high >= shown - 1 - ROUNDING, "no farther off than lateness that has not shown yet"


@pytest.mark.parametrize(
    ("late", "stale"), [(0.02, 0.0), (0.25, 0.5), (0.5, 0.5), (0.8, 1.0), (1.0, 1.0)]
)
def test_lateness_that_shows_is_allowed_for(late: float, stale: float) -> None:
    tracker, chance, now = DateTracker(), random.Random(7), 1000.0
    for _ in range(1000):
        now += chance.uniform(0.1, 3)
        tell(tracker, now, late=chance.uniform(0, late))
    assert tracker.known is not None
    assert tracker.known.stale == stale
    low, high = edges(tracker, now)
    assert low <= 0 <= high
    assert high - low < 0.1 + stale + 0.05


def test_no_need_shown_for_an_hour_lets_the_allowance_go() -> None:
    tracker = DateTracker()
    now = narrow(tracker)
    tell(tracker, now + 0.8, late=0.9)
    allowed = []
    while now < 3 * 3600:
        now += 1.07
        assert tell(tracker, now) in {Heard.CHANGED, Heard.UNCHANGED}
        low, high = edges(tracker, now)
        assert low <= 0 <= high
        assert tracker.known is not None
        allowed.append(tracker.known.stale)
    assert set(allowed) == {0.5, 0.0}
    need = 0.25 / PHI  # until the upper edge that was too low has aged enough
    assert 3600 < allowed.count(0.5) * 1.07 < 3600 + need


# -- steps


@pytest.mark.parametrize("step", [2.0, 60.0, 3600.0, 86400 * 365.0])
def test_a_server_that_is_set_forward_is_believed_at_once(step: float) -> None:
    tracker = DateTracker()
    now = narrow(tracker)
    assert tell(tracker, now, UTC + step) is Heard.STEPPED
    low, high = edges(tracker, now, UTC + step)
    assert low <= 0 <= high
    assert high - low == pytest.approx(1.1, abs=0.001)


@pytest.mark.parametrize("pause", [0.3, 0.6, 0.9])
def test_a_silent_pause_shows_even_where_late_dates_could_explain_it(pause: float) -> None:
    tracker = DateTracker()
    now = narrow(tracker)
    told = [tell(tracker, now + n * 1.1, UTC + pause) for n in range(1, 10)]
    assert told.count(Heard.STEPPED) >= 1
    low, high = edges(tracker, now + 10, UTC + pause)
    assert low <= 0 <= high


@pytest.mark.parametrize("step", [-2.0, -60.0, -3600.0])
def test_a_server_that_is_set_back_is_believed_when_two_dates_say_so(step: float) -> None:
    tracker = DateTracker()
    now = narrow(tracker)
    before = edges(tracker, now)
    assert tell(tracker, now, UTC + step) is Heard.UNCHANGED
    assert tell(tracker, now + 0.001, UTC + step) is Heard.UNCHANGED
    assert edges(tracker, now) == pytest.approx(before, abs=1e-3)
    assert tell(tracker, now + 1.0, UTC + step) is Heard.BEHIND
    low, high = edges(tracker, now + 1.0, UTC + step)
    assert low <= 0 <= high


@pytest.mark.parametrize("step", [1.1, 1.3, 1.6, -1.3, -1.6])
def test_a_step_that_may_be_lateness_at_first_shows_within_a_minute(step: float) -> None:
    tracker = DateTracker()
    now = narrow(tracker)
    told = {tell(tracker, now + n * 1.07, UTC + step) for n in range(50)}
    assert (Heard.STEPPED if step > 0 else Heard.BEHIND) in told
    low, high = edges(tracker, now + 53.5, UTC + step)
    assert low <= 0 <= high


def test_an_answer_that_fits_both_leaves_the_doubt() -> None:
    tracker = DateTracker()
    narrow(tracker)
    assert tell(tracker, 112.2, UTC - 1.3) is Heard.UNCHANGED, "later than any late Date"
    assert tell(tracker, 113.5, UTC - 1.3) is Heard.CHANGED, "late Dates explain it"
    assert tell(tracker, 114.4, UTC - 1.3) is Heard.UNCHANGED, "nothing new"
    assert tell(tracker, 115.25, UTC - 1.3) is Heard.BEHIND


def test_old_answers_out_of_a_cache_move_nothing() -> None:
    tracker = DateTracker()
    now = narrow(tracker)
    for n in range(20):
        made = now + n * 1.1
        assert tell(tracker, made, late=600 + 60 * (n // 5)) is Heard.UNCHANGED
        assert tell(tracker, made + 0.01) in {Heard.UNCHANGED, Heard.CHANGED}
    low, high = edges(tracker, now + 23)
    assert -0.2 < low <= 0 <= high < 0.2


def test_a_step_leaves_the_allowance_for_late_dates() -> None:
    tracker = DateTracker()
    now = narrow(tracker)
    tell(tracker, now + 0.3, late=0.85)
    assert tell(tracker, now + 2, UTC + 60) is Heard.STEPPED
    low, high = edges(tracker, now + 2, UTC + 60)
    assert high - low == pytest.approx(1 + 0.1 + 1.0, abs=0.001)


# -- the figures of a path with 100 ms round trip, asymmetry and jitter


def bounds(*, aimed: bool, answers: int, runs: int = 1000) -> list[float]:
    """Return, sorted, the bounds in milliseconds after so many answers; every one must hold."""
    found = []
    for seed in range(runs):
        chance, dates, now = random.Random(seed), Dates(), 1000.0
        theta, share = UTC + chance.random(), chance.uniform(0.3, 0.7)
        for _ in range(answers):
            now += chance.expovariate(1.0)
            there = 0.1 * share + chance.expovariate(1 / 0.02)
            back = 0.1 * (1 - share) + chance.expovariate(1 / 0.02)
            if aimed:
                now += dates.aim("one", now=now, travel=0.07)
            date = date_at(now + there, theta)
            dates.hear("one", date, asked=now, received=now + there + back)
            now += there + back
        claim = dates.overall(now)
        assert claim is not None
        assert abs(claim.theta - theta) <= claim.bound + ROUNDING
        found.append(claim.bound * 1000)
    return sorted(found)


@pytest.mark.parametrize(
    ("aimed", "answers", "median", "p99"),
    [
        (False, 1, 575, 640),
        (False, 10, 155, 310),
        (False, 20, 115, 215),
        (True, 2, 330, 385),
        (True, 3, 205, 265),
        (True, 5, 110, 155),
        (True, 10, 80, 95),
    ],
)
def test_the_bound_after_so_many_answers(
    *, aimed: bool, answers: int, median: float, p99: float
) -> None:
    found = bounds(aimed=aimed, answers=answers)
    assert statistics.median(found) <= median
    assert found[int(0.99 * len(found))] <= p99


@given(st.floats(1, 1e6), st.floats(0, 3), st.lists(st.floats(0, 100), max_size=5))
def test_aim_waits_less_than_a_second_for_the_turn_of_one(
    now: float, travel: float, gaps: list[float]
) -> None:
    dates = Dates()
    assert dates.aim("one", now=now, travel=travel) == 0
    for gap in [*gaps, 0.0]:
        now += gap
        dates.hear("one", date_at(now), asked=now, received=now)
    wait = dates.aim("one", now=now, travel=travel)
    assert 0 <= wait < 1
    interval = dates.interval("one", now)
    assert interval is not None
    second = now + wait + travel + sum(interval) / 2
    assert second == pytest.approx(round(second), abs=10 * ROUNDING)


# -- all endpoints together


def dates_of(*thetas: float, boot: float = 1000.0) -> Dates:
    """Return Dates that know the clock of each endpoint, named by its place, to some 50 ms."""
    dates = Dates()
    for name, theta in enumerate(thetas):
        for n in range(20):
            made = boot - 1 - n * 1.05
            date = date_at(made, theta)
            dates.hear(str(name), date, asked=made - 0.01, received=made + 0.01)
    return dates


OVERALL: list[tuple[str, list[float], float | None]] = [
    ("nobody", [], None),
    ("one alone", [5.0], 5.0),
    ("two that agree", [0.0, 0.0], 0.0),
    ("two that do not", [0.0, 5.0], None),
    ("one liar of three", [0.0, 5.0, 0.0], 0.0),
    ("two liars of five", [0.0, 5.0, 5.0, 0.0, 0.0], 0.0),
    ("three, each for himself", [0.0, 5.0, 10.0], None),
]


@pytest.mark.parametrize(("thetas", "expected"), [row[1:] for row in OVERALL])
def test_a_majority_of_the_endpoints_decides(thetas: list[float], expected: float | None) -> None:
    claim = dates_of(*(UTC + theta for theta in thetas)).overall(1000.0)
    assert (claim is None) is (expected is None)
    if claim is not None and expected is not None:
        assert (claim.taken, claim.status, claim.source) == (1000.0, "degraded", "http")
        assert abs(claim.theta - UTC - expected) <= claim.bound < 0.1


@pytest.mark.parametrize("late", [0.3, 0.8])
def test_endpoints_whose_dates_are_late_by_different_times_are_brought_together(
    late: float,
) -> None:
    claim = dates_of(UTC, UTC - late, UTC - late / 2).overall(1000.0)
    assert claim is not None
    assert abs(claim.theta - UTC) <= claim.bound < 0.6


def test_who_was_not_heard_for_long_has_no_vote() -> None:
    dates, now = dates_of(UTC, UTC, UTC), 1000.0 + 5000
    date = date_at(now, UTC + 5)
    dates.hear("0", date, asked=now, received=now)
    claim = dates.overall(now)
    assert claim is not None
    assert abs(claim.theta - UTC - 5) <= claim.bound
    assert dates.overall(now + 5001) is None


def test_endpoints_are_told_apart_and_forgotten() -> None:
    dates = dates_of(UTC, UTC + 5)
    low, high = dates.interval("1", 1000.0) or (0, 0)
    assert low <= UTC + 5 <= high
    assert dates.interval("nobody", 1000.0) is None
    dates.retain({"1", "later"})
    assert [dates.interval(name, 1000.0) is None for name in "01"] == [True, False]
    dates.forget("1")
    dates.forget("nobody")
    assert dates.interval("1", 1000.0) is None
    assert dates.hear("1", UTC, asked=0.0, received=0.1) is Heard.CHANGED


def test_after_a_fork_nobody_waits_for_a_thread_of_the_parent() -> None:
    dates = dates_of(UTC)
    before = dates.interval("0", 1000.0)
    assert dates._lock.acquire(blocking=False)
    dates.reset_after_fork()
    assert dates.interval("0", 1000.0) == before
    assert dates.overall(1000.0) is not None


def test_an_answer_that_says_nothing_new_takes_no_lock() -> None:
    dates = dates_of(UTC)
    with dates._lock:
        date = date_at(1000.0)
        assert dates.hear("0", date, asked=999.4, received=1000.6) is Heard.UNCHANGED


def test_many_threads_leave_intervals_that_hold() -> None:
    dates, names = Dates(), ["a", "b", "c"]
    failures: list[str] = []

    def talk(seed: int) -> None:
        chance = random.Random(seed)
        for n in range(1500):
            made, name = 1000 + n * 0.05 + chance.random(), chance.choice(names)
            there, back = chance.uniform(0, 0.2), chance.uniform(0, 0.2)
            heard = dates.hear(name, date_at(made), asked=made - there, received=made + back)
            interval, claim = dates.interval(name, made), dates.overall(made)
            if heard in {Heard.STEPPED, Heard.BEHIND}:
                failures.append(f"{name}: {heard}")
            if interval and not interval[0] - ROUNDING <= UTC <= interval[1] + ROUNDING:
                failures.append(f"{name}: {interval}")
            if claim and abs(claim.theta - UTC) > claim.bound + ROUNDING:
                failures.append(f"{claim}")
            if n % 500 == 0:
                dates.forget(name)

    threads = [threading.Thread(target=talk, args=[seed]) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    claim = dates.overall(1075.0)
    assert claim is not None
    assert claim.bound < 0.2


# -- whose clock is off


SKEW = [
    ("the same", (0.0, 1.0), (0.0, 1.0), None),
    ("they touch", (1.0, 2.0), (0.0, 1.0), None),
    ("ahead", (2.0, 3.0), (0.0, 1.0), 2.0),
    ("ahead by little", (1.1, 1.3), (0.9, 1.0), 0.25),
    ("behind as late Dates are", (0.0, 1.0), (1.9, 2.1), None),
    ("behind by just that", (0.0, 1.0), (2.0, 2.0), None),
    ("behind by more", (0.0, 1.0), (2.5, 2.5), -2.0),
]


@pytest.mark.parametrize(("server", "ours", "off"), [row[1:] for row in SKEW])
def test_skew_is_the_distance_of_clocks_that_cannot_be_the_same(
    server: Edges, ours: Edges, off: float | None
) -> None:
    assert skew(server, ours) == (off if off is None else pytest.approx(off))
