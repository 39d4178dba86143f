"""The core's connection pools, held to one request a connection.

Rule 1: an HTTP/2 connection carries one request at a time, like one of HTTP/1.1. In the core many
        share it: there the read timeout of one fails all, their deadlines wait for each other's
        locks, and none can be broken off alone.
Rule 2: a connection over which more came than the answer is not used again: the rest would be taken
        for the answer of the next request.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

__all__ = ["guarded"]


def guarded(kind: type[Any], core: Any) -> type[Any]:
    """Return a pool class of `core` whose connections obey these rules."""

    class Guarded(kind):  # type: ignore[misc] # one of two libraries' classes
        """A pool of connections for one request each."""

        def create_connection(self, *origin: Any) -> Any:
            """Return a new connection, not open yet."""
            made = super().create_connection(*origin)
            made.has_expired = partial(_is_spent, made, made.has_expired)
            if self._http2:
                _Turn(made, core.ConnectionNotAvailable)
            return made

    return Guarded


def _is_spent(connection: Any, has_expired: Any) -> bool:
    """Return whether an idle connection cannot be used: closed, too old, or with more to say."""
    if has_expired():
        return True
    inner = getattr(connection, "_connection", None)  # the core offers no other way to ask
    if inner is None or not inner.is_idle():
        return False
    parser = getattr(inner, "_h11_state", None)
    return not inner.is_available() or (parser is not None and bool(parser.trailing_data[0]))


class _Turn:
    """Lets one request at a time onto a connection; the core finds another one for the others."""

    def __init__(self, connection: Any, unavailable: type[Exception]) -> None:
        """Take the place of what the core asks a connection; `unavailable` is its own answer."""
        self._connection = connection
        self._unavailable = unavailable
        self._begins = threading.Lock()
        connection.can_multiplex = lambda: False
        self._works = connection.is_available
        connection.is_available = self._is_free
        if hasattr(connection, "handle_async_request"):
            self._send_async = connection.handle_async_request
            connection.handle_async_request = self._handle_async
        else:
            self._send = connection.handle_request
            connection.handle_request = self._handle

    def _is_free(self) -> bool:
        idle = not self._begins.locked() and self._connection.is_idle()
        return bool(idle and self._works())

    def _take(self) -> None:
        """Begin a request.

        Raises:
            Exception: the core's ConnectionNotAvailable, because another one is under way.
        """
        if not self._begins.acquire(blocking=False):
            raise self._unavailable
        inner = getattr(self._connection, "_connection", None)
        if inner is not None and not (inner.is_idle() and inner.is_available()):
            self._begins.release()
            raise self._unavailable

    def _handle(self, request: Any) -> Any:
        self._take()
        try:
            return self._send(request)
        finally:
            self._begins.release()

    async def _handle_async(self, request: Any) -> Any:
        self._take()
        try:
            return await self._send_async(request)
        finally:
            self._begins.release()
