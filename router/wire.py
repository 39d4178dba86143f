"""The wire: one connection pool an endpoint, over the family's own core.

Rule 1: a pool a server. In one shared pool a request's time grows with the idle connections to
        other regions: with a hundred of them it took seven to fifteen times as long.
Rule 2: raw pairs of bytes go straight to the core, so no request object is built on the way.
Rule 3: the connection goes to `endpoint.address` where that is set; Host and the TLS name stay
        the URL's. Certificates are always verified.
Rule 4: headers reach the core unread, since reading them takes the time (`departure`): the core
        iterates over them when it writes them. Where a signer runs then, the target is its as well.
Rule 5: an asyncio pool belongs to the loop that opened it; each loop has its own.
Rule 6: names, connections and streams are this package's own (`net`): their waits end in time.
"""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from router.call import KEPT_WITHIN, Answer
from router.departure import Departure, LateUrl
from router.errors import ClosedError
from router.forks import register
from router.net.blocking import BlockingBackend
from router.net.pooling import guarded
from router.net.resolver import shared_resolver
from router.net.suspending import SuspendingBackend
from router.straight import straight

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from router.call import Outgoing, Timeouts
    from router.endpoint import Endpoint
    from router.families import Family

    Server = tuple[str, str, int, str | None]

__all__ = ["AsyncWires", "Wires"]

MOST_CONNECTIONS = 1000
MOST_IDLE = 20
"""The core looks at idle connections for each request: with 100, bursts took 7 times as long."""
IDLE_SECONDS = 30.0
MOST_KEPT = 64 * 1024
CLOSED = "this client is closed: make a new one"


class _Pools:
    """What both kinds of wire share: building requests, finding pools, judging failures."""

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
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=MOST_IDLE,
            keepalive_expiry=IDLE_SECONDS,
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

    def _failed(self, error: Exception, timeouts: Timeouts | None = None) -> None:
        failure = self._family.failure(error)
        if failure is not None:
            failure.stale = timeouts is not None and timeouts.stale
            raise failure from error


class Wires(_Pools):
    """Blocking pools, opened when first used."""

    def __init__(
        self, family: Family, tls: Callable[[], ssl.SSLContext], *, http2: bool = False
    ) -> None:
        super().__init__(family, tls, http2=http2)
        self.reset_after_fork()
        register(self)

    def reset_after_fork(self) -> None:
        """Leave the parent's connections to the parent."""
        self._closed = False
        self._pools: dict[Server, Any] = {}
        self._lock = threading.Lock()

    def send(self, request: Outgoing) -> Answer:
        """Send and return the response with its body unread; raise SendFailure."""
        pool = self._pools.get(request.endpoint.server) or self._open(request.endpoint)
        try:
            return self._answer(pool.handle_request(self._request(request)))
        except Exception as error:
            if request.timeouts.stale:
                pool.distrust()
            self._failed(error, request.timeouts)
            raise

    def _open(self, endpoint: Endpoint) -> Any:
        with self._lock:
            if self._closed:
                raise ClosedError(CLOSED)
            server = endpoint.server
            if server not in self._pools:
                kind = self._family.core.ConnectionPool
                self._pools[server] = self._pool(kind, BlockingBackend, endpoint)
            return self._pools[server]

    def read(self, answer: Answer) -> Answer:
        """Read the whole body, close, and return the answer in memory; raise SendFailure."""
        try:
            content = b"".join(answer.stream)
        except Exception as error:
            self._failed(error)
            raise
        finally:
            answer.stream.close()
        return replace(answer, stream=None, content=content)

    def keep(self, answer: Answer) -> Answer:
        """Read a short body, close, and return the answer in memory."""
        kept = Kept(self._family)
        try:
            with kept:
                for chunk in answer.stream:
                    if not kept.take(chunk):
                        break
        finally:
            answer.stream.close()
        return kept.copy_of(answer)

    def close(self) -> None:
        """Close every pool; what still waits for its turn is not sent."""
        with self._lock:
            self._closed = True
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.close()


