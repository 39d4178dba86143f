"""What the Date headers of one server's answers say about its clock.

Rule 1: the Date was written between request and answer, and cuts off part of a second. So theta,
        the server's UTC minus our boot time, lies in [date - received, date + 1 s - asked]. All
        answers must be true at once: their intervals are intersected, aged by PHI a second.
Rule 2: a Date may be late, never early: Envoy writes it anew each half second, uvicorn each second.
        So lower edges always hold, and what contradicts them is an upper edge that is too low. All
        upper edges are raised to the next time that such a server keeps its Date, until for an
        hour nothing has shown the need of it. Dates that are late always by the same cannot be seen
        to be: they look like a clock that is slow.
Rule 3: a contradiction of more than MOST_STALE is a step: what was known is dropped. That a server
        is ahead is believed at once. That it is behind must be told by two different Dates, and no
        answer between them may show otherwise: one may come out of a cache that leaves out Age.
Rule 4: what is known is one immutable tuple, published by one attribute store: reading takes no
        lock.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from router.clock.ntp import PHI

if TYPE_CHECKING:
    from router.clock.select import Interval

__all__ = ["MOST_STALE", "OLDEST", "RESOLUTION", "STALENESS", "DateTracker", "Heard", "Known"]

RESOLUTION = 1.0
STALENESS = (0.5, 1.0)
MOST_STALE = STALENESS[-1]
FORGIVEN_AFTER = 3600.0
OLDEST = 0.5 / PHI  # by then one answer tells more


class Heard(Enum):
    """What an answer brought.

    UNCHANGED: nothing new. CHANGED: another interval. STEPPED: the server is ahead of all that it
    said before: it was stepped, or this machine paused without noticing, or its Dates turn out to
    be late. BEHIND: it was set back.
    """

    UNCHANGED = 0
    CHANGED = 1
    STEPPED = 2
    BEHIND = 3


class Doubt(NamedTuple):
    """A Date that is late beyond explaining, and the greatest theta if it is believed."""

    date: float
    high: float


class Known(NamedTuple):
    """What one server's answers say.

    Attributes:
        low: the least theta at boot time `at`.
        high: the greatest, were its Dates fresh.
        at: boot time, in seconds.
        stale: seconds by which its Dates are held to be late at most.
        shown: boot time when that was last seen to be needed.
        doubt: what the next may have to decide.
    """

    low: float
    high: float
    at: float
    stale: float = 0.0
    shown: float = 0.0
    doubt: Doubt | None = None

    def aged(self, now: float) -> Known:
        """Return the same as of boot time `now`."""
        grown = PHI * abs(now - self.at)
        return self._replace(low=self.low - grown, high=self.high + grown, at=now)

    def edges(self, stale: float = 0.0) -> Interval:
        """Return the least and greatest theta at boot time `at`, if Dates are so late at least."""
        return self.low, self.high + max(self.stale, stale)


class DateTracker:
    """The clock of one server; one thread at a time may let it `hear`.

    Attributes:
        known: what its answers said, as of the last that told something; None before the first.
    """

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: Known | None = None

    def interval(self, now: float) -> Interval | None:
        """Return the least and greatest theta at boot time `now`; None before the first answer."""
        known = self.known
        return None if known is None else known.aged(now).edges()

    def knows(self, date: float, *, asked: float, received: float) -> bool:
        """Return whether an answer says nothing new; needs no lock."""
        known = self.known
        if known is None or known.doubt is not None:
            return False
        grown = PHI * abs(received - known.at)
        return (
            date - received <= known.low - grown and date + RESOLUTION - asked >= known.high + grown
        )

    def hear(self, date: float, *, asked: float, received: float) -> Heard:
        """Take the Date of an answer, in Unix seconds, and the boot times around its exchange."""
        known = self.known
        if known is not None and self.knows(date, asked=asked, received=received):
            return Heard.UNCHANGED
        sample = Known(date - received, date + RESOLUTION - asked, received)
        if known is None:
            self.known = sample
            return Heard.CHANGED
        before = known.aged(received)
        stale = _staleness(before, sample)
        if stale is None:
            return self._contradict(before, sample, date)
        self.known = after = _both(before, sample, stale)
        if stale > before.stale and sample.low > before.low:
            return Heard.STEPPED
        return Heard.CHANGED if after.edges() != before.edges() else Heard.UNCHANGED

    def _contradict(self, before: Known, sample: Known, date: float) -> Heard:
        """Start anew from the sample, with the staleness: a step changes no server's software."""
        ahead = sample.low > before.low
        if not ahead and (before.doubt is None or before.doubt.date == date):
            self.known = before._replace(doubt=Doubt(date, sample.high))
            return Heard.UNCHANGED
        self.known = sample._replace(stale=before.stale, shown=before.shown)
        return Heard.STEPPED if ahead else Heard.BEHIND


def _staleness(before: Known, sample: Known) -> float | None:
    """Return how late Dates must be for both to be true; None if that is too late."""
    gap = max(before.low, sample.low) - min(before.high, sample.high)
    if gap <= before.stale:
        return before.stale
    return next((stale for stale in STALENESS if gap <= stale), None)


def _both(before: Known, sample: Known, stale: float) -> Known:
    """Return what both say together, and forgive a staleness that nothing showed for long."""
    low, high = max(before.low, sample.low), min(before.high, sample.high)
    shown = sample.at if low > high else before.shown
    if sample.at - shown > FORGIVEN_AFTER:
        stale = 0.0  # by now the upper edges that were too low have aged by more than that
    doubt = before.doubt
    if doubt is not None and sample.low > doubt.high:
        doubt = None
    return Known(low, high, sample.at, stale, shown, doubt)
