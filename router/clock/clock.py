"""What time it is, and by how much that may be wrong.

Rule 1: UTC is boot time plus theta. Boot time only runs forwards, through laptop sleep too, and is
        the same in every process, so neither a stepped wall clock nor a fork moves `now()`.
Rule 2: what is known is one immutable snapshot, published by one attribute store. There is one
        writer, the synchroniser; readers take no lock.
Rule 3: a bound never shrinks by waiting: it grows by PHI for every second since the snapshot.
Rule 4: where nothing is known the raw wall clock is returned with the bound UNBOUNDED, and the
        user's `when_unsure` decides (`router.clock.stamp`).
"""

from __future__ import annotations

import functools
import logging
import math
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

from router.clock.ntp import PHI

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.clock.select import Selection

__all__ = ["UNBOUNDED", "Clock", "Stamp", "Status", "boottime"]

Status = Literal["synchronised", "degraded", "holdover", "unsynchronised"]

UNBOUNDED = 2**63 - 1
"""The `bound_ns` of a stamp about which nothing is known: 292 years, above any limit."""

FULL_QUORUM = 4
NS = 1e9
log = logging.getLogger("router.clock")

boottime: Callable[[], float] = (
    functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic
)
"""Seconds since the host started; where the system tells, those it slept through are in it."""


class Stamp(NamedTuple):
    """A moment: Unix nanoseconds, right to `bound_ns`, and why that is believed.

    Attributes:
        ns: the best estimate of UTC.
        bound_ns: how far UTC can be from it; UNBOUNDED where nobody knows.
        status: synchronised (four servers or more agree), degraded (fewer do), holdover (the last
            round brought no majority), unsynchronised (the bound is above `max_error`).
        source: the rung of the ladder: `ntp` or `wall`.
    """

    ns: int
    bound_ns: int
    status: Status
    source: str

    @property
    def earliest_ns(self) -> int:
        """Return a time that is surely not in the future; the estimate itself if UNBOUNDED."""
        return self.ns if self.bound_ns == UNBOUNDED else self.ns - self.bound_ns

    @property
    def latest_ns(self) -> int:
        """Return a time that is surely not in the past; the estimate itself if UNBOUNDED."""
        return self.ns if self.bound_ns == UNBOUNDED else self.ns + self.bound_ns


class Snapshot(NamedTuple):
    """What the last synchronisation left: theta ± bound at boot time `taken`, in seconds."""

    theta: float
    bound: float
    taken: float
    status: Status
    source: str


class Clock:
    """UTC with a bound, for any thread; `Synchroniser` keeps it right.

    Args:
        max_error: seconds; a stamp with a larger bound is `unsynchronised`.
        settle_within: seconds a first request may wait for the first synchronisation; 0 where no
            server is configured.
        boottime: the clock that intervals are measured by, in seconds.
        wall: the host's own idea of Unix time, in seconds.
    """

    def __init__(
        self,
        *,
        max_error: float = 0.5,
        settle_within: float = 1.0,
        boottime: Callable[[], float] = boottime,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._max_error = max_error
        self._settle_within = settle_within
        self._boottime = boottime
        self._wall = wall
        self._snapshot: Snapshot | None = None
        self._settled = settle_within <= 0
        self._asked: float | None = None

    def now(self) -> Stamp:
        """Return the best estimate of UTC with its bound: for windows such as 5 s either way."""
        snapshot = self._snapshot
        if snapshot is None:
            return Stamp(int(self._wall() * NS), UNBOUNDED, "unsynchronised", "wall")
        theta, bound, taken, status, source = snapshot
        at = self._boottime()
        bound += PHI * (at - taken)
        if bound > self._max_error:
            status = "unsynchronised"
        return Stamp(int((at + theta) * NS), int(bound * NS) + 1, status, source)

    def time_ns(self) -> int:
        """Return the best estimate alone, in Unix nanoseconds."""
        return self.now().ns

    def earliest(self) -> int:
        """Return Unix nanoseconds that no true clock has yet to reach: for `iat` and `nbf`."""
        return self.now().earliest_ns

    def latest(self) -> int:
        """Return Unix nanoseconds that no true clock has passed: for checks of expiry."""
        return self.now().latest_ns

    def bound(self, now: float) -> float:
        """Return how many seconds the clock may be off at boot time `now`; inf if not known."""
        snapshot = self._snapshot
        return snapshot.bound + PHI * (now - snapshot.taken) if snapshot else math.inf

    def update(self, selection: Selection, now: float) -> None:
        """Take over what a majority says at boot time `now`, narrowed by what was known before."""
        new = _aged(selection.theta, selection.bound, now - selection.taken)
        old = self._snapshot
        before = _aged(old.theta, old.bound, now - old.taken) if old else new
        low, high = max(new[0], before[0]), min(new[1], before[1])
        if low > high:
            step = selection.theta - (before[0] + before[1]) / 2
            log.warning("the NTP servers now agree on a time %+.3f s from the old one", step)
            low, high = new
        theta = min(max(selection.theta, low), high)
        status: Status = "synchronised" if len(selection.used) >= FULL_QUORUM else "degraded"
        self._snapshot = Snapshot(theta, max(high - theta, theta - low), now, status, "ntp")
        self._settled = True

    def hold(self) -> None:
        """Say that the last round brought no majority: what was known stays, with its bound."""
        if self._snapshot:
            self._snapshot = self._snapshot._replace(status="holdover")

    def settle(self) -> None:
        """Say that the first synchronisation has ended, either way: nobody waits any more."""
        self._settled = True

    @property
    def settled(self) -> bool:
        """Whether the first synchronisation has ended, either way."""
        return self._settled

    def settling(self, now: float) -> float:
        """Return how many seconds a stamped request may still wait for the first synchronisation.

        The time runs from the first call, so `now` is of any one monotonic clock. Ask again after
        a few milliseconds rather than sleep it through: it falls to 0 when the answers are in.
        """
        if self._settled:
            return 0.0
        if self._asked is None:
            self._asked = now
        return max(0.0, self._asked + self._settle_within - now)


def _aged(theta: float, bound: float, age: float) -> tuple[float, float]:
    grown = bound + PHI * age
    return theta - grown, theta + grown
