"""When an answer is late, and whether a second request may be sent for it.

Rule 1: late is measured against what was expected of the endpoint: the time to the head of the
        answer over the expected one, and of these ratios a percentile (`failover.hedge.after`). So
        one figure serves for endpoints near and far. Tiers and methods are kept apart: a POST of
        an LLM has other spreads than a GET.
Rule 2: an answer that was outrun counts as later than all; without that, the percentile would sink
        with every hedge. But late is never later than so many times the median: where more answers
        stall than the percentile leaves out, it would say that stalling is usual.
Rule 3: nothing is hedged before enough is known.
Rule 4: hedges are a share of the requests that could be hedged (`at_most`), and are paid for from
        the same budget as retries. When everything is slow, that share is all that is added.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

from router.failover.budget import Cost

if TYPE_CHECKING:
    from router.config.settings import Hedge
    from router.failover.budget import RetryBudget

__all__ = ["Allowance", "Hedging", "Lateness"]

KEPT = 512
ENOUGH = 64
SETTLED_EVERY = 32
MOST_SAVED = 10.0
LEAST_RATIO = 1.05
MOST_MEDIANS = 5.0
LEAST_LATE = 0.001
"""Seconds by which no second request is worth its cost: a busy host may be as late by itself."""

Group = tuple[int, str]
"""An endpoint's tier, and the request's method."""


class Lateness:
    """By which factor answers take longer than expected: the last few hundred, and a percentile."""

    __slots__ = ("_next", "_percentile", "_ratios", "late")

    def __init__(self, percentile: float) -> None:
        self._percentile = percentile
        self._ratios: list[float] = []
        self._next = 0
        self.late = math.inf
        """From this ratio on an answer is late; inf: not known yet."""

    def take(self, ratio: float) -> None:
        """Learn from an answer; inf: it was outrun."""
        ratios = self._ratios
        if len(ratios) < KEPT:
            ratios.append(ratio)
        else:
            ratios[self._next % KEPT] = ratio
        self._next += 1
        if self._next % SETTLED_EVERY == 0 and self._next >= ENOUGH:
            self._settle()

    def _settle(self) -> None:
        ordered = sorted(self._ratios)
        place = max(0, math.ceil(self._percentile * len(ordered)) - 1)
        most = MOST_MEDIANS * ordered[len(ordered) // 2]
        self.late = max(LEAST_RATIO, min(ordered[place], most))


class Allowance:
    """How many hedges a share of the requests allows: one at first, and a few saved up."""

    __slots__ = ("_left", "_share")

    def __init__(self, share: float) -> None:
        self._share = share
        self._left = 1.0

    def count(self) -> None:
        """Note a request that may be hedged."""
        self._left = min(MOST_SAVED, self._left + self._share)

    def take(self) -> bool:
        """Take one hedge, if there is one."""
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def put_back(self) -> None:
        """Return a hedge that was not sent."""
        self._left = min(MOST_SAVED, self._left + 1.0)


class Hedging:
    """Decides on second requests; safe to use from any thread."""

    def __init__(self, settings: Hedge, budget: RetryBudget) -> None:
        self.settings = settings
        self._budget = budget
        self._allowance = Allowance(settings.at_most)
        self._groups: dict[Group, Lateness] = {}
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Take a lock of one's own: the parent's may never be released here."""
        self._lock = threading.Lock()

    def late_after(self, group: Group, expected: float) -> float | None:
        """Count a request; return the seconds after which its answer is late, if that is known."""
        with self._lock:
            self._allowance.count()
        lateness = self._groups.get(group)
        if lateness is None or math.isinf(lateness.late):
            return None
        return max(LEAST_LATE, expected * lateness.late)

    def learn(self, group: Group, elapsed: float, expected: float) -> None:
        """Take the time of an answer's head; inf: another request was quicker."""
        if expected <= 0:
            return
        with self._lock:
            lateness = self._groups.get(group)
            if lateness is None:
                lateness = self._groups[group] = Lateness(self.settings.after)
            lateness.take(elapsed / expected)

    def pay(self, now: float) -> bool:
        """Pay for a second request; False: it is not to be sent."""
        with self._lock:
            if not self._allowance.take():
                return False
            if self._budget.withdraw(Cost.USUAL, now):
                return True
            self._allowance.put_back()
            return False

    def refund(self) -> None:
        """Take back the pay of a second request that could not be sent."""
        with self._lock:
            self._allowance.put_back()
            self._budget.refund(Cost.USUAL)
