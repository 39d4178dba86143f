"""The core's connection pools, held to one request a connection.

Rule 1: an HTTP/2 connection carries one request at a time, like one of HTTP/1.1. In the core many
        share it: there the read timeout of one fails all, their deadlines wait for each other's
        locks, and none can be broken off alone.
Rule 2: a connection over which more came than the answer is not used again: the rest would be taken
        for the answer of the next request. Nor is one that failed, or whose last answer was left
        before its end.
Rule 3: where one idle connection turned out to be closed, the others are no better (`distrust`):
        else a request might meet them one after another.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["guarded"]


@cache
def guarded(kind: type[Any], core: Any) -> type[Any]:
    """Return a pool class of the core whose connections obey these rules; one for all pools."""

    class Guarded(kind):  # type: ignore[misc] # one of two libraries' classes
        """A pool of connections for one request each."""

        distrusted = -math.inf

        def distrust(self) -> None:
            """Use no idle connection again that is open now."""
            self.distrusted = time.monotonic()

        def create_connection(self, *origin: Any) -> Any:
            """Return a new connection, not open yet."""
            made = super().create_connection(*origin)
            made.has_expired = partial(_is_spent, made, made.has_expired, self, time.monotonic())
            if self._http2:
                _Turn(made, core.ConnectionNotAvailable).guard()
            return made

    return Guarded


class _Turn:
    """Lets one request at a time onto a connection; the others look for another one."""

    def __init__(self, connection: Any, not_available: type[Exception]) -> None:
        self._connection = connection
        self._not_available = not_available
        self._is_available = connection.is_available
        self._taken = threading.Lock()

    def guard(self) -> None:
        """Put itself before the connection's own methods."""
        made = self._connection
        made.is_available = self.is_available
        made.can_multiplex = _no
        if hasattr(made, "handle_async_request"):
            made.handle_async_request = partial(self.send_async, made.handle_async_request)
        else:
            made.handle_request = partial(self.send, made.handle_request)

    def is_available(self) -> bool:
        """Return whether nobody uses it, or is about to."""
        idle = self._connection.is_idle() and not self._taken.locked()
        return idle and self._is_available()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others away up to the head of the answer; from then on it is not idle.

        Raises:
            Exception: the core's, which makes its pool look again: another request was quicker.
        """
        if not self._taken.acquire(blocking=False):
            raise self._not_available
        try:
            if self._connection._connection is not None and not self._connection.is_idle():  # noqa: SLF001 - none tells
                raise self._not_available
            yield
        finally:
            self._taken.release()

    def send(self, handle: Any, request: Any) -> Any:
        """Send, for threads."""
        with self._alone():
            return handle(request)

    async def send_async(self, handle: Any, request: Any) -> Any:
        """Send, for tasks."""
        with self._alone():
            return await handle(request)


def _no() -> bool:
    return False


def _is_spent(connection: Any, has_expired: Any, pool: Any, opened: float) -> bool:
    """Return whether an idle connection cannot be used: closed, too old, or not done."""
    if has_expired():
        return True
    inner = getattr(connection, "_connection", None)  # the core offers no other way to ask
    if inner is None or not connection.is_idle():
        return False
    parser = getattr(inner, "_h11_state", None)
    spent = _has_more(inner) if parser is None else bool(parser.trailing_data[0])
    spent = spent or opened <= pool.distrusted
    return bool(spent and connection.is_idle())  # still: another thread may have begun to use it


def _has_more(http2: Any) -> bool:
    """Return whether an HTTP/2 connection failed, was ended, or may bring more of an answer.

    What came over an idle one is its end, most often, and the core does not look.
    """
    if http2._network_stream.get_extra_info("is_readable"):  # noqa: SLF001
        return True
    streams = list(http2._h2_state.streams.values())  # noqa: SLF001
    return not http2.is_available() or any(stream.open for stream in streams)
