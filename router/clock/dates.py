"""What the Date headers of all endpoints say: about each one's clock, and together about the time.

Rule 1: an answer that says nothing new takes no lock, since every response comes by here; the lock
        is held for arithmetic only.
Rule 2: the time is what a majority of the endpoints heard of lately can agree on.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from router.clock.http_date import date_of, parse_date
from router.clock.ladder import Claim
from router.clock.select import covered, meet
from router.clock.tracker import MOST_STALE, OLDEST, RESOLUTION, STALENESS, DateTracker, Heard

if TYPE_CHECKING:
    from collections.abc import Container

    from router.clock.select import Interval

__all__ = ["RESOLUTION", "DateTracker", "Dates", "Heard", "date_of", "parse_date", "skew"]


class Dates:
    """The clocks of all endpoints, by name; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trackers: dict[str, DateTracker] = {}

    def reset_after_fork(self) -> None:
        """Take a lock that no thread of the parent process can have held; knowledge stays."""
        self._lock = threading.Lock()

    def hear(self, name: str, date: float, *, asked: float, received: float) -> Heard:
        """Take the Date of an endpoint's answer, in Unix seconds.

        Args:
            name: the endpoint.
            date: the Date.
            asked: boot time before the request was sent.
            received: boot time after the answer's headers came.
        """
        tracker = self._trackers.get(name)
        if tracker is not None and tracker.knows(date, asked=asked, received=received):
            return Heard.UNCHANGED
        with self._lock:
            tracker = self._trackers.setdefault(name, DateTracker())
            return tracker.hear(date, asked=asked, received=received)

    def interval(self, name: str, now: float) -> Interval | None:
        """Return the least and greatest theta of an endpoint's clock at boot time `now`."""
        tracker = self._trackers.get(name)
        return None if tracker is None else tracker.interval(now)

    def overall(self, now: float) -> Claim | None:
        """Return what a majority of the endpoints heard of lately agrees on; None without one.

        If none agrees, their Dates are taken to be late by as little as brings one about; the
        bound then covers what they say as they are, too, since one may be ahead instead.
        """
        with self._lock:
            every = [known for tracker in self._trackers.values() if (known := tracker.known)]
        lately = [known.aged(now) for known in every if now - known.at <= OLDEST]
        for stale in (0.0, *STALENESS):
            intervals = [known.edges(stale) for known in lately]
            agreed = covered(intervals, len(intervals) // 2 + 1)
            if agreed:
                low, high = agreed[0][0], agreed[-1][1]
                if stale:
                    low = min(edges[0] for edges in intervals if meet(edges, (low, high)))
                return Claim((low + high) / 2, (high - low) / 2, now, "degraded", "http")
        return None

    def aim(self, name: str, *, now: float, travel: float) -> float:
        """Return how long to wait for the most telling moment to ask an endpoint: under a second.

        A request sent then, `travel` seconds on its way, arrives when the endpoint's second changes
        if theta is in the middle of its interval. Whichever second is answered, half of the
        interval is ruled out, but for the travel.
        """
        tracker = self._trackers.get(name)
        known = None if tracker is None else tracker.known
        if known is None:
            return 0.0
        return -(now + travel + (known.low + known.high) / 2) % RESOLUTION

    def widen(self, seconds: float) -> None:
        """Take everything heard so far to be less sure: this machine's clocks were moved."""
        with self._lock:
            for tracker in self._trackers.values():
                if (known := tracker.known) is not None:
                    low, high = known.low - seconds, known.high + seconds
                    tracker.known = known._replace(low=low, high=high)

    def retain(self, names: Container[str]) -> None:
        """Forget all endpoints but these."""
        with self._lock:
            self._trackers = {name: t for name, t in self._trackers.items() if name in names}

    def forget(self, name: str) -> None:
        """Forget what is known of an endpoint: the next answer is believed as it is."""
        with self._lock:
            self._trackers.pop(name, None)


def skew(server: Interval, ours: Interval) -> float | None:
    """Return by how many seconds a server's clock is off, by the best estimate; positive: ahead.

    None while both may be the same time. A server behind counts only from MOST_STALE beyond the
    bounds: one that keeps its Date header for a second looks just like that.
    """
    ahead, behind = server[0] - ours[1], ours[0] - server[1]
    if ahead <= 0 and behind <= MOST_STALE:
        return None
    return (server[0] - ours[0] + server[1] - ours[1]) / 2
