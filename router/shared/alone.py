"""A process's own share of a rate, for while the store is away.

Rule 1: pure. The share is the rate over the number of processes as last known, and begins with its
        share of the burst; what it spent stays known from one outage to the next.
Rule 2: what is spent so is owed to the fleet; the store knows how much of it had room in the rate.
"""

from __future__ import annotations

from router.limits.gcra import NEVER_SPENT, Gcra
from router.units import Rate

__all__ = ["Alone"]


class Alone:
    """The share; whoever uses it holds a lock."""

    def __init__(self, rate: Rate, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._count = 1
        self._gcra = Gcra(rate, burst)
        self._tat = NEVER_SPENT
        self.debt = 0.0

    def among(self, count: int) -> None:
        """Take how many processes there are."""
        if count != self._count:
            self._count = count
            rate = Rate(self._rate.events / count, self._rate.seconds)
            self._gcra = Gcra(rate, max(1, self._burst // count))

    def wait(self, cost: float, now: float) -> float:
        """Return the seconds until `cost` may be spent; a cost above the burst takes longer."""
        own = min(cost, self._gcra.burst)
        return self._gcra.wait(self._tat, now, own) + (cost - own) * self._gcra.interval

    def take(self, cost: float, now: float) -> bool:
        """Spend, if it may; what is dearer than the burst may at its whole, and is paid later."""
        if self._gcra.wait(self._tat, now, min(cost, self._gcra.burst)) > 0:
            return False
        self.spend(cost, now)
        return True

    def spend(self, cost: float, now: float) -> None:
        """Spend without asking."""
        self.debt += cost
        self._tat = self._gcra.spend(self._tat, now, cost)

    def undo(self, cost: float) -> None:
        """Take back what was not used."""
        self.debt = max(0.0, self.debt - cost)
        self._tat -= cost * self._gcra.interval
