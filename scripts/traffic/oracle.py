"""Who knows every queue and every fault.

Rule: it takes the region whose answer would be there first, for a request of usual work. It is
      greedy: it spares no near slot for a request to come, so it can be beaten, if only just.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.peer import Peer
from traffic.scenario import WORK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from traffic.world import World

__all__ = ["Oracle"]


class Oracle(Peer):
    """Reads the servers themselves."""

    def __init__(self, world: World, client: int) -> None:
        super().__init__(world, client)
        self._servers = world.servers
        self._engine = world.engine

    def best(self, names: Sequence[str], now: float) -> str:  # noqa: ARG002
        """Return the region that would answer first."""
        servers, moment = self._servers, self._engine.now
        return min(names, key=lambda name: servers[name].expected(moment, WORK))
