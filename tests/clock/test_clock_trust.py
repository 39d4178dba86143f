"""Whom the clock believes: the rungs of the ladder, disputes among servers, and moved clocks."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from fake_time import FakeTime

from router.clock import UNBOUNDED, Clock
from router.clock.kernel import KernelStatus
from router.clock.ladder import Claim, climb
from router.clock.select import Selection

NS = 10**9
FOUR = ("a", "b", "c", "d")


@pytest.fixture
def fake() -> FakeTime:
    return FakeTime()


class Kept:
    """A clock on a fake host, and what it noted and asked for."""

    def __init__(self, fake: FakeTime, *, max_error: float = 0.5) -> None:
        self.fake = fake
        self.notes: list[str] = []
        self.rounds_asked = 0
        self.clock = Clock(max_error=max_error, host=fake.host(), note=self.notes.append)
        self.clock.on_disturbance(self.ask)
        self.clock.now()  # the first look

    def ask(self) -> None:
        self.rounds_asked += 1

    def hear(self, *, error: float = 0.0, bound: float = 0.01, vouched: bool = False) -> bool:
        """Take a majority whose time is `error` seconds ahead of the fake wall clock's."""
        theta = self.fake.wall - self.fake.boot + error
        said = Selection(theta=theta, bound=bound, taken=self.fake.boot, used=FOUR)
        return self.clock.update(said, self.fake.boot, vouched=vouched)

    def dates_say(self, *, error: float, bound: float = 0.2) -> None:
        theta = self.fake.wall - self.fake.boot + error
        self.clock.suppose(Claim(theta, bound, self.fake.boot, "degraded", "http"))

    @property
    def error(self) -> float:
        return (self.clock.now().ns - round(self.fake.wall * NS)) / NS

    @property
    def bound(self) -> float:
        return self.clock.now().bound_ns / NS


def claim(source: str, bound: float, taken: float = 0.0) -> Claim:
    return Claim(0.0, bound, taken, "degraded", source)  # type: ignore[arg-type]


LADDER = [
    # bounds of ntp, kernel, http at boot time 100; who serves
    ((0.1, 0.05, 0.05), "ntp"),
    ((None, 0.4, 0.05), "kernel"),
    ((0.6, 0.4, 0.05), "kernel"),
    ((0.6, None, 0.3), "http"),
    ((0.6, None, 0.7), "ntp"),
    ((0.8, None, 0.7), "http"),
    ((None, None, 0.7), "http"),
    ((None, None, None), None),
]


@pytest.mark.parametrize(("bounds", "serves"), LADDER)
def test_the_highest_rung_that_is_good_enough_serves(
    bounds: tuple[float | None, ...], serves: str | None
) -> None:
    names = ("ntp", "kernel", "http")
    claims = [
        None if bound is None else claim(name, bound, taken=100.0)
        for name, bound in zip(names, bounds, strict=True)
    ]
    found = climb(claims, target=0.5, now=100.0)
    assert (found and found.source) == serves


def test_a_claim_grows_doubtful_with_time() -> None:
    old = claim("ntp", 0.1, taken=0.0)
    assert climb([old, claim("http", 0.4, taken=3999.0)], target=0.5, now=3999.0) is old
    newer = claim("http", 0.4, taken=4001.0)
    assert climb([old, newer], target=0.5, now=4001.0) is newer


def test_without_ntp_the_kernel_serves_while_it_is_synchronised(fake: FakeTime) -> None:
    kept = Kept(fake)
    fake.kernel = KernelStatus(synchronised=True, max_error=0.1)
    fake.pass_by(0.2)
    stamp = kept.clock.now()
    assert (stamp.source, stamp.status) == ("kernel", "degraded")
    assert kept.bound == pytest.approx(0.15, abs=0.001)
    assert kept.error == pytest.approx(0, abs=1e-6)
    fake.kernel = KernelStatus(synchronised=False, max_error=16.0)
    fake.pass_by(0.2)
    assert kept.clock.now().source == "wall"


def test_a_kernel_that_is_too_unsure_does_not_serve(fake: FakeTime) -> None:
    fake.kernel = KernelStatus(synchronised=True, max_error=0.46)
    assert Kept(fake).clock.now().source == "wall"


def test_without_ntp_and_kernel_the_dates_serve(fake: FakeTime) -> None:
    kept = Kept(fake)
    fake.wall -= 3600  # this machine's clock is an hour slow
    fake.pass_by(0.2)
    kept.clock.now()
    kept.dates_say(error=3600.1)
    stamp = kept.clock.now()
    assert (stamp.source, stamp.status) == ("http", "degraded")
    assert kept.error == pytest.approx(3600.1, abs=1e-6)
    assert kept.bound == pytest.approx(0.2, abs=0.001)
    assert [rung.source for rung in kept.clock.rungs()] == ["http"]


