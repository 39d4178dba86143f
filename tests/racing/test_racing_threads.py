"""Two attempts in threads: who wins, who is ended, and what is given back."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from race_samples import BAD, GOOD, Seen, outcome

from router.errors import SigningError
from router.failover.verdict import Verdict
from router.outcome import Outcome
from router.ports import run
from router.racing import Alarm, BlockingRace, Runner
from router.racing.alarm import MOST_THREADS

if TYPE_CHECKING:
    from collections.abc import Iterator

LATE = 0.002
WORD: contextvars.ContextVar[str] = contextvars.ContextVar("WORD", default="none")


class Interrupted(BaseException):
    """As a KeyboardInterrupt is."""


class Timeouts:
    """What ends an attempt from outside."""

    def __init__(self, ends: queue.Queue[Any]) -> None:
        self._ends = ends

    def abandon(self) -> None:
        self._ends.put(Verdict.OUTRUN)


class Attempts:
    """A race whose attempts end when they are told to, or when they are abandoned."""

    def __init__(self, alarm: Alarm) -> None:
        self.seen = Seen()
        self.ends: list[queue.Queue[Any]] = [queue.Queue(), queue.Queue()]
        self.begun = [threading.Event(), threading.Event()]
        self.over = [threading.Event(), threading.Event()]
        self.words: list[str] = []
        self.late = LATE
        self.alarm = alarm
        self.race = BlockingRace(
            self.attempt, self.seen.permit, run=run, discard=self.seen.discard, alarm=alarm
        )

    async def attempt(self, runner: Runner, permit: Any = None) -> Outcome:
        number = 0 if runner.leads else 1
        runner.timeouts = Timeouts(self.ends[number])  # type: ignore[assignment]
        self.words.append(WORD.get())
        self.begun[number].set()
        runner.left(self.late)
        how = self.ends[number].get(timeout=5)
        try:
            if isinstance(how, BaseException):
                raise how
            if how in {Verdict.OUTRUN, Verdict.COOLING}:
                if permit is not None:
                    permit.give_back()
                return Outcome(how)
            made = outcome(how, permit)
            permit = None
            return made
        finally:
            if permit is not None:
                permit.give_back()
            self.over[number].set()

    def start(self) -> threading.Thread:
        self.found: list[Outcome] | BaseException | None = None

        def whole() -> None:
            try:
                self.found = run(self.race.run())
            except BaseException as error:  # noqa: BLE001 - whatever it was
                self.found = error

        thread = threading.Thread(target=whole)
        thread.start()
        return thread


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    made = Alarm()
    yield made
    made.close()
    if made._thread is not None:
        made._thread.join(5)
        assert not made._thread.is_alive()


def quiet(made: Attempts) -> None:
    """Wait for what ends by itself, and see that nothing is left."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if not list(made.seen.out()) and not hedges():
            return
        time.sleep(0.002)
    raise AssertionError((list(made.seen.out()), hedges()))


def hedges() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "router-hedge"]


WAYS: list[tuple[list[tuple[int, Any]], list[Verdict], int]] = [
    # who ends how and in which order, the outcomes that count, how many answers are discarded
    ([(0, GOOD)], [GOOD], 1),
    ([(1, GOOD)], [GOOD], 1),
    ([(0, BAD), (1, GOOD)], [BAD, GOOD], 0),
    ([(0, BAD), (1, BAD)], [BAD, BAD], 0),
    ([(1, BAD), (0, GOOD)], [GOOD], 1),
    ([(1, BAD), (0, BAD)], [BAD, BAD], 0),
    ([(0, SigningError("x")), (1, GOOD)], [GOOD], 0),
    ([(0, SigningError("x")), (1, BAD)], [BAD], 0),
    ([(1, SigningError("x")), (0, GOOD)], [GOOD], 0),
    ([(1, SigningError("x")), (0, BAD)], [BAD], 0),
    ([(0, BAD), (1, SigningError("x"))], [BAD], 0),
    ([(0, BAD), (1, Verdict.COOLING)], [BAD], 0),
]


