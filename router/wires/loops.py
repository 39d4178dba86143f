"""Pools apart for each event loop: a connection belongs to the loop that opened it.

Rule 1: what belongs to a loop that was closed is forgotten: it holds the loop, which would stay
        for ever.
Rule 2: a forked child begins with none: the parent's connections are the parent's.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING, Generic, TypeVar

from router.errors import ClosedError
from router.forks import register
from router.wires.bounds import CLOSED

if TYPE_CHECKING:
    from typing import TypeAlias

    Server: TypeAlias = tuple[str, str, int, str | None]

__all__ = ["PoolsByLoop"]

P = TypeVar("P")


class PoolsByLoop(Generic[P]):
    """The pools of a wire, by loop and by server."""

    def __init__(self) -> None:
        self.reset_after_fork()
        register(self)

    def reset_after_fork(self) -> None:
        """Leave the parent's connections to the parent."""
        self._closed = False
        self._by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Server, P]] = (
            weakref.WeakKeyDictionary()
        )
        self._lock = threading.Lock()

    def here(self) -> dict[Server, P]:
        """Return the pools of the running loop.

        Raises:
            ClosedError: the wire was closed.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._closed:
                raise ClosedError(CLOSED)
            pools = self._by_loop.get(loop)
            if pools is None:
                self._forget_closed_loops()
                pools = self._by_loop[loop] = {}
            return pools

    def there_are(self) -> dict[Server, P]:
        """Return the pools of the running loop, if it has any; the wire may be closed."""
        return self._by_loop.get(asyncio.get_running_loop(), {})

    def close(self) -> dict[Server, P]:
        """Open none from now on; return the running loop's, to be closed by the caller."""
        with self._lock:
            self._closed = True
            pools = self._by_loop.pop(asyncio.get_running_loop(), {})
            self._forget_closed_loops()
        return pools

    def _forget_closed_loops(self) -> None:
        for loop in [loop for loop in self._by_loop if loop.is_closed()]:
            del self._by_loop[loop]