def test_ntp_serves_again_as_soon_as_it_agrees(fake: FakeTime) -> None:
    kept = Kept(fake)
    kept.dates_say(error=0.0)
    assert kept.hear()
    assert kept.clock.now().source == "ntp"
    assert [rung.source for rung in kept.clock.rungs()] == ["ntp", "http"]


def test_after_hours_without_a_server_the_next_rung_takes_over(fake: FakeTime) -> None:
    kept = Kept(fake)
    kept.hear(bound=0.01)
    kept.clock.hold()
    fake.pass_by(4800)
    assert kept.clock.now().source == "ntp"
    fake.kernel = KernelStatus(synchronised=True, max_error=0.2)
    fake.pass_by(100.0)
    assert kept.clock.now().source == "kernel"
    fake.kernel = None
    fake.pass_by(1)
    stamp = kept.clock.now()
    assert (stamp.source, stamp.status) == ("ntp", "unsynchronised")  # the best there is


# -- disputes


def test_a_majority_that_moved_is_not_believed_while_a_server_vouches_for_the_old_time(
    fake: FakeTime,
) -> None:
    kept = Kept(fake)
    assert kept.hear()
    fake.pass_by(100)
    assert not kept.hear(error=2.0, vouched=True)
    assert kept.error == pytest.approx(0, abs=1e-5)
    assert kept.bound > 2.0  # either may be right, and the bound says so
    assert kept.clock.now().status == "unsynchronised"
    assert kept.notes == [
        (
            "a majority of the NTP servers moved by +2.000 s, and others vouch for the old time: "
            "the old offset is kept, and its bound covers both"
        )
    ]
    fake.pass_by(100)
    assert not kept.hear(error=2.0, vouched=True)  # and it stays so, told once
    assert len(kept.notes) == 1
    fake.pass_by(100)
    assert kept.hear(error=0.0)
    assert kept.bound < 0.05
    assert kept.clock.now().status == "synchronised"


def test_a_small_dispute_leaves_the_clock_in_holdover(fake: FakeTime) -> None:
    kept = Kept(fake)
    kept.hear()
    assert not kept.hear(error=0.2, vouched=True)
    assert kept.clock.now().status == "holdover"
    assert 0.2 < kept.bound < 0.25


@pytest.mark.parametrize(
    ("dates", "believed", "source"),
    [(2.0, True, "ntp"), (0.0, False, "http"), (1.0, False, "http")],
    ids=["new", "old", "neither"],
)
def test_the_dates_of_answers_settle_a_dispute(
    fake: FakeTime, dates: float, source: str, *, believed: bool
) -> None:
    kept = Kept(fake)
    kept.hear()
    kept.dates_say(error=dates)
    assert kept.hear(error=2.0, vouched=True) is believed
    assert kept.clock.now().source == source
    assert kept.error == pytest.approx(dates, abs=1e-5)


# -- moved clocks


def test_a_stepped_wall_clock_asks_for_a_round_and_widens_the_bound(fake: FakeTime) -> None:
    kept = Kept(fake)
    kept.hear()
    fake.pass_by(0.2)
    fake.wall += 0.3
    kept.clock.now()
    assert kept.rounds_asked == 1
    assert 0.3 < kept.bound < 0.35
    assert kept.clock.now().ns == pytest.approx((fake.wall - 0.3) * NS, abs=1000)
    assert kept.notes == ["the wall clock was stepped by +0.300 s"]
    fake.pass_by(1)
    kept.clock.now()
    assert kept.rounds_asked == 1  # it is news once
    fake.wall -= 0.3
    kept.hear()
    assert kept.bound < 0.05  # a new agreement ends the doubt


def test_what_moves_during_a_round_stays_doubtful_after_it(fake: FakeTime) -> None:
    kept = Kept(fake)
    since = kept.clock.begin()
    fake.pass_by(0.2)
    fake.wall += 2.0
    said = Selection(theta=fake.wall - fake.boot, bound=0.01, taken=fake.boot, used=FOUR)
    kept.clock.update(said, fake.boot, since=since)
    assert kept.bound > 2.0


def test_sleep_asks_for_a_round_and_requests_may_wait_for_it(fake: FakeTime) -> None:
    kept = Kept(fake)
    kept.hear()
    assert kept.clock.settling(0.0) == 0
    fake.sleep(8 * 3600)
    before = kept.clock.now()
    assert kept.rounds_asked == 1
    assert kept.error == pytest.approx(0, abs=1e-5)  # boot time counted the night
    assert before.status == "unsynchronised"
    assert kept.clock.settling(10.0) == 1.0
    kept.hear()
    assert kept.clock.settling(10.1) == 0


def test_clocks_that_are_moved_again_and_again_hold_requests_up_once(fake: FakeTime) -> None:
    kept = Kept(fake)
    kept.hear()
    for n in range(20):
        fake.pass_by(0.2)
        fake.wall += 2.0
        kept.clock.now()
        assert kept.clock.settling(n * 0.5) == max(0.0, 1.0 - n * 0.5)  # nobody answers
    assert kept.rounds_asked == 20


