"""When the servers are asked again.

Rule 1: the next poll comes within half an hour, or sooner if the bound would pass half of what the
        user allows, but not within 64 s. Its jitter only shortens: with ±25 % a crystal that is off
        by 65 ppm drifted by 146 ms between polls, and 1 % of a simulated day was off by over 120.
Rule 2: failures are retried ever more rarely, up to an hour; a clock that was never right, or may
        have lost its way since, begins with a second.
Rule 3: whoever notices that the time may be wrong has it checked at once, and ever more rarely if
        that goes on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from router.clock.ntp import PHI

if TYPE_CHECKING:
    from random import Random

__all__ = ["FLOOR", "Spacing", "poll_wait"]

POLL = 1800.0
FLOOR = 64.0
FAILED_CAP = 3600.0
FIRST_RETRY = 1.0
JITTER = 0.25
MOST_DOUBLINGS = 12
QUIET = 600.0


def poll_wait(*, bound: float, target: float, failures: int, random: Random) -> float:
    """Return how many seconds to wait for the next round.

    Args:
        bound: seconds the clock may be off now; inf if it was never synchronised, or not since
            somebody suspected it.
        target: seconds it may be off at most.
        failures: rounds without a majority since the last with one.
        random: the jitter, so that hosts which started together do not ask together.
    """
    jitter = random.uniform(1 - JITTER, 1 + JITTER)
    doubled = 2.0 ** min(failures - 1, MOST_DOUBLINGS)
    if failures and math.isinf(bound):
        return jitter * min(FIRST_RETRY * doubled, FAILED_CAP)
    if failures:
        return jitter * min(FLOOR * doubled, FAILED_CAP)
    soon = POLL * random.uniform(1 - JITTER, 1)
    return max(FLOOR, min(soon, (target / 2 - bound) / PHI))


class Spacing:
    """How far apart rounds are that somebody asked for: 1 s, doubling to 64 s while it goes on."""

    def __init__(self) -> None:
        self._last = -math.inf
        self._gap = 0.0

    def wait(self, now: float) -> float:
        """Return how many seconds such a round has to wait at boot time `now`."""
        return max(0.0, self._last + self._gap - now)

    def note(self, now: float) -> None:
        """Note that such a round begins at boot time `now`."""
        quiet = now - self._last > QUIET
        self._gap = FIRST_RETRY if quiet else min(2 * self._gap, FLOOR)
        self._last = now
