"""One timer rings for all hedges of a loop; a scripted loop keeps its time."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import random
import weakref
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from router.racing.bell import SOON, Bell, bell_of

if TYPE_CHECKING:
    from collections.abc import Callable

WHOSE = contextvars.ContextVar("WHOSE", default="nobody's")


@dataclass
class Timer:
    at: float
    call: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class ScriptedLoop:
    """Rings its timers as its time passes."""

    now: float = 100.0
    timers: list[Timer] = field(default_factory=list)
    soon: list[tuple[Callable[[], object], contextvars.Context]] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_at(self, at: float, call: Any, *args: Any, context: contextvars.Context) -> Timer:
        assert not context, "a timer holds nothing of a request"
        self.timers.append(Timer(at, lambda: call(*args)))
        return self.timers[-1]

    def call_soon(self, call: Callable[[], object], *, context: contextvars.Context) -> None:
        self.soon.append((call, context))

    def live(self) -> list[Timer]:
        return [timer for timer in self.timers if not timer.cancelled]

    def pass_to(self, until: float) -> None:
        while due := [timer for timer in self.live() if timer.at <= until]:
            first = min(due, key=lambda timer: timer.at)
            self.now = max(self.now, first.at)
            self.timers.remove(first)
            first.call()
            while self.soon:
                call, context = self.soon.pop(0)
                context.run(call)
        self.now = until


@pytest.fixture
def loop() -> Any:
    return ScriptedLoop()


def test_each_rings_at_its_time(loop: Any) -> None:
    bell, rung = Bell(), []
    for seconds in (0.5, 0.1, 0.9):
        bell.set(loop, seconds, lambda: rung.append(round(loop.now - 100.0, 3)))
    loop.pass_to(102.0)
    assert rung == [0.1, 0.5, 0.9]
    assert not loop.live()


def test_who_is_called_off_does_not_ring_and_the_others_do(loop: Any) -> None:
    bell, rung = Bell(), []
    first = bell.set(loop, 0.1, lambda: rung.append("first"))
    bell.set(loop, 0.2, lambda: rung.append("second"))
    first.call_off()
    loop.pass_to(101.0)
    assert rung == ["second"]


def test_one_timer_is_armed_however_many_wait(loop: Any) -> None:
    bell = Bell()
    for _ in range(1000):
        bell.set(loop, 0.1, lambda: None).call_off()
        loop.now += 0.0001
    assert len(loop.live()) == 1
    assert len(loop.timers) == 1, "and it was armed once"


def test_what_was_called_off_is_forgotten_when_its_time_has_come(loop: Any) -> None:
    bell = Bell()
    for _ in range(1000):
        bell.set(loop, 0.1, lambda: None).call_off()
    loop.pass_to(100.1 + SOON)
    assert not bell._due
    assert not loop.live()


def test_what_rings_sees_the_context_of_who_asked_for_it(loop: Any) -> None:
    bell, seen = Bell(), []
    for whose in ("one's", "the other's"):
        token = WHOSE.set(whose)
        bell.set(loop, 0.1, lambda: seen.append(WHOSE.get()))
        WHOSE.reset(token)
    loop.pass_to(101.0)
    assert seen == ["one's", "the other's"]


@pytest.mark.parametrize("seed", range(20))
def test_in_any_order_all_ring_in_time_and_none_twice(loop: Any, seed: int) -> None:
    chance, bell = random.Random(seed), Bell()
    asked: dict[int, float] = {}
    rung: dict[int, float] = {}

    def note(number: int) -> None:
        assert number not in rung
        rung[number] = loop.now

    for number in range(300):
        seconds = chance.uniform(0.0, 0.05)
        ring = bell.set(loop, seconds, partial(note, number))
        if chance.random() < 0.7:
            ring.call_off()
        else:
            asked[number] = loop.now + seconds
        loop.pass_to(loop.now + chance.uniform(0.0, 0.002))
    loop.pass_to(loop.now + 1.0)
    assert rung.keys() == asked.keys()
    assert all(-SOON <= rung[n] - at <= 1e-9 for n, at in asked.items())


class Thing:
    """What a request has in its hands."""


def test_who_is_called_off_is_let_go_of_at_once_with_its_context(loop: Any) -> None:
    bell, asked, of_context = Bell(), Thing(), Thing()
    seen = [weakref.ref(asked), weakref.ref(of_context)]
    held: contextvars.ContextVar[Thing] = contextvars.ContextVar("held")
    context = contextvars.copy_context()
    context.run(held.set, of_context)
    ring = context.run(bell.set, loop, 60.0, partial(id, asked))
    del asked, of_context, context
    ring.call_off()
    gc.collect()
    assert [thing() for thing in seen] == [None, None]


@pytest.mark.parametrize("called_off", [True, False])
def test_loops_that_end_before_anything_rings_are_forgotten(*, called_off: bool) -> None:
    async def ask() -> weakref.ref[Any]:
        loop = asyncio.get_running_loop()
        for seconds in (60.0, 30.0):  # the second one has the timer set anew
            ring = bell_of(loop).set(loop, seconds, loop.stop)
            if called_off:
                ring.call_off()
        return weakref.ref(loop)

    loops = [asyncio.run(ask()) for _ in range(3)]
    gc.collect()
    assert [loop() for loop in loops] == [None, None, None]


def test_a_loop_has_one_bell_while_something_is_to_ring() -> None:
    async def ask() -> list[str]:
        loop = asyncio.get_running_loop()
        rung: list[str] = []
        bell_of(loop).set(loop, 0.005, partial(rung.append, "first"))
        gc.collect()
        assert bell_of(loop)._due
        bell_of(loop).set(loop, 0.005, partial(rung.append, "second"))
        await asyncio.sleep(0.05)
        return rung

    assert asyncio.run(ask()) == ["first", "second"]