def test_a_slew_asks_for_a_round_and_widens_the_bound(fake: FakeTime) -> None:
    kept = Kept(fake)
    kept.hear(bound=0.01)
    for _ in range(100):
        fake.pass_by(0.1)
        fake.slew(0.002)
        fake.wall -= 0.002  # true time goes on evenly
        kept.clock.now()
    assert kept.rounds_asked >= 1
    assert abs(kept.error) <= kept.bound


def test_moved_clocks_make_what_the_dates_said_before_less_sure(fake: FakeTime) -> None:
    kept = Kept(fake)
    movements: list[float] = []
    kept.clock.on_movement(movements.append)
    kept.dates_say(error=0.0, bound=0.2)
    fake.pass_by(0.2)
    fake.wall += 0.05
    assert kept.bound == pytest.approx(0.25, abs=0.001)
    fake.sleep(100.0)
    stamp = kept.clock.now()
    assert (stamp.source, stamp.status) == ("http", "unsynchronised")
    assert kept.bound == pytest.approx(1.25, abs=0.02)  # a sleep is counted in whole seconds
    assert movements == [pytest.approx(0.05, abs=1e-4), 1.0]


def test_a_rung_that_what_ntp_still_allows_proves_wrong_does_not_serve(fake: FakeTime) -> None:
    kept = Kept(fake)
    kept.hear()
    fake.pass_by(7200)
    kept.dates_say(error=3.0e9, bound=0.1)
    fake.pass_by(1)
    stamp = kept.clock.now()
    assert (stamp.source, stamp.status) == ("ntp", "unsynchronised")
    kept.dates_say(error=0.3, bound=0.2)
    fake.pass_by(1)
    assert kept.clock.now().source == "http"


def test_after_a_suspicion_the_old_time_does_not_narrow_the_new(fake: FakeTime) -> None:
    kept = Kept(fake)
    kept.hear(bound=0.06)
    kept.clock.suspect()
    kept.hear(error=0.119, bound=0.06)  # a silent pause of 119 ms, just within both bounds
    assert kept.error == pytest.approx(0.119, abs=1e-5)
    assert kept.bound == pytest.approx(0.06, abs=1e-3)
    kept.hear(error=0.2, bound=0.06)
    assert kept.bound < 0.05  # and then they narrow each other again


def test_a_round_notices_first_what_moved_since_anybody_read_the_clock(fake: FakeTime) -> None:
    kept = Kept(fake)
    kept.hear()
    fake.pass_by(100)
    fake.slew(0.03)
    kept.clock.begin()
    assert kept.rounds_asked == 1


def test_what_the_dates_tell_again_and_again_does_not_keep_a_move_from_being_seen(
    fake: FakeTime,
) -> None:
    kept = Kept(fake)
    for _ in range(20):
        fake.pass_by(0.05)
        kept.dates_say(error=0.0)
    fake.slew(0.4)
    kept.dates_say(error=0.0)
    assert kept.rounds_asked == 1
    assert kept.bound > 0.6


def test_moves_are_told_once_a_minute(fake: FakeTime) -> None:
    kept = Kept(fake)
    for _ in range(100):
        fake.pass_by(1.0)
        fake.wall += 1.0
        kept.clock.now()
    assert len(kept.notes) == 2
    assert kept.rounds_asked == 100


def test_without_a_look_for_hours_a_step_in_between_is_still_seen(fake: FakeTime) -> None:
    kept = Kept(fake)
    kept.hear()
    fake.pass_by(1000)
    fake.wall += 1.0
    fake.pass_by(1000)
    assert kept.bound > 1.0
    assert kept.rounds_asked == 1


def test_a_suspicion_from_outside_asks_for_a_round_and_changes_nothing_else(
    fake: FakeTime,
) -> None:
    kept = Kept(fake)
    kept.hear()
    before = kept.clock.now()
    kept.clock.suspect()
    assert kept.rounds_asked == 1
    assert kept.clock.now() == before


def test_no_reader_is_ahead_of_the_first_look(fake: FakeTime) -> None:
    looking, go_on = threading.Event(), threading.Event()

    def slow_kernel() -> None:
        looking.set()
        assert go_on.wait(10)

    host = replace(fake.host(), kernel=slow_kernel)
    clock = Clock(host=host)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(clock.now)
        assert looking.wait(10)
        second = threads.submit(clock.now)
        go_on.set()
        assert first.result(10).ns == second.result(10).ns == round(fake.wall * NS)


def test_a_clock_that_knows_nothing_has_no_bound(fake: FakeTime) -> None:
    kept = Kept(fake)
    assert kept.clock.now().bound_ns == UNBOUNDED
    assert kept.clock.bound(fake.boot) == math.inf
    assert kept.clock.ntp_interval(fake.boot) is None
    assert kept.clock.rungs() == []
