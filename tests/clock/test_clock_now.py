"""What readers of the clock see."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
import threading
from typing import Any

import pytest
from fake_time import FakeTime

from router.clock import UNBOUNDED, Clock
from router.clock.host import boottime
from router.clock.ntp import PHI
from router.clock.select import Selection

NS = 10**9
LOOK = 20_000  # ns: a reading's bound holds until the next look
FOUR = ("a", "b", "c", "d")


@pytest.fixture
def fake() -> FakeTime:
    return FakeTime()


def make(fake: FakeTime, **more: Any) -> Clock:
    return Clock(host=fake.host(), **more)


def said(
    fake: FakeTime, *, error: float = 0.0, bound: float = 0.01, used: tuple[str, ...] = FOUR
) -> Selection:
    """Return what servers say that are `error` ahead of the fake wall clock."""
    theta = fake.wall - fake.boot + error
    return Selection(theta=theta, bound=bound, taken=fake.boot, used=used)


def test_an_unsynchronised_clock_is_the_wall_clock_without_a_bound(fake: FakeTime) -> None:
    clock = make(fake)
    stamp = clock.now()
    assert (stamp.ns, stamp.bound_ns) == (1_800_000_000 * NS, UNBOUNDED)
    assert (stamp.status, stamp.source) == ("unsynchronised", "wall")
    assert clock.interval() is None
    assert clock.earliest() == clock.latest() == clock.time_ns() == stamp.ns
    assert clock.bound(fake.boot) == math.inf


def test_a_synchronised_clock_corrects_the_wall_clock(fake: FakeTime) -> None:
    clock = make(fake)
    clock.update(said(fake, error=-3.5), fake.boot)
    stamp = clock.now()
    assert stamp.ns == pytest.approx(1_799_999_996_500_000_000, abs=1000)
    assert stamp.bound_ns == pytest.approx(0.01 * NS, abs=LOOK)
    assert (stamp.status, stamp.source) == ("synchronised", "ntp")
    assert clock.latest() - clock.earliest() == 2 * stamp.bound_ns
    assert clock.earliest() < stamp.ns < clock.latest()


@pytest.mark.parametrize("step", [2.0, -2.0, 3600.0, -3600.0])
def test_a_step_of_the_wall_clock_does_not_move_now(fake: FakeTime, step: float) -> None:
    clock = make(fake)
    clock.update(said(fake), fake.boot)
    before = clock.now()
    fake.wall += step
    assert clock.now() == before


def test_a_wall_clock_that_jumps_at_100_hertz_does_not_move_now(fake: FakeTime) -> None:
    clock = make(fake)
    clock.update(said(fake), fake.boot)
    start = clock.now().ns
    for tick in range(1, 1001):
        fake.boot += 0.01
        fake.wall += 0.01 + (0.25 if tick % 2 else -0.25)
        assert clock.now().ns - start == pytest.approx(tick * 10_000_000, abs=1000)


def test_the_bound_grows_with_the_time_since_the_last_synchronisation(fake: FakeTime) -> None:
    clock = make(fake)
    clock.update(said(fake, bound=0.01), fake.boot)
    fake.pass_by(1000)
    assert clock.now().bound_ns == pytest.approx((0.01 + 1000 * PHI) * NS, abs=LOOK)


def test_a_clock_left_alone_is_unsynchronised_once_its_bound_passes_max_error(
    fake: FakeTime,
) -> None:
    clock = make(fake, max_error=0.5)
    clock.update(said(fake, bound=0.01), fake.boot)
    clock.hold()
    fake.pass_by(4899)
    assert (clock.now().status, clock.now().source) == ("holdover", "ntp")
    fake.pass_by(2)
    stamp = clock.now()
    assert stamp.status == "unsynchronised"
    assert stamp.bound_ns > 0.5 * NS
    assert stamp.ns == pytest.approx(fake.wall * NS, abs=1000)  # still the best estimate


def test_holding_a_clock_that_never_knew_changes_nothing(fake: FakeTime) -> None:
    clock = make(fake)
    clock.hold()
    assert clock.now().source == "wall"


@pytest.mark.parametrize(
    ("used", "status"),
    [(FOUR, "synchronised"), (FOUR[:3], "degraded"), (FOUR[:1], "degraded")],
)
def test_fewer_than_four_servers_are_a_degraded_quorum(
    fake: FakeTime, used: tuple[str, ...], status: str
) -> None:
    clock = make(fake)
    clock.update(said(fake, used=used), fake.boot)
    assert clock.now().status == status


def test_a_new_round_is_narrowed_by_what_was_known(fake: FakeTime) -> None:
    clock = make(fake)
    clock.update(said(fake, error=0.0, bound=0.01), fake.boot)
    clock.update(said(fake, error=0.02, bound=0.1), fake.boot)
    stamp = clock.now()
    assert stamp.ns == pytest.approx((fake.wall + 0.01) * NS, abs=1000)
    assert stamp.bound_ns == pytest.approx(0.02 * NS, abs=LOOK)


def test_a_new_majority_that_contradicts_the_old_time_wins_and_is_logged(
    fake: FakeTime, caplog: pytest.LogCaptureFixture
) -> None:
    clock = make(fake)
    clock.update(said(fake), fake.boot)
    with caplog.at_level(logging.WARNING, "router.clock"):
        clock.update(said(fake, error=1.5), fake.boot)
    assert clock.now().ns == pytest.approx((fake.wall + 1.5) * NS, abs=1000)
    assert clock.now().bound_ns == pytest.approx(0.01 * NS, abs=LOOK)
    assert [record.name for record in caplog.records] == ["router.clock"]
    assert "+1.500 s" in caplog.text


def test_agreeing_rounds_are_not_logged(fake: FakeTime, caplog: pytest.LogCaptureFixture) -> None:
    clock = make(fake)
    for _ in range(3):
        clock.update(said(fake), fake.boot)
        fake.pass_by(100)
    assert not caplog.records


def test_a_first_request_waits_a_second_from_when_it_first_asks(fake: FakeTime) -> None:
    clock = make(fake)
    assert clock.settling(70.0) == 1.0
    assert clock.settling(70.4) == pytest.approx(0.6)
    assert clock.settling(71.0) == 0
    assert clock.settling(99.0) == 0
    assert not clock.settled


def test_nobody_waits_after_the_first_success_or_failure(fake: FakeTime) -> None:
    succeeded, failed = make(fake), make(fake)
    succeeded.update(said(fake), fake.boot)
    failed.settle()
    for clock in (succeeded, failed):
        assert clock.settled
        assert clock.settling(0.0) == 0


def test_nobody_waits_where_no_server_is_configured(fake: FakeTime) -> None:
    clock = make(fake, settle_within=0.0)
    assert clock.settled
    assert clock.settling(0.0) == 0


def test_readers_never_see_half_an_update(fake: FakeTime) -> None:
    clock = make(fake)
    pairs = {(0.0, 0.01), (5.0, 0.02)}
    stop = threading.Event()
    seen: set[tuple[int, int]] = set()

    def read() -> None:
        while not stop.is_set():
            stamp = clock.now()
            seen.add((round((stamp.ns / NS - fake.wall) * 100), round(stamp.bound_ns / NS * 100)))

    clock.update(said(fake, error=0.0, bound=0.01), fake.boot)
    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for _ in range(300):
        for error, bound in pairs:
            clock.update(said(fake, error=error, bound=bound), fake.boot)
    stop.set()
    for reader in readers:
        reader.join()
    assert seen
    assert seen <= {(0, 1), (500, 2)}


def test_boot_time_runs_forwards() -> None:
    readings = [boottime() for _ in range(1000)]
    assert readings == sorted(readings)
    assert readings[-1] > 0


FORK = """
import os, time
from router.clock import Clock
from router.clock.host import boottime
from router.clock.select import Selection

clock = Clock()
here = boottime()
theta = time.time() - here + 7.0
clock.update(Selection(theta=theta, bound=0.001, taken=here, used=("a",)), here)
out, into = os.pipe()
if os.fork() == 0:
    stamp = clock.now()
    os.write(into, repr((stamp.ns, stamp.source)).encode())
    os._exit(0)
os.wait()
child = eval(os.read(out, 1000))
parent = clock.now()
assert child[1] == "ntp", child
assert 0 <= parent.ns - child[0] < 5 * 10**9, (parent, child)
assert child[0] - time.time_ns() > 1.5 * 10**9, child
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_has_the_same_time() -> None:
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=30)
