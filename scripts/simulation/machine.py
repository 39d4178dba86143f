"""A host with a cheap crystal, and a wall clock that nobody keeps.

Rule 1: all its clocks are driven by one crystal, which is off by a constant and wanders with the
        temperature. That makes an integral with a closed form, so time may pass in steps of any
        size.
Rule 2: no daemon and no operator touches its clocks: the detectors have nothing to find.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from router.clock.host import Host

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

__all__ = ["START", "Machine"]

START = 1_800_000_000
"""The true Unix time at which every simulation begins: 2027-01-15T08:00:00Z."""

NS = 10**9
HOUR = 3600.0
PPM = 1e-6
UP_SINCE = 5000.0
WANDERS = ((3 * PPM, (4 * HOUR, 12 * HOUR)), (2 * PPM, (1 * HOUR, 3 * HOUR)))
FARTHEST_WALL = 2 * HOUR


class Wave(NamedTuple):
    """A rate that comes and goes: at most `rate` s/s, once in `period` seconds."""

    rate: float
    period: float
    phase: float

    def drift(self, elapsed: float) -> float:
        """Return the seconds that it has brought."""
        turn = 2 * math.pi / self.period
        return self.rate / turn * (math.cos(self.phase) - math.cos(turn * elapsed + self.phase))


class Machine:
    """The clocks of one host.

    Args:
        time: true seconds since the simulation began.
        rate: by how many s/s the crystal is too fast.
        random: its wander, and how wrong its wall clock is.
    """

    def __init__(self, time: Callable[[], float], *, rate: float, random: Random) -> None:
        self._time = time
        self._rate = rate
        self._waves = [
            Wave(wander, random.uniform(*periods), random.uniform(0, 2 * math.pi))
            for wander, periods in WANDERS
        ]
        self._wall = START + random.uniform(-FARTHEST_WALL, FARTHEST_WALL)

    def host(self) -> Host:
        """Return the clocks as the code under test reads them."""
        return Host(
            boot_ns=lambda: round((UP_SINCE + self._elapsed()) * NS),
            wall_ns=lambda: round((self._wall + self._elapsed()) * NS),
            monotonic_ns=lambda: round((UP_SINCE + self._elapsed()) * NS),
            raw_ns=lambda: round((UP_SINCE + self._elapsed()) * NS),
            kernel=lambda: None,
        )

    def true_ns(self) -> int:
        """Return the true time in Unix nanoseconds."""
        return START * NS + round(self._time() * NS)

    def _elapsed(self) -> float:
        """Return the seconds since the beginning as the crystal counts them."""
        now = self._time()
        return now + self._rate * now + sum(wave.drift(now) for wave in self._waves)
