"""What a loop could not see is counted, by whoever wakes first."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from typing import TYPE_CHECKING, Any, cast

import pytest

from router.background import Background
from router.ports import AsyncioPort, BlockingPort
from router.pulse import EVERY, SLACK, Pulse, pulse_of
from router.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

A_BEAT = EVERY + SLACK


class Timers:
    """A loop that only has timers; they ring when they are told to."""

    def __init__(self) -> None:
        self.set: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def call_later(
        self, _: float, callback: Callable[..., None], *args: Any, context: Context
    ) -> None:
        assert not context, "a timer that goes on holds nothing of the request that set it"
        self.set.append((callback, args))

    def ring(self) -> None:
        callback, args = self.set.pop()
        callback(*args)


def begun() -> tuple[FakeClock, Timers, Pulse]:
    clock, timers = FakeClock(), Timers()
    pulse = Pulse(now=clock)
    pulse.begin(cast("asyncio.AbstractEventLoop", timers))
    return clock, timers, pulse


def test_a_stall_is_seen_before_the_late_timer_rings_and_counted_once() -> None:
    clock, timers, pulse = begun()
    clock.advance(2.0)
    assert pulse.lost(clock()) == pytest.approx(2.0 - A_BEAT)
    timers.ring()
    assert pulse.lost(clock()) == pytest.approx(2.0 - A_BEAT)


def test_what_is_on_time_or_hardly_late_counts_for_nothing() -> None:
    clock, timers, pulse = begun()
    for late in (0.0, SLACK / 2, SLACK, -0.01):
        clock.advance(EVERY + late)
        timers.ring()
    assert pulse.lost(clock()) == pytest.approx(0.0)


def test_it_beats_while_somebody_watches_and_once_more() -> None:
    clock, timers, pulse = begun()
    loop = cast("asyncio.AbstractEventLoop", timers)
    with pulse.watched(loop):
        assert len(timers.set) == 1, "a second watcher needs no second timer"
    pulse.end(time.monotonic())
    clock.advance(EVERY)
    timers.ring()
    assert timers.set == []
    clock.advance(60.0)
    assert pulse.lost(clock()) == pytest.approx(0.0), "nobody was there to see anything"
    pulse.begin(loop)
    assert len(timers.set) == 1


def test_a_stall_just_before_the_end_is_kept() -> None:
    clock, _, pulse = begun()
    clock.advance(1.0)
    pulse.stop()
    clock.advance(1.0)
    assert pulse.lost(clock()) == pytest.approx(1.0 - A_BEAT)


def test_a_loop_has_one_pulse_which_goes_with_it() -> None:
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    assert pulse_of(first) is pulse_of(first) is not pulse_of(second)
    first.close()
    second.close()
    gone = [weakref.ref(first), weakref.ref(second)]
    del first, second
    gc.collect()
    assert [loop() for loop in gone] == [None, None]


def test_a_blocked_loop_is_seen_by_the_port_of_that_loop() -> None:
    async def main() -> float:
        loop, port = asyncio.get_running_loop(), AsyncioPort(None)  # type: ignore[arg-type]
        with pulse_of(loop).watched(loop):
            before = port.lost()
            time.sleep(0.3)  # noqa: ASYNC251 - a user's mistake
            return port.lost() - before

    assert 0.3 - A_BEAT <= asyncio.run(main()) < 10.0


def test_a_background_thread_that_cannot_run_tells_the_blocking_port() -> None:
    async def hold_up() -> None:
        time.sleep(0.3)  # noqa: ASYNC251 - as something that holds the interpreter would

    background = Background(list)
    assert background.lost() == 0.0
    port = BlockingPort(None, lost=background.lost)  # type: ignore[arg-type]
    background.spawn(hold_up()).result(10)
    seen = port.lost()
    assert seen >= 0.3 - A_BEAT
    assert background.busy() >= seen
    background.stop()
    after = port.lost()
    time.sleep(0.2)
    assert port.lost() == after >= seen
