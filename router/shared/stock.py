"""What this process leased of a rate and has not spent: units, each with the time it is due.

Rule 1: pure. `now` comes in, a wait or units go out; no clock, no store.
Rule 2: a unit is spent at its due time or later, and at most `hold` seconds later; then it is stale
        and goes back. So a fleet spends in any t seconds at most rate * (t + hold) + burst, where
        `terms` chose hold and burst so that this is rate * t + the burst that was configured.
Rule 3: units that came at once for one dear request (a lump) are due together.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

__all__ = ["Stock", "Terms", "terms"]

ALMOST = 1e-9
HOLD_SHARE = 0.5
PACES_PER_HOLD = 1.5
AHEAD_PACES = 2.0


@dataclass(frozen=True, slots=True)
class Terms:
    """How a rate is leased; seconds, except `burst`.

    Attributes:
        interval: what one unit takes.
        burst: units that the server lets go at once: less than configured by what may be held.
        hold: for how long a unit may be kept after it is due.
        pace: between two exchanges with the server, while there is traffic.
        ahead: how far ahead of their due time units are leased.
    """

    interval: float
    burst: float
    hold: float
    pace: float
    ahead: float


def terms(interval: float, burst: int, every: float) -> Terms:
    """Return how to lease a rate with an exchange each `every` seconds, or more often.

    What is held comes out of the burst: at most a half of it, so that the bound is what one process
    would keep: rate * t + burst. Only a burst of one is exceeded, by half a unit.
    """
    pace = min(every, burst * interval * HOLD_SHARE / PACES_PER_HOLD)
    hold = pace * PACES_PER_HOLD
    kept = max(1.0, burst - hold / interval)
    return Terms(interval, kept, hold, pace, pace * AHEAD_PACES)


@dataclass(slots=True)
class Batch:
    """`left` units, of which the first is due at `due` and each further one `spacing` later."""

    due: float
    spacing: float
    left: float

    def ripe(self, now: float) -> float:
        """Return how many are due."""
        if self.due > now:
            return 0.0
        if self.spacing == 0:
            return self.left
        return min(self.left, math.floor((now - self.due) / self.spacing + ALMOST) + 1.0)

    def drop(self, units: float) -> None:
        """Take away the first ones."""
        self.left -= units
        self.due += units * self.spacing


class Stock:
    """Batches in the order in which they are due; whoever uses it holds a lock."""

    def __init__(self, hold: float) -> None:
        self._hold = hold
        self._batches: deque[Batch] = deque()
        self._stale = 0.0

    def lease(self, units: float, first: float, spacing: float, now: float) -> None:
        """Take units of which the first is due `first` seconds from now, or was so long ago.

        What was due in the past could have been leased then, but was not: it is due now.
        """
        if spacing > 0 and first < 0:
            ripe = min(units, math.floor(-first / spacing + ALMOST) + 1.0)
            self._batches.append(Batch(now, 0.0, ripe))
            first, units = first + ripe * spacing, units - ripe
        if units > 0:
            self._batches.append(Batch(now + max(0.0, first), spacing, units))

    def spend(self, cost: float, now: float) -> bool:
        """Spend units that are due, the oldest first; return whether there were enough."""
        batches = self._batches
        while batches:
            head = batches[0]
            if now - self._hold > head.due:
                self._age(head, now)
            if head.left > ALMOST:
                break
            batches.popleft()
        else:
            return False
        if head.ripe(now) >= cost:
            head.drop(cost)
            return True
        if len(batches) == 1 or self._ripe(now) < cost:
            return False
        for batch in batches:
            units = min(cost, batch.ripe(now))
            batch.drop(units)
            cost -= units
        return True

    def _ripe(self, now: float) -> float:
        return sum(batch.ripe(now) for batch in self._batches)

    def _age(self, batch: Batch, now: float) -> None:
        """Put aside what is held for too long."""
        late = batch.ripe(now - self._hold)
        batch.drop(late)
        self._stale += late

    def left(self, now: float) -> float:
        """Return the units that can be spent now or when they are due."""
        for batch in self._batches:
            self._age(batch, now)
        return sum(batch.left for batch in self._batches)

    def wait(self, cost: float, now: float) -> float:
        """Return the seconds until so many are due, or inf."""
        for batch in self._batches:
            if batch.left >= cost:
                last = batch.due + max(0.0, math.ceil(cost) - 1) * batch.spacing
                return max(0.0, last - now)
            cost -= batch.left
        return math.inf

    def pending(self, now: float) -> tuple[float, float]:
        """Return the units of a lump that comes first, and in how many seconds; or zeros."""
        head = self._batches[0] if self._batches else None
        if head is None or head.spacing > 0 or head.due <= now:
            return 0.0, 0.0
        return head.left, head.due - now

    def forget_pending(self) -> None:
        """Drop the lump that comes first: it was given anew."""
        self._batches.popleft()

    def give_up(self, keep: float, now: float) -> float:
        """Return how many go back: the stale, and the latest whole ones beyond `keep`."""
        extra = float(math.floor(max(0.0, self.left(now) - keep) + ALMOST))
        returned, self._stale = self._stale, 0.0
        while extra > 0 and self._batches:
            tail = self._batches[-1]
            units = min(extra, tail.left)
            tail.left -= units
            extra -= units
            returned += units
            if tail.left <= ALMOST:
                self._batches.pop()
        return returned

    def put_back(self, units: float, now: float) -> None:
        """Take back what was spent and not used after all."""
        self._batches.appendleft(Batch(now, 0.0, units))
