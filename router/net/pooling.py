"""The core's connection pools, held to one request a connection.

Rule 1: an HTTP/2 connection carries one request at a time, like one of HTTP/1.1. In the core many
        share it: there the read timeout of one fails all, their deadlines wait for each other's
        locks, and none can be broken off alone.
Rule 2: a connection over which more came than the answer is not used again: the rest would be taken
        for the answer of the next request.
"""

from __future__ import annotations

from functools import partial
from typing import Any

__all__ = ["guarded"]


def guarded(kind: type[Any]) -> type[Any]:
    """Return a pool class of the core whose connections obey these rules."""

    class Guarded(kind):  # type: ignore[misc] # one of two libraries' classes
        """A pool of connections for one request each."""

        def create_connection(self, *origin: Any) -> Any:
            """Return a new connection, not open yet."""
            made = super().create_connection(*origin)
            made.is_available = made.is_idle
            made.has_expired = partial(_is_spent, made, made.has_expired)
            return made

    return Guarded


def _is_spent(connection: Any, has_expired: Any) -> bool:
    """Return whether an idle connection cannot be used: closed, too old, or with more to say."""
    if has_expired():
        return True
    inner = getattr(connection, "_connection", None)  # the core offers no other way to ask
    parser = getattr(inner, "_h11_state", None)
    return parser is not None and connection.is_idle() and bool(parser.trailing_data[0])
