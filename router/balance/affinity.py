"""Where a conversation was last: it stays there while that is well, since caches live there.

Rule 1: a pin is a wish, not a constraint: it gives way to constraints, ejection, drain and a crowd.
Rule 2: whoever is sent elsewhere is pinned there; it does not return when the old place is well
        again, for its caches are now in the new one.
Rule 3: the memory is bounded, and forgets who was longest not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachetools import LRUCache

if TYPE_CHECKING:
    from router.balance.state import State

__all__ = ["Affinity"]

MOST_PINS = 16_384


class Affinity:
    """Pins of conversations to endpoints, by name; only the pool touches it."""

    __slots__ = ("_pins",)

    def __init__(self) -> None:
        self._pins: LRUCache[str, str] = LRUCache(MOST_PINS)

    def endpoint(self, key: str) -> str | None:
        """Return the name of the endpoint that the conversation is pinned to."""
        name: str | None = self._pins.get(key)
        return name

    def pin(self, key: str, state: State) -> None:
        """Pin a conversation to the endpoint it is sent to."""
        self._pins[key] = state.endpoint.name
