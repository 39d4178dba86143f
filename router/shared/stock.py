"""What this process leased of a rate and has not spent: units, each with the time it is due.

Rule 1: pure. `now` comes in, a wait or units go out; no clock, no store.
Rule 2: a unit is spent at its due time or later, and at most `hold` seconds later; then it is stale
        and goes back. So a fleet spends in any t seconds at most rate * (t + hold) + burst, where
        `terms` chose hold and burst so that this is rate * t + the burst that was configured.
Rule 3: when the server reckoned is not known, only that it was after the question left and before
        the answer came. A unit is due as by the latest of these times, stale as by the earliest.
Rule 4: units that came at once for one dear request (a lump) are due together. A lump that is
        offered for an earlier one may be spent before the answer comes: then the answer is void.
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
    """`left` units, of which the first is due at `due` and each further one `spacing` later.

    Each is stale `fresh` seconds after it is due.
    """

    due: float
    spacing: float
    left: float
    fresh: float

    def ripe(self, now: float) -> float:
        """Return how many are due."""
        if self.due > now:
            return 0.0
        if self.spacing == 0:
            return self.left
        return min(self.left, math.floor((now - self.due) / self.spacing + ALMOST) + 1.0)

    def ends(self) -> float:
        """Return when the last one is stale."""
        return self.due + max(0.0, math.ceil(self.left) - 1) * self.spacing + self.fresh

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
        self._offered: Batch | None = None

    def lease(
        self, units: float, first: float, spacing: float, now: float, *, age: float = 0.0
    ) -> None:
        """Take units of which the first is due `first` seconds from now, or was so long ago.

        What was due in the past could have been leased then, but was not: it is due now.

        Args:
            units: how many.
            first: seconds until the first is due, by an answer that comes now.
            spacing: seconds from one to the next.
            now: monotonic seconds.
            age: seconds since the question left (rule 3).
        """
        fresh = self._hold - age
        if fresh <= 0:
            self._stale += units
            return
        if spacing > 0 and first < 0:
            ripe = min(units, math.floor(-first / spacing + ALMOST) + 1.0)
            self._batches.append(Batch(now, 0.0, ripe, fresh))
            first, units = first + ripe * spacing, units - ripe
        if units > 0:
            self._batches.append(Batch(now + max(0.0, first), spacing, units, fresh))

    def spend(self, cost: float, now: float) -> bool:
        """Spend units that are due, the oldest first; return whether there were enough."""
        batches = self._batches
        while batches:
            head = batches[0]
            if now - head.fresh > head.due:
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
        return self._spend_of_several(cost, now)

    def _spend_of_several(self, cost: float, now: float) -> bool:
        batches = self._batches
        for batch in batches:
            self._age(batch, now)
        if self._ripe(now) < cost:
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
        late = batch.ripe(now - batch.fresh)
        batch.drop(late)
        self._stale += late

    def left(self, now: float) -> float:
        """Return the units that can be spent now or when they are due."""
        for batch in self._batches:
            self._age(batch, now)
        return sum(batch.left for batch in self._batches)

    def stale_in(self, now: float) -> float:
        """Return the seconds until nothing of it may be spent any more."""
        return max((batch.ends() - now for batch in self._batches if batch.left > 0), default=0.0)

    def wait(self, cost: float, now: float) -> float:
        """Return the seconds until so many are due, or inf."""
        for batch in self._batches:
            if batch.left >= cost:
                last = batch.due + max(0.0, math.ceil(cost) - 1) * batch.spacing
                return max(0.0, last - now)
            cost -= batch.left
        return math.inf

    def offer(self, now: float) -> tuple[float, float]:
        """Return the units of a lump that comes first, and in how many seconds; or zeros."""
        head = self._batches[0] if self._batches else None
        if head is None or head.spacing > 0 or head.due <= now:
            self._offered = None
            return 0.0, 0.0
        self._offered = head
        return head.left, head.due - now

    def renew(self, first: float, now: float, *, age: float) -> None:
        """Have the lump that was offered due so soon, unless it was spent meanwhile (rule 4)."""
        lump, fresh, due = self._offered, self._hold - age, now + max(0.0, first)
        if lump is not None and lump in self._batches and fresh > 0 and due < lump.due:
            lump.due, lump.fresh = due, fresh

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
        self._batches.appendleft(Batch(now, 0.0, units, self._hold))
