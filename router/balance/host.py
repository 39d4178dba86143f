"""How busy this process was: what it computed meanwhile, no endpoint can be blamed for.

Two hundred requests started at once keep an event loop busy for half a second. The first of their
answers lie in its sockets all that time, and none of them is late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["IDLE", "Host"]


class Host:
    """The seconds that this process has computed; looked at now and then, and remembered."""

    __slots__ = ("_read", "busy")

    def __init__(self, read: Callable[[], float]) -> None:
        """`read` tells the seconds, as `time.process_time` does."""
        self._read = read
        self.busy = 0.0

    def look(self) -> None:
        """Look how much it is now."""
        self.busy = self._read()


IDLE = Host(lambda: 0.0)
"""A host that never computes."""
