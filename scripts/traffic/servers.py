"""One region: slots, a queue before them, a way there and back, and what goes wrong with it.

Rule 1: first come, first served. All clients are equally far, so requests arrive in the order of
        their sending, and what becomes of one is known when it is sent: that is what makes an
        oracle possible, and the simulation quick.
Rule 2: a request that its client gave up is worked on all the same: the server does not know.
Rule 3: faults are a script known beforehand, and nobody but the oracle reads it.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from random import Random

__all__ = ["STALL", "Fate", "Fault", "Server", "Site"]

STALL = 1.0
"""By how many seconds an answer that stalls comes late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a region from `start` to `end`, in seconds of the world.

    Attributes:
        name: as the chart shows it.
        start: when it begins.
        end: when all is well again.
        slower: factor on the time of its work.
        fails: share of its requests that it works on and then answers with 500.
        silent: it accepts and never answers.
        refuses: it accepts no connection.
        slots: how many it has left; None: all.
        rtt: factor on the way.
        stalls: share of its answers that come STALL seconds late.
    """

    name: str
    start: float
    end: float
    slower: float = 1.0
    fails: float = 0.0
    silent: bool = False
    refuses: bool = False
    slots: int | None = None
    rtt: float = 1.0
    stalls: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A region as it is built.

    Attributes:
        name: what it is called.
        rtt: seconds there and back.
        slots: how many requests it works on at once.
        noise: deviation of the logarithm of the way's time.
        faults: what goes wrong with it, one thing at a time.
    """

    name: str
    rtt: float
    slots: int
    noise: float = 0.03
    faults: tuple[Fault, ...] = ()


class Fate(NamedTuple):
    """When an answer is there (inf: never), and its status; None: the connection is refused."""

    at: float
    status: int | None


@dataclass(slots=True)
class Server:
    """A Site at work.

    Attributes:
        site: what it is.
        chance: noise of the way, and which requests fail.
        free: when each slot is free again, a heap.
        begun: faults whose slots are out of work.
    """

    site: Site
    chance: Random
    free: list[float] = field(init=False)
    begun: set[Fault] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.free = [0.0] * self.site.slots

    def fault(self, now: float) -> Fault | None:
        """Return what is wrong with it."""
        for fault in self.site.faults:
            if fault.start <= now < fault.end:
                return fault
        return None

    def way(self, now: float) -> float:
        """Return seconds there and back for a packet that leaves now."""
        fault = self.fault(now)
        rtt = self.site.rtt * (1.0 if fault is None else fault.rtt)
        return rtt * self.chance.lognormvariate(0.0, self.site.noise)

    def serve(self, now: float, work: float) -> Fate:
        """Take a request that is sent now and needs `work` seconds of a slot."""
        way = self.way(now)
        arrival = now + self.site.rtt / 2
        fault = self.fault(arrival)
        late = 0.0
        if fault is not None:
            if fault.silent:
                return Fate(math.inf, 200)
            if fault.refuses:
                return Fate(now + way, None)
            late = STALL if self._happens(fault.stalls) else 0.0
            work *= fault.slower
            self._close_slots(fault)
        end = max(self.free[0], arrival) + work
        heapq.heapreplace(self.free, end)
        failed = fault is not None and self._happens(fault.fails)
        return Fate(now + way + end - arrival + late, 500 if failed else 200)

    def expected(self, now: float, work: float) -> float:
        """Return when an answer would be there, if the request were sent now; for the oracle."""
        arrival = now + self.site.rtt / 2
        fault = self.fault(arrival)
        rtt = self.site.rtt
        if fault is not None:
            if fault.silent or fault.refuses or fault.fails:
                return math.inf
            work *= fault.slower
            rtt *= fault.rtt
            self._close_slots(fault)
        return now + rtt + max(self.free[0] - arrival, 0.0) + work

    def _happens(self, share: float) -> bool:
        return share > 0 and self.chance.random() < share

    def _close_slots(self, fault: Fault) -> None:
        """At the beginning of a fault, take the slots that are free first out of work."""
        if fault.slots is None or fault in self.begun:
            return
        self.begun.add(fault)
        for _ in range(self.site.slots - fault.slots):
            heapq.heapreplace(self.free, max(self.free[0], fault.end))
