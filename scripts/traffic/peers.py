"""The policies that everybody knows, which learn nothing or count what is in flight."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from traffic.peer import Peer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from traffic.world import World

__all__ = ["LeastRequests", "Nearest", "Random", "RoundRobin", "less_busy"]


class Random(Peer):
    """Any region."""

    def best(self, names: Sequence[str], now: float) -> str:  # noqa: ARG002
        """Return one by chance."""
        return self.chance.choice(names)


class RoundRobin(Peer):
    """Each region in turn."""

    def __init__(self, world: World, client: int) -> None:
        super().__init__(world, client)
        self._turns = deque(self.names)
        self._turns.rotate(-self.chance.randrange(len(self.names)))

    def best(self, names: Sequence[str], now: float) -> str:  # noqa: ARG002
        """Return the one whose turn is next, and put it behind all others."""
        name = next(name for name in self._turns if name in names)
        self._turns.remove(name)
        self._turns.append(name)
        return name


class Nearest(Peer):
    """The nearest region by geography, whatever happens."""

    def best(self, names: Sequence[str], now: float) -> str:
        """Return the first: that is their order."""
        del now
        return names[0]


class LeastRequests(Peer):
    """The less busy of two drawn by chance, as in Envoy, nginx and Finagle."""

    def best(self, names: Sequence[str], now: float) -> str:  # noqa: ARG002
        """Return the one with fewer requests in flight."""
        return less_busy(self, names)


def less_busy(peer: Peer, names: Sequence[str]) -> str:
    """Draw two of these, and return the one with less in flight."""
    drawn = peer.chance.sample(names, min(2, len(names)))
    return min(drawn, key=lambda name: peer.in_flight[name])
