"""The detectors: what a look makes of clocks that were moved, and of clocks that were not."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.clock.disturbance import Detector, Disturbance, Kind
from router.clock.host import Hands
from router.clock.ntp import PHI

MICROSECOND = 1e-6
LOOK_EVERY = 0.1


@dataclass
class Machine:
    """A host in a world with a true time; every figure in seconds, rates in s/s.

    Attributes:
        oscillator: by how much its bare oscillator is fast.
        slewed: by how much a daemon turns boot time, monotonic and wall clock on top.
        width: half the time that reading all clocks takes.
    """

    oscillator: float = 0.0
    slewed: float = 0.0
    width: float = MICROSECOND
    chance: Random = field(default_factory=lambda: Random(7))
    true: float = 1_800_000_000.0
    boot: float = 1000.0
    wall: float = 1_800_000_000.0
    monotonic: float = 1000.0
    raw: float = 1000.0

    @property
    def theta(self) -> float:
        return self.true - self.boot

    def run(self, seconds: float) -> None:
        self.true += seconds
        self.raw += seconds * (1 + self.oscillator)
        for clock in ("boot", "wall", "monotonic"):
            moved = seconds * (1 + self.oscillator + self.slewed)
            setattr(self, clock, getattr(self, clock) + moved)

    def step(self, seconds: float) -> None:
        self.wall += seconds

    def pause(self, seconds: float) -> None:
        """Stop as a virtual machine, and have the wall clock set right by whoever runs it."""
        self.true += seconds
        self.wall += seconds

    def sleep(self, seconds: float, error: float = 0.0) -> None:
        self.true += seconds
        self.boot += seconds + error
        self.wall += seconds + error

    def hands(self) -> Hands:
        """Read all clocks, each at some moment between the first and the last reading."""
        wall, monotonic, raw = (
            clock + self.chance.uniform(-self.width, self.width)
            for clock in (self.wall, self.monotonic, self.raw)
        )
        return Hands(self.boot, wall, monotonic, raw, self.width + MICROSECOND)


def watched(machine: Machine) -> Detector:
    detector = Detector()
    detector.anchor(machine.hands())
    assert look(machine, detector) is None
    return detector


def look(machine: Machine, detector: Detector, after: float = LOOK_EVERY) -> Disturbance | None:
    machine.run(after)
    return detector.look(machine.hands())


def interrupted(machine: Machine) -> Hands:
    """Return a reading in whose middle the process had to wait for 80 ms."""
    return machine.hands()._replace(wall=machine.wall + 0.08, width=0.05)


def kinds(disturbance: Disturbance | None) -> list[Kind]:
    return list(disturbance.moved) if disturbance else []


@pytest.mark.parametrize("seconds", [0.006, -0.25, 2.0, -2.0, 3600.0, -3600.0])
def test_a_step_is_told_once_and_is_doubt_until_the_next_anchor(seconds: float) -> None:
    machine = Machine()
    detector = watched(machine)
    machine.step(seconds)
    found = look(machine, detector)
    assert found is not None
    assert found.moved == {"step": pytest.approx(seconds, abs=1e-5)}
    assert look(machine, detector) is None
    assert detector.doubt == pytest.approx(abs(seconds), abs=1e-5)
    detector.anchor(machine.hands())
    assert look(machine, detector) is None
    assert detector.doubt == 0


def test_a_leap_second_that_the_kernel_steps_is_a_step() -> None:
    machine = Machine()
    detector = watched(machine)
    machine.step(-1.0)
    found = look(machine, detector)
    assert found is not None
    assert found.words == "the wall clock was stepped by -1.000 s"


def test_a_sleep_is_doubted_by_the_grain_of_the_clock_that_measured_it() -> None:
    machine = Machine()
    detector = watched(machine)
    machine.sleep(7200)
    found = look(machine, detector)
    assert found is not None
    assert found.words == "the host slept for 7200.000 s"
    assert detector.doubt == 1
    machine.sleep(30)
    assert kinds(look(machine, detector)) == ["suspend"]
    assert detector.doubt == 2
    assert look(machine, detector) is None
    detector.anchor(machine.hands())
    assert detector.doubt == 0


def test_a_virtual_machine_that_was_paused_and_set_right_is_doubted_by_the_pause() -> None:
    machine = Machine()
    detector = watched(machine)
    theta = machine.theta
    machine.pause(40)
    found = look(machine, detector)
    assert found is not None
    assert found.words == "the wall clock was stepped by +40.000 s"
    assert machine.theta - theta == pytest.approx(detector.doubt, abs=1e-5)


@pytest.mark.parametrize("rate", [500e-6, -500e-6, 0.083, -0.083])
def test_a_slew_that_no_other_clock_shows_is_doubt_as_it_goes_and_then_news(rate: float) -> None:
    machine = Machine()
    detector = watched(machine)
    theta, start, machine.slewed = machine.theta, machine.boot, rate
    found = None
    while found is None:
        found = look(machine, detector)
        bound = PHI * (machine.boot - start)
        assert abs(machine.theta - theta) <= bound + detector.doubt + 1e-5
    assert kinds(found) == ["slew"]
    assert found.words.startswith("the host's clocks were slewed by ")
    assert found.moved["slew"] * rate > 0
    assert 0.005 < abs(found.moved["slew"]) < 0.015


def test_what_happens_together_is_told_together() -> None:
    machine = Machine()
    detector = watched(machine)
    machine.sleep(60)
    machine.step(-0.5)
    found = look(machine, detector)
    assert found is not None
    assert found.words == "the wall clock was stepped by -0.500 s; the host slept for 60.000 s"
    assert detector.doubt == pytest.approx(1.5, abs=1e-5)


def test_a_clock_that_jitters_at_100_hertz_is_as_doubtful_as_its_widest_swing() -> None:
    machine = Machine()
    detector = watched(machine)
    for tick in range(1000):
        machine.step(0.25 if tick % 2 else -0.25)
        assert kinds(look(machine, detector, after=0.01)) == ["step"]
    assert detector.doubt == pytest.approx(0.25, abs=1e-5)


def test_doubt_covers_what_was_measured_between_two_steps() -> None:
    machine = Machine()
    detector = watched(machine)
    for seconds in (1.0, -2.0):
        machine.step(seconds)
        look(machine, detector)
    assert detector.doubt == pytest.approx(2.0, abs=1e-5)  # measured at +1, a bound must reach -1


def test_small_steps_are_doubt_at_once_and_news_when_they_add_up() -> None:
    machine = Machine()
    detector = watched(machine)
    found = []
    for number in range(1, 11):
        machine.step(0.001)
        found += kinds(look(machine, detector))
        assert detector.doubt == pytest.approx(number * 0.001, abs=1e-5)
    assert found == ["step"]


@pytest.mark.parametrize("quiet", [60.0, 1800.0])
def test_a_time_of_quiet_with_looks_hides_no_step(quiet: float) -> None:
    machine = Machine()
    detector = watched(machine)
    for _ in range(60):
        assert look(machine, detector, after=quiet / 60) is None
    machine.step(0.02)
    assert kinds(look(machine, detector)) == ["step"]


def test_an_interrupted_reading_is_no_step_and_hides_none_from_the_next_look() -> None:
    machine = Machine()
    detector = watched(machine)
    assert detector.look(interrupted(machine)) is None
    assert detector.doubt == 0
    assert look(machine, detector) is None
    machine.step(0.02)
    assert detector.look(interrupted(machine)) is None
    assert kinds(look(machine, detector)) == ["step"]
    assert detector.doubt == pytest.approx(0.02, abs=1e-5)


def test_an_interrupted_anchor_makes_no_step_of_the_next_look() -> None:
    machine, detector = Machine(), Detector()
    detector.anchor(interrupted(machine))
    assert look(machine, detector) is None
    assert detector.doubt == 0


def test_the_first_look_has_nothing_to_compare_with() -> None:
    machine, detector = Machine(), Detector()
    machine.step(3600)
    assert look(machine, detector) is None
    assert detector.doubt == 0
    machine.step(3600)
    assert kinds(look(machine, detector)) == ["step"]


def test_an_anchor_before_the_last_look_keeps_what_came_after_it_and_tells_it_once() -> None:
    machine = Machine()
    detector = watched(machine)
    machine.step(2.0)
    look(machine, detector)
    begun = machine.hands()
    machine.step(-0.5)
    machine.sleep(10)
    assert kinds(look(machine, detector)) == ["step", "suspend"]
    detector.anchor(begun)
    assert detector.doubt == pytest.approx(1.5, abs=1e-5)
    assert look(machine, detector) is None
    assert detector.doubt == pytest.approx(1.5, abs=1e-5)


def test_steps_before_an_anchor_that_no_look_saw_are_still_told_and_not_doubted() -> None:
    machine = Machine()
    detector = watched(machine)
    machine.step(2.0)
    detector.anchor(machine.hands())
    assert detector.doubt == 0
    assert kinds(look(machine, detector)) == ["step"]
    assert detector.doubt == 0


# -- any sequence

OSCILLATOR = PHI / 2 * 0.9
Move = tuple[str, ...] | tuple[str, float] | tuple[str, float, float]

# Somebody sets the wall clock as he likes, or it is set right after a pause. Not both: a step back
# can hide a pause from everybody.
steps = st.tuples(st.just("step"), st.floats(-10, 10))
pauses = st.tuples(st.just("pause"), st.floats(0, 100))
others = st.one_of(
    st.tuples(st.just("sleep"), st.floats(2, 1e5), st.floats(-1, 1)),
    st.tuples(st.just("slew"), st.floats(-0.083, 0.083) | st.floats(-500e-6, 500e-6)),
    st.tuples(st.just("anchor")),
    st.tuples(st.just("run")),
)
waits = st.floats(0.001, 0.2) | st.floats(0.1, 300)
widths = st.floats(0, 0.005)


def stories(moves: st.SearchStrategy[Move]) -> st.SearchStrategy[list[tuple[Move, float, float]]]:
    return st.lists(st.tuples(moves | others, waits, widths), max_size=30)


@settings(deadline=None, max_examples=300)
@given(
    story=stories(steps) | stories(pauses),
    oscillator=st.floats(-OSCILLATOR, OSCILLATOR),
    seed=st.integers(0, 99),
)
def test_bound_and_doubt_cover_the_error_whatever_was_moved(
    story: list[tuple[Move, float, float]], oscillator: float, seed: int
) -> None:
    machine = Machine(oscillator=oscillator, chance=Random(seed))
    detector = Detector()
    detector.anchor(machine.hands())
    measured = [(machine.theta, machine.boot, machine.width)]
    for (name, *figures), wait, width in story:
        machine.width = width
        if name == "slew":
            machine.slewed = float(figures[0])
        elif name == "anchor":
            detector.anchor(machine.hands())
            measured = [(machine.theta, machine.boot, width)]
        elif name != "run":
            getattr(machine, name)(*figures)
        look(machine, detector, after=wait)
        for theta, boot, width_then in measured:
            bound = PHI * (machine.boot - boot)
            noise = 8 * (width + width_then) + 1e-5  # a step and a slew at once, each 4 widths
            assert abs(machine.theta - theta) <= bound + detector.doubt + noise
        measured.append((machine.theta, machine.boot, width))


@settings(deadline=None, max_examples=200)
@given(
    oscillator=st.floats(-PHI, PHI),
    corrected=st.floats(-PHI, PHI),
    looks=st.lists(st.tuples(waits, widths | st.floats(0, 10)), max_size=50),
    seed=st.integers(0, 99),
)
def test_nothing_is_told_of_a_clock_that_drifts_or_is_corrected_within_phi(
    oscillator: float, corrected: float, looks: list[tuple[float, float]], seed: int
) -> None:
    machine = Machine(oscillator=oscillator, slewed=corrected, chance=Random(seed))
    detector = watched(machine)
    start = machine.boot
    for wait, width in looks:
        machine.width = width
        assert look(machine, detector, after=wait) is None
    assert detector.doubt <= PHI / 2 * (machine.boot - start) * 1.01 + 1e-5


@settings(deadline=None, max_examples=100)
@given(
    oscillator=st.floats(-PHI, PHI),
    looks=st.lists(st.tuples(waits, widths | st.floats(0, 10)), max_size=50),
    seed=st.integers(0, 99),
)
def test_no_oscillator_and_no_slow_reading_is_cause_for_doubt(
    oscillator: float, looks: list[tuple[float, float]], seed: int
) -> None:
    machine = Machine(oscillator=oscillator, chance=Random(seed))
    detector = watched(machine)
    for wait, width in looks:
        machine.width = width
        assert look(machine, detector, after=wait) is None
    assert detector.doubt == 0