class AsyncWires(_Pools):
    """Suspending pools, opened when first used, apart for each event loop."""

    def __init__(
        self, family: Family, tls: Callable[[], ssl.SSLContext], *, http2: bool = False
    ) -> None:
        super().__init__(family, tls, http2=http2)
        self.reset_after_fork()
        register(self)

    def reset_after_fork(self) -> None:
        """Leave the parent's connections to the parent."""
        self._closed = False
        self._by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Server, Any]] = (
            weakref.WeakKeyDictionary()
        )
        self._closing: set[asyncio.Task[None]] = set()
        self._lock = threading.Lock()

    async def send(self, request: Outgoing) -> Answer:
        """Send and return the response with its body unread; raise SendFailure."""
        pools = self._pools()
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

    def _pools(self) -> dict[Server, Any]:
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._closed:
                raise ClosedError(CLOSED)
            pools = self._by_loop.get(loop)
            if pools is None:
                self._forget_closed_loops()
                pools = self._by_loop[loop] = {}
            return pools

    def _forget_closed_loops(self) -> None:
        """Let go of connections whose loop has ended: they hold it, so it would stay for ever."""
        for loop in [loop for loop in self._by_loop if loop.is_closed()]:
            del self._by_loop[loop]

    def sweep(self) -> None:
        """Close what a cancelled task left open."""
        for pool in self._by_loop.get(asyncio.get_running_loop(), {}).values():
            self._close_orphans(pool)

    def _close_orphans(self, pool: Any) -> None:
        for orphan in _orphans(pool):
            pool._connections.remove(orphan)  # noqa: SLF001 - the core offers no other way
            closing = asyncio.get_running_loop().create_task(orphan.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def read(self, answer: Answer) -> Answer:
        """Read the whole body, close, and return the answer in memory; raise SendFailure."""
        try:
            content = await straight(_whole(answer.stream))
        except asyncio.CancelledError:
            self.sweep()
            raise
        except Exception as error:
            self._failed(error)
            raise
        return replace(answer, stream=None, content=content)

    async def keep(self, answer: Answer) -> Answer:
        """Read a short body, close, and return the answer in memory."""
        kept = Kept(self._family)
        try:
            with kept:
                await straight(_begun(answer.stream, kept))
        except asyncio.CancelledError:
            self.sweep()
            raise
        return kept.copy_of(answer)

    async def end(self, stream: Any) -> None:
        """Close a body."""
        try:
            await straight(stream.aclose())
        except asyncio.CancelledError:
            self.sweep()
            raise

    async def aclose(self) -> None:
        """Close this loop's pools; those of other loops go with their loops."""
        with self._lock:
            self._closed = True
            pools = self._by_loop.pop(asyncio.get_running_loop(), {})
            self._forget_closed_loops()
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


async def _whole(stream: Any) -> bytes:
    """Return the body, and close."""
    try:
        return b"".join([chunk async for chunk in stream])
    finally:
        await stream.aclose()


async def _begun(stream: Any, kept: Kept) -> None:
    """Take of the body what is kept, and close."""
    try:
        async for chunk in stream:
            if not kept.take(chunk):
                break
    finally:
        await stream.aclose()


class Kept:
    """The body of an answer that is put aside: whole if it is short and quick, else nothing."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._chunks: list[bytes] = []
        self._size = 0
        self._until = time.monotonic() + KEPT_WITHIN
        self._whole = False

    def take(self, chunk: bytes) -> bool:
        """Take a part; return whether to go on."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        return self._size <= MOST_KEPT and time.monotonic() <= self._until

    def __enter__(self) -> None:
        self._whole = False

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        in_time = self._size <= MOST_KEPT and time.monotonic() <= self._until
        self._whole = error is None and in_time
        return isinstance(error, Exception) and self._family.foreign(error) is not None

    def copy_of(self, answer: Answer) -> Answer:
        """Return the answer with this body; without one, the head says so."""
        if self._whole:
            body = b"".join(self._chunks)
            return replace(answer, stream=None, content=body)
        return answer.without_body()
