"""The generic cell rate algorithm: a rate limit whose whole state is one number.

The state is the theoretical arrival time (TAT): when the next event would be due if events came
evenly spaced. An event may come early by as much as the burst allows, and moves the TAT on by one
interval for each unit of cost.

Rule 1: pure. `now` and the TAT come in, a wait or a new TAT goes out.
Rule 2: in any stretch of t seconds, events cost at most rate * t + burst. No wait is longer than
        that bound requires, and nothing ticks in the background.
Rule 3: a cost above the burst is never there at once. `wait` takes one all the same: it then says
        when the last of several events of that cost in all may come.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.units import Rate

__all__ = ["NEVER_SPENT", "Gcra"]

NEVER_SPENT = -math.inf
"""The TAT before the first event: everything the burst allows is there."""


@dataclass(frozen=True, slots=True)
class Gcra:
    """A rate, and the cost that may come at once after a pause."""

    rate: Rate
    burst: int
    interval: float = field(init=False)
    """Seconds that one unit of cost takes."""
    allowance: float = field(init=False)
    """Seconds that the TAT may lie ahead."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "interval", self.rate.interval)
        object.__setattr__(self, "allowance", self.burst * self.rate.interval)

    def wait(self, tat: float, now: float, cost: float = 1.0) -> float:
        """Return the seconds until all of `cost` may be spent; 0 when it may be spent now."""
        return max(0.0, max(tat, now) + (cost - self.burst) * self.interval - now)

    def spend(self, tat: float, now: float, cost: float = 1.0) -> float:
        """Return the TAT after `cost` is spent at `now`."""
        return max(tat, now) + cost * self.interval