@pytest.mark.parametrize(("order", "verdicts", "discarded"), WAYS)
def test_the_first_good_one_wins_and_a_bad_one_does_not_while_another_runs(
    order: list[tuple[int, Any]], verdicts: list[Verdict], discarded: int, alarm: Alarm
) -> None:
    made = Attempts(alarm)
    thread = made.start()
    assert made.begun[1].wait(5)
    for number, how in order:
        made.ends[number].put(how)
        assert made.over[number].wait(5)
        time.sleep(0.01)
    thread.join(5)
    assert isinstance(made.found, list), made.found
    assert [o.verdict for o in made.found] == verdicts
    for wanted in made.found:
        if wanted.flight is not None:
            wanted.flight.lease.give_back()
    quiet(made)
    assert len(made.seen.discarded) == discarded


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_tie_leaves_nothing_behind(order: tuple[int, int], alarm: Alarm) -> None:
    for _ in range(50):
        made = Attempts(alarm)
        thread = made.start()
        assert made.begun[1].wait(5)
        for number in order:
            made.ends[number].put(GOOD)
        thread.join(5)
        assert isinstance(made.found, list)
        assert [o.verdict for o in made.found] == [GOOD]
        quiet_after = made.found[0].flight
        assert quiet_after is not None
        quiet_after.lease.give_back()
        quiet(made)


STATES: list[list[tuple[int, Any]]] = [[], [(1, BAD)], [(1, GOOD)]]


@pytest.mark.parametrize("state", STATES)
def test_who_is_interrupted_ends_both(state: list[tuple[int, Any]], alarm: Alarm) -> None:
    made = Attempts(alarm)
    thread = made.start()
    assert made.begun[1].wait(5)
    for number, how in state:
        made.ends[number].put(how)
        assert made.over[number].wait(5)
    made.ends[0].put(Interrupted())
    thread.join(5)
    if isinstance(made.found, list):
        made.seen.discard(made.found[0])
    else:
        assert isinstance(made.found, Interrupted)
    quiet(made)


def test_who_is_interrupted_while_waiting_for_the_other_forgets_no_answer(alarm: Alarm) -> None:
    made = Attempts(alarm)

    class Waiting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002
            raise Interrupted

    thread = made.start()
    assert made.begun[1].wait(5)
    made.race._ended = Waiting()
    made.ends[0].put(BAD)
    thread.join(5)
    assert isinstance(made.found, Interrupted)
    quiet(made)
    assert [o.verdict for o in made.seen.discarded if o.verdict is BAD] == [BAD]


def test_an_alarm_that_rings_when_all_is_over_begins_nothing(alarm: Alarm) -> None:
    made = Attempts(alarm)
    made.ends[0].put(GOOD)
    found = run(made.race.run())
    made.race._begin()
    assert made.seen.permits == []
    assert [o.verdict for o in found] == [GOOD]


def test_a_head_in_time_disarms_the_timer(alarm: Alarm) -> None:
    made = Attempts(alarm)
    made.late = 60.0
    thread = made.start()
    assert made.begun[0].wait(5)
    made.race._first.left(0.03)
    made.race._first.head_came()
    time.sleep(0.06)
    made.ends[0].put(GOOD)
    thread.join(5)
    assert made.seen.permits == []


def test_a_thread_that_cannot_start_leaves_the_first_alone(
    alarm: Alarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Attempts(alarm)
    tried = threading.Event()
    start = threading.Thread.start

    def none_left(thread: threading.Thread) -> None:
        if thread.name == "router-hedge":
            tried.set()
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", none_left)
    thread = made.start()
    assert tried.wait(5)
    made.ends[0].put(BAD)
    thread.join(5)
    assert isinstance(made.found, list)
    assert [o.verdict for o in made.found] == [BAD]
    quiet(made)
    taken = sum(alarm.take_thread() for _ in range(MOST_THREADS + 1))
    assert taken == MOST_THREADS


def test_threads_are_bounded_and_without_one_there_is_no_second_attempt(alarm: Alarm) -> None:
    assert all(alarm.take_thread() for _ in range(MOST_THREADS))
    made = Attempts(alarm)
    thread = made.start()
    time.sleep(0.05)
    made.ends[0].put(GOOD)
    thread.join(5)
    assert made.seen.permits == []
    alarm.free_thread()
    assert alarm.take_thread()


def test_the_second_thread_has_the_context_of_the_first(alarm: Alarm) -> None:
    made = Attempts(alarm)
    context = contextvars.copy_context()
    context.run(WORD.set, "planted")
    made.ends[1].put(GOOD)
    found = context.run(run, made.race.run())
    assert made.words == ["planted", "planted"]
    made.seen.discard(found[0])
    quiet(made)
