"""Finagle's, tower's and linkerd's: the cheaper of two, by Peak-EWMA x (in flight + 1).

Rule 1: a latency above the average replaces it; one below draws it down with a decay of 10 s,
        and so does silence. Failures count by the time they took.
Rule 2: one that never answered costs nothing, unless it is busy: then it costs most.
Rule 3: five failures in a row put a region aside for 5 s, doubling to 300 s, half of it by
        chance; then one request decides.

Read for it: twitter/finagle, `loadbalancer/PeakEwma.scala`, `loadbalancer/p2c/P2CPick.scala` and
`liveness/FailureAccrualFactory.scala`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from traffic.peer import Peer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from traffic.world import World

__all__ = ["PeakEwma", "PeakEwmaOfAll"]


class PeakEwma(Peer):
    """The cheaper of two by Peak-EWMA, with failure accrual."""

    DECAY = 10.0
    PENALTY = 1e9
    FAILURES = 5
    ASIDE = 5.0
    LONGEST_ASIDE = 300.0

    def __init__(self, world: World, client: int) -> None:
        super().__init__(world, client)
        self._cost = dict.fromkeys(self.names, 0.0)
        self._seen = dict.fromkeys(self.names, 0.0)
        self._failures: defaultdict[str, int] = defaultdict(int)
        self._times_aside: defaultdict[str, int] = defaultdict(int)
        self._until: dict[str, float] = {}

    def best(self, names: Sequence[str], now: float) -> str:
        """Return the cheaper of two drawn by chance."""
        drawn = self.chance.sample(names, min(2, len(names)))
        return min(drawn, key=lambda name: self.load(name, now))

    def load(self, name: str, now: float) -> float:
        """Return what one request more would cost."""
        self._observe(name, 0.0, now)
        busy, cost = self.in_flight[name], self._cost[name]
        return self.PENALTY + busy if cost == 0.0 and busy else cost * (busy + 1)

    def _observe(self, name: str, latency: float, now: float) -> None:
        weight = math.exp(-(now - self._seen[name]) / self.DECAY)
        self._seen[name] = now
        cost = self._cost[name]
        self._cost[name] = latency if latency > cost else cost * weight + latency * (1 - weight)

    def usable(self, name: str, now: float) -> bool:
        """Return whether it is not aside, or may be tried again by one request."""
        until = self._until.get(name)
        return until is None or (now >= until and not self.in_flight[name])

    def ended(self, name: str, elapsed: float, failure: str | None, now: float) -> None:
        """Learn the latency, and whether it works."""
        self._observe(name, elapsed, now)
        if failure is None:
            self._failures[name] = self._times_aside[name] = 0
            self._until.pop(name, None)
            return
        self._failures[name] += 1
        if self._failures[name] >= self.FAILURES and now >= self._until.get(name, 0.0):
            half = min(self.LONGEST_ASIDE, self.ASIDE * 2.0 ** self._times_aside[name]) / 2
            self._until[name] = now + half + self.chance.uniform(0.0, half)
            self._times_aside[name] += 1


class PeakEwmaOfAll(PeakEwma):
    """The same cost, and the cheapest of all regions."""

    def best(self, names: Sequence[str], now: float) -> str:
        """Return the cheapest."""
        return min(names, key=lambda name: self.load(name, now))
