"""What one decision takes, in seconds: ours, and what can be written by hand in its place.

Rule 1: time is part of the work, since what is kept ready is renewed by time. Each figure of ours
        is measured at full speed with the real clock, and again with 5 ms between one decision and
        the next, where nothing that was renewed for one serves many.
Rule 2: who decides has requests under way, ten of them, and they are answered.
Rule 3: what is put off is seen: the whole cycle, a probe and the sorting stand beside the decision.
Rule 4: garbage is collected meanwhile, as it is in a program.
"""

from __future__ import annotations

import math
import random
import time
from collections import deque
from functools import partial
from itertools import count, islice
from operator import attrgetter
from timeit import Timer
from typing import TYPE_CHECKING

from router.config.settings import Limits
from router.limits.limiter import Limiter, Permit
from router.options import NO_OPTIONS
from router.units import Rate
from routing_bench.world import ELAPSED, Probes, new_pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from router.balance.pool import Choice
    from router.limits.limiter import Ticket
    from routing_bench.world import Placed

    Act = Callable[[], float]

__all__ = ["APART", "CLOCK", "DECISION", "acts"]

DECISION, CYCLE = "decision and permit", "the whole cycle"
PROBE, SORT = "a probe taken in", "all sorted anew, in the background"
APART = ", 5 ms apart"
CLOCK = "time.time_ns()"
AT_ONCE = 10
CYCLES = 100
STEP = ELAPSED / AT_ONCE
LIMITS = Limits(concurrency=1000, rate=Rate(1e8, 1.0))
WARM_UP = 3
PATIENCE = 2.0
BY_HAND = {
    CLOCK: 1000,
    "time.monotonic()": 1000,
    "choice(rows)": 100,
    "min(choice(rows), choice(rows), key=cost)": 100,
    "min(rows, key=cost)": 10,
}
"""Calls, and how often each is repeated for one figure."""


def acts(known: Placed) -> dict[str, Act]:
    """Return by name what is compared; each call returns seconds of one."""
    real, stepped = Traffic(known, iter(time.monotonic, math.nan)), Traffic(known, count(1e3, STEP))
    return by_hand(known) | {
        DECISION: real.decision,
        DECISION + APART: stepped.decision,
        CYCLE: real.cycle,
        CYCLE + APART: stepped.cycle,
        PROBE + APART: stepped.probe,
        SORT: stepped.sort,
    }


def by_hand(known: Placed) -> dict[str, Act]:
    """Return clocks, and choices without any memory: rows are the priors."""
    rows = [prior for _, prior in known.values()]
    names = {"time": time, "choice": random.choice, "rows": rows, "cost": attrgetter("rtt")}
    return {call: partial(_one, Timer(call, globals=names), n) for call, n in BY_HAND.items()}


def _one(timer: Timer, number: int) -> float:
    return timer.timeit(number) / number


class Traffic:
    """A pool and a limiter in use; the figures are seconds of one decision, cycle or probe."""

    def __init__(self, known: Placed, instants: Iterator[float]) -> None:
        self._instants = instants
        self._pool = new_pool(known)
        self._limiter = Limiter(LIMITS)
        self._probes = Probes(self._pool, known)
        self._probes.feed_until(instants, WARM_UP * len(known), PATIENCE)
        self.sort()

    def decision(self) -> float:
        """Choose and admit ten times; that they are answered then is not counted."""
        began = time.perf_counter()
        taken = self._take()
        seconds = time.perf_counter() - began
        self._answer(taken)
        return seconds / AT_ONCE

    def _take(self) -> list[tuple[Choice, Permit | Ticket]]:
        choose, admit = self._pool.choose, self._limiter.admit
        return [
            (choose(NO_OPTIONS, tried=(), now=now), admit(now, cost=1.0, deadline=math.inf))
            for now in islice(self._instants, AT_ONCE)
        ]

    def _answer(self, taken: Iterable[tuple[Choice, Permit | Ticket]]) -> None:
        for (choice, permit), now in zip(taken, self._instants, strict=False):
            assert isinstance(permit, Permit)
            self._pool.answered(choice, ELAPSED, now=now)
            choice.give_back()
            permit.give_back()

    def cycle(self) -> float:
        """Choose, admit, take an answer and give back, always with ten requests under way."""
        choose, admit, answered = self._pool.choose, self._limiter.admit, self._pool.answered
        under_way = deque(self._take())
        began = time.perf_counter()
        for now in islice(self._instants, CYCLES):
            chosen = choose(NO_OPTIONS, tried=(), now=now)
            under_way.append((chosen, admit(now, cost=1.0, deadline=math.inf)))
            choice, permit = under_way.popleft()
            assert isinstance(permit, Permit)
            answered(choice, ELAPSED, now=now)
            choice.give_back()
            permit.give_back()
        seconds = time.perf_counter() - began
        self._answer(under_way)
        return seconds / CYCLES

    def probe(self) -> float:
        """Take in a few probes."""
        return self._probes.feed(islice(self._instants, AT_ONCE)) / AT_ONCE

    def sort(self) -> float:
        """Have the pool do what it leaves to the background."""
        now = next(self._instants)
        began = time.perf_counter()
        self._pool.rerank(now)
        return time.perf_counter() - began
