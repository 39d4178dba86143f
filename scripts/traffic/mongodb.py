"""MongoDB's server selection: within 15 ms of the nearest, the less busy of two.

Rule 1: round trips are those of a heartbeat each 10 s, averaged with a weight of 0.2 for the
        newest; requests do not count.
Rule 2: of those within `localThresholdMS` two are drawn, and the one with fewer operations is
        taken.
Rule 3: one that refuses a connection or a heartbeat is unknown, and so is its average, until a
        heartbeat succeeds. A timeout or an error of one request says nothing.

Read for it: mongodb/specifications, `server-selection.md` and `server-monitoring.md`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from router.config.settings import Probe
from router.latency.probe import ProbeError
from traffic.peer import Peer
from traffic.peers import less_busy
from traffic.port import REFUSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from traffic.world import World

__all__ = ["LatencyWindow"]


class LatencyWindow(Peer):
    """EWMA of heartbeats, and a window."""

    EVERY = 10.0
    TIMEOUT = Probe().timeout
    WEIGHT = 0.2
    WINDOW = 0.015
    SOON = 0.5

    def __init__(self, world: World, client: int) -> None:
        super().__init__(world, client)
        self._world = world
        self._averages: dict[str, float] = {}
        self._checked = dict.fromkeys(self.names, now := world.now())
        self._due = dict.fromkeys(self.names, now)
        for name in self.names:
            world.engine.start(self._monitor(name))

    async def _monitor(self, name: str) -> None:
        """Send heartbeats; after a refusal, soon."""
        while True:
            while (wait := self._due[name] - self._world.now()) > 0:
                await self._world.engine.sleep(min(wait, self.SOON))
            self._checked[name] = self._world.now()
            self._due[name] = self._checked[name] + self.EVERY
            try:
                _, seconds = await self._world.probe(name, timeout=self.TIMEOUT)
            except ProbeError:
                self._averages.pop(name, None)
            else:
                old = self._averages.get(name, seconds)
                self._averages[name] = self.WEIGHT * seconds + (1 - self.WEIGHT) * old

    def best(self, names: Sequence[str], now: float) -> str:  # noqa: ARG002
        """Return the less busy of two within the window."""
        known = {name: self._averages.get(name, math.inf) for name in names}
        limit = min(known.values()) + self.WINDOW
        return less_busy(self, [name for name in names if known[name] <= limit])

    def usable(self, name: str, now: float) -> bool:  # noqa: ARG002
        """Return whether its round trip is known."""
        return name in self._averages

    def ended(self, name: str, elapsed: float, failure: str | None, now: float) -> None:
        """Forget one that refused, and look again soon."""
        del elapsed, now
        if failure == REFUSED:
            self._averages.pop(name, None)
            self._due[name] = min(self._due[name], self._checked[name] + self.SOON)
