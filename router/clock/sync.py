"""When servers are asked, what is remembered of them, and what is published.

Rule 1: the first round starts at once, and the clock is published as soon as a majority agrees: a
        dead server does not delay the first request.
Rule 2: the next poll comes after half an hour, or sooner if the bound would pass half of what the
        user allows, but not within 64 s. Failures are retried ever more rarely; only a clock that
        was never right is retried within seconds.
Rule 3: a server's kiss code is obeyed: RATE doubles its interval, DENY and RSTR end it.
Rule 4: a server's best sample is the one with the least bound now; a new sample that contradicts
        older ones of the same server ends them.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections import deque
from typing import TYPE_CHECKING

from router.clock.clock import boottime
from router.clock.exchange import TIMEOUT, Answer, query_all
from router.clock.ntp import PHI
from router.clock.select import Selection, select

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from router.clock.clock import Clock
    from router.clock.ntp import Sample
    from router.config.settings import ClockSettings

__all__ = ["Source", "Synchroniser", "poll_wait"]

POLL = 1800.0
FLOOR = 64.0
FAILED_CAP = 3600.0
FIRST_RETRY = 1.0
LONGEST_REST = 36 * 3600.0
JITTER = 0.25
KEPT = 8
MOST_DOUBLINGS = 12
log = logging.getLogger("router.clock")


def poll_wait(*, bound: float, target: float, failures: int, random: Random) -> float:
    """Return how many seconds to wait for the next round.

    Args:
        bound: seconds the clock may be off now; inf if it was never synchronised.
        target: seconds it may be off at most.
        failures: rounds without a majority since the last with one.
        random: the jitter, so that hosts which started together do not ask together.
    """
    jitter = random.uniform(1 - JITTER, 1 + JITTER)
    doubled = 2.0 ** min(failures - 1, MOST_DOUBLINGS)
    if failures and math.isinf(bound):
        return jitter * min(FIRST_RETRY * doubled, FLOOR)
    if failures:
        return jitter * min(FLOOR * doubled, FAILED_CAP)
    return max(FLOOR, min(POLL * jitter, (target / 2 - bound) / PHI))


class Source:
    """One server: its last samples, and when it may be asked again."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.samples: deque[Sample] = deque(maxlen=KEPT)
        self.asked = -math.inf
        self.interval = 0.0
        self.spacing = 0.0

    @property
    def due(self) -> float:
        """Boot time before which the server is left alone."""
        return self.asked + self.spacing

    def ask(self, now: float) -> None:
        """Note that the server is asked at boot time `now`."""
        self.interval = now - self.asked if math.isfinite(self.asked) else 0.0
        self.asked = now

    def hear(self, sample: Sample) -> None:
        """Keep a sample, and of the older ones those that it does not contradict."""
        agreeing = [old for old in self.samples if old.meets(sample, sample.taken)]
        self.samples = deque([*agreeing, sample], KEPT)

    def rest(self) -> None:
        """Double the interval at which the server is asked."""
        self.spacing = min(2 * max(FLOOR, self.spacing, self.interval), LONGEST_REST)

    def best(self, now: float) -> Sample | None:
        """Return the sample with the least bound at boot time `now`."""
        return min(self.samples, key=lambda sample: sample.bound(now), default=None)


class Synchroniser:
    """Keeps a `Clock` right from the background event loop; the only writer of it.

    Args:
        settings: the servers, and the error that the user allows.
        clock: what is kept right.
        random: the jitter of the schedule.
        boottime: the clock of samples, the same as the `clock`'s.
        wall: Unix time, right to 68 years.
        entropy: the random bits of requests.
        sleep: what waits between rounds.
        timeout: seconds one server may take.
    """

    def __init__(
        self,
        settings: ClockSettings,
        clock: Clock,
        *,
        random: Random,
        boottime: Callable[[], float] = boottime,
        wall: Callable[[], float] = time.time,
        entropy: Callable[[int], bytes] = os.urandom,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeout: float = TIMEOUT,
    ) -> None:
        self._clock = clock
        self._target = settings.max_error
        self._random = random
        self._boottime = boottime
        self._wall = wall
        self._entropy = entropy
        self._sleep = sleep
        self._timeout = timeout
        self._sources = {name: Source(name) for name in settings.servers}
        self._failures = 0

    async def run(self) -> None:
        """Synchronise for ever; return only if no server is left to ask."""
        while self._sources:
            await self.once()
            await self._sleep(self._wait())
        self._clock.settle()

    async def once(self) -> bool:
        """Ask the servers that are not resting; return whether a majority agreed."""
        now = self._boottime()
        due = [source for source in self._sources.values() if source.due <= now]
        for source in due:
            source.ask(now)
        answers = await query_all(
            [source.server for source in due],
            near=self._wall(),
            heard=self._hear,
            timeout=self._timeout,
            boottime=self._boottime,
            entropy=self._entropy,
        )
        agreed = self._publish(answers)
        self._clock.settle()
        return agreed

    def _wait(self) -> float:
        now = self._boottime()
        wait = poll_wait(
            bound=self._clock.bound(now),
            target=self._target,
            failures=self._failures,
            random=self._random,
        )
        return max(wait, min((s.due for s in self._sources.values()), default=now) - now)

    def _hear(self, answer: Answer) -> None:
        """Remember one answer; the first majority is published without waiting for the rest."""
        source = self._sources[answer.server]
        if answer.sample:
            source.hear(answer.sample)
        elif answer.kiss == "RATE":
            source.rest()
        elif answer.kiss in ("DENY", "RSTR"):
            del self._sources[answer.server]
            log.warning("NTP server %s: %s; it is not asked again", answer.server, answer.reason)
        if not self._clock.settled and (selection := self._select()):
            self._clock.update(selection, selection.taken)

    def _select(self) -> Selection | None:
        now = self._boottime()
        best = {name: source.best(now) for name, source in self._sources.items()}
        samples = {name: sample for name, sample in best.items() if sample}
        return select(samples, len(self._sources), now)

    def _publish(self, answers: list[Answer]) -> bool:
        """Publish what a majority with at least one fresh sample says, or hold what was known."""
        selection = self._select()
        fresh = {answer.server for answer in answers if answer.sample}
        if selection is None or fresh.isdisjoint(selection.used):
            self._failures += 1
            self._clock.hold()
            if self._failures == 1:
                log.warning("no majority of NTP servers agrees: %s", _verdicts(answers))
            return False
        if self._failures:
            log.info("the NTP servers agree again: %s", ", ".join(selection.used))
        self._failures = 0
        self._clock.update(selection, selection.taken)
        return True


def _verdicts(answers: list[Answer]) -> str:
    return "; ".join(f"{answer.server}: {answer.reason or 'answered'}" for answer in answers)
