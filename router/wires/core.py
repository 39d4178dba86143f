"""The wire over the family's own core: httpcore's or httpcore2's pools, one a server.

Rule 1: raw pairs of bytes go straight to the core, so no request object is built on the way.
Rule 2: headers reach the core unread, since reading them takes the time (`departure`): the core
        iterates over them when it writes them. Where a signer runs then, the target is its as well.
Rule 3: names, connections and streams are this package's own (`net`): their waits end in time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from router.call import Answer
from router.departure import Departure, LateUrl
from router.net.blocking import BlockingBackend
from router.net.pooling import guarded
from router.net.resolver import shared_resolver
from router.net.suspending import SuspendingBackend
from router.straight import straight
from router.wires import bounds
from router.wires.loops import PoolsByLoop
from router.wires.threads import PoolsOfThreads

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from router.call import Outgoing, Timeouts
    from router.endpoint import Endpoint
    from router.families import Family

__all__ = ["CoreTasks", "CoreThreads"]


class _Pools:
    """What both kinds of wire share: building requests and pools, judging failures."""

    def __init__(
        self, family: Family, tls: Callable[[], ssl.SSLContext], *, http2: bool = False
    ) -> None:
        self._family = family
        self._tls = tls
        self._http2 = http2

    def _pool(self, kind: Any, backend: Any, endpoint: Endpoint) -> Any:
        secure = endpoint.origin.scheme == "https"
        return guarded(kind, self._family.core)(
            ssl_context=self._tls() if secure else None,
            http2=self._http2,
            max_connections=bounds.MOST_CONNECTIONS,
            max_keepalive_connections=bounds.MOST_IDLE,
            keepalive_expiry=bounds.IDLE_SECONDS,
            network_backend=backend(self._family.core, shared_resolver()),
        )

    def _request(self, request: Outgoing) -> Any:
        endpoint, core = request.endpoint, self._family.core
        origin = endpoint.origin
        extensions = {**request.extensions, "timeout": request.timeouts}
        if endpoint.address is not None and origin.scheme == "https":
            extensions["sni_hostname"] = origin.host
        made = core.Request(
            method=request.method,
            url=core.URL(
                scheme=origin.scheme,
                host=endpoint.address or origin.host,
                port=origin.port,
                target=request.target,
            ),
            content=request.body.stream,
            extensions=extensions,
        )
        made.headers = request.headers
        if isinstance(request.headers, Departure) and request.headers.signs:
            made.url = LateUrl(made.url, request.headers)
        return made

    def _answer(self, response: Any) -> Answer:
        return Answer(response.status, response.headers, response.stream, response.extensions)

    def _failed(self, error: Exception, timeouts: Timeouts) -> None:
        failure = self._family.failure(error)
        if failure is not None:
            failure.stale = timeouts.stale
            raise failure from error


class CoreThreads(_Pools):
    """Blocking pools, opened when first used."""

    def __init__(
        self, family: Family, tls: Callable[[], ssl.SSLContext], *, http2: bool = False
    ) -> None:
        super().__init__(family, tls, http2=http2)
        self.pools: PoolsOfThreads[Any] = PoolsOfThreads()

    def send(self, request: Outgoing) -> Answer:
        """Send and return the response with its body unread; raise SendFailure."""
        pool = self.pools.of(request.endpoint, self._open)
        try:
            return self._answer(pool.handle_request(self._request(request)))
        except Exception as error:
            if request.timeouts.stale:
                pool.distrust()
            self._failed(error, request.timeouts)
            raise

    def _open(self, endpoint: Endpoint) -> Any:
        return self._pool(self._family.core.ConnectionPool, BlockingBackend, endpoint)

    def close(self) -> None:
        """Close every pool; what still waits for its turn is not sent."""
        for pool in self.pools.close():
            pool.close()


class CoreTasks(_Pools):
    """Suspending pools, opened when first used, apart for each event loop."""

    def __init__(
        self, family: Family, tls: Callable[[], ssl.SSLContext], *, http2: bool = False
    ) -> None:
        super().__init__(family, tls, http2=http2)
        self.pools: PoolsByLoop[Any] = PoolsByLoop()
        self._closing: set[asyncio.Task[None]] = set()

    async def send(self, request: Outgoing) -> Answer:
        """Send and return the response with its body unread; raise SendFailure."""
        pools = self.pools.here()
        server = request.endpoint.server
        pool = pools.get(server)
        if pool is None:
            kind = self._family.core.AsyncConnectionPool
            pool = pools[server] = self._pool(kind, SuspendingBackend, request.endpoint)
        try:
            return self._answer(await straight(pool.handle_async_request(self._request(request))))
        except Exception as error:
            if request.timeouts.stale:
                pool.distrust()
            self._close_orphans(pool)
            self._failed(error, request.timeouts)
            raise
        except asyncio.CancelledError:
            self._close_orphans(pool)
            raise

    def sweep(self) -> None:
        """Close what a cancelled task left open."""
        for pool in self.pools.there_are().values():
            self._close_orphans(pool)

    def _close_orphans(self, pool: Any) -> None:
        for orphan in _orphans(pool):
            pool._connections.remove(orphan)  # noqa: SLF001 - the core offers no other way
            closing = asyncio.get_running_loop().create_task(orphan.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Close this loop's pools; those of other loops go with their loops."""
        pools = self.pools.close()
        while pools:
            _, pool = pools.popitem()
            await pool.aclose()


def _orphans(pool: Any) -> list[Any]:
    """Return the connections that no request has, and that are neither idle nor closed.

    The cores keep them for ever. One is given to a request whose wait for it ends or is cancelled
    in that moment, or its request is cancelled while it closes it, or, over HTTP/2, at all.
    """
    used = {id(request.connection) for request in pool._requests}  # noqa: SLF001 - none tells
    return [
        connection
        for connection in pool._connections  # noqa: SLF001
        if not (id(connection) in used or connection.is_idle() or connection.is_available())
    ]
