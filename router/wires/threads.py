"""The pools that all threads of a process share.

Rule 1: a pool of connections of our own is the one of tasks; only what waits in it blocks.
Rule 2: a connection that nobody holds any more takes no room: an interrupt may come at any moment,
        also before who took a connection could give it back.
Rule 3: a forked child begins with no pools, and lets go of the parent's connections, which it
        does not end for the parent.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from router.errors import ClosedError
from router.forks import register
from router.net.awaited import AwaitedBackend, BlockingWaking
from router.wires.bounds import CLOSED
from router.wires.pool import Pool

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from router.endpoint import Endpoint
    from router.wires.loops import Server

__all__ = ["PoolOfThreads", "PoolsOfThreads"]

P = TypeVar("P")


class PoolOfThreads(Pool):
    """The connections of a process to one server."""

    waking = BlockingWaking
    backend = AwaitedBackend
    holds = weakref.WeakSet

    def __init__(self, endpoint: Endpoint, core: Any, tls: ssl.SSLContext | None) -> None:
        super().__init__(endpoint, core, tls)
        register(self)

    def reset_after_fork(self) -> None:
        """Leave the connections to the parent; a body that is open here breaks off."""
        self._lock = threading.RLock()
        self._closed = True
        for connection in list(self.connections):
            if connection.stream is not None:
                connection.stream.sever()  # here alone
        self._turns.clear()
        self._idle.clear()


class PoolsOfThreads(Generic[P]):
    """The pools of a wire, by server."""

    def __init__(self) -> None:
        self.reset_after_fork()
        register(self)

    def reset_after_fork(self) -> None:
        """Leave the parent's connections to the parent."""
        self._closed = False
        self._pools: dict[Server, P] = {}
        self._lock = threading.Lock()

    def of(self, endpoint: Endpoint, make: Callable[[Endpoint], P]) -> P:
        """Return the pool of an endpoint's server, made when first used.

        Raises:
            ClosedError: the wire was closed.
        """
        return self._pools.get(endpoint.server) or self._open(endpoint, make)

    def _open(self, endpoint: Endpoint, make: Callable[[Endpoint], P]) -> P:
        with self._lock:
            if self._closed:
                raise ClosedError(CLOSED)
            server = endpoint.server
            if server not in self._pools:
                self._pools[server] = make(endpoint)
            return self._pools[server]

    def there_are(self) -> dict[Server, P]:
        """Return those that are open; the wire may be closed."""
        return self._pools

    def close(self) -> list[P]:
        """Open none from now on; return what there is, to be closed by the caller."""
        with self._lock:
            self._closed = True
            pools, self._pools = list(self._pools.values()), {}
        return pools
