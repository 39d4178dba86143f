"""The wire: one connection pool an endpoint, over the family's own core.

Rule 1: a pool an endpoint. In one shared pool a request's time grows with the idle connections to
        other regions: with a hundred of them it took seven to fifteen times as long.
Rule 2: raw pairs of bytes go straight to the core, so no request object is built on the way.
Rule 3: the connection goes to `endpoint.address` where that is set; Host and the TLS name stay
        the URL's. Certificates are always verified.
Rule 4: an asyncio pool belongs to the loop that opened it; each loop has its own.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING, Any

from router.call import Answer
from router.forks import register

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from router.call import Outgoing
    from router.endpoint import Endpoint
    from router.families import Family
    from router.lease import Lease

__all__ = ["AsyncWires", "Wires"]

MOST_CONNECTIONS = 1000
MOST_IDLE = 100
IDLE_SECONDS = 30.0


class _Pools:
    """What both kinds of wire share: building requests, finding pools, judging failures."""

    def __init__(self, family: Family, tls: Callable[[], ssl.SSLContext]) -> None:
        self._family = family
        self._tls = tls

    def _pool(self, kind: Any, endpoint: Endpoint) -> Any:
        secure = endpoint.origin.scheme == "https"
        return kind(
            ssl_context=self._tls() if secure else None,
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=MOST_IDLE,
            keepalive_expiry=IDLE_SECONDS,
        )

    def _request(self, request: Outgoing) -> Any:
        endpoint, core = request.endpoint, self._family.core
        origin = endpoint.origin
        extensions = {**request.extensions, "timeout": request.timeouts}
        if endpoint.address is not None and origin.scheme == "https":
            extensions["sni_hostname"] = origin.host
        return core.Request(
            method=request.method,
            url=core.URL(
                scheme=origin.scheme,
                host=endpoint.address or origin.host,
                port=origin.port,
                target=request.target,
            ),
            headers=request.headers,
            content=request.body.stream,
            extensions=extensions,
        )

    def _answer(self, response: Any) -> Answer:
        return Answer(response.status, response.headers, response.stream, response.extensions)

    def _failed(self, error: Exception) -> None:
        failure = self._family.failure(error)
        if failure is not None:
            raise failure from error


class Wires(_Pools):
    """Blocking pools, opened when first used."""

    def __init__(self, family: Family, tls: Callable[[], ssl.SSLContext]) -> None:
        super().__init__(family, tls)
        self.reset_after_fork()
        register(self)

    def reset_after_fork(self) -> None:
        """Leave the parent's connections to the parent."""
        self._pools: dict[Endpoint, Any] = {}
        self._lock = threading.Lock()

    def send(self, request: Outgoing) -> Answer:
        """Send and return the response with its body unread; raise SendFailure."""
        pool = self._pools.get(request.endpoint) or self._open(request.endpoint)
        try:
            return self._answer(pool.handle_request(self._request(request)))
        except Exception as error:
            self._failed(error)
            raise

    def _open(self, endpoint: Endpoint) -> Any:
        with self._lock:
            if endpoint not in self._pools:
                self._pools[endpoint] = self._pool(self._family.core.ConnectionPool, endpoint)
            return self._pools[endpoint]

    def keep(self, answer: Answer, most: int) -> Answer | None:
        """Read up to `most` bytes, close, and return the answer in memory, or None."""
        chunks: list[bytes] = []
        try:
            for chunk in answer.stream:
                chunks.append(chunk)
                if sum(map(len, chunks)) > most:
                    return None
        except Exception as error:
            if self._family.foreign(error) is None:
                raise
            return None
        finally:
            answer.stream.close()
        return _in_memory(answer, chunks)

    def close(self) -> None:
        """Close every pool."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.close()


class AsyncWires(_Pools):
    """Suspending pools, opened when first used, apart for each event loop."""

    def __init__(self, family: Family, tls: Callable[[], ssl.SSLContext]) -> None:
        super().__init__(family, tls)
        self.cancellable = family.cancellable
        self.reset_after_fork()
        register(self)

    def reset_after_fork(self) -> None:
        """Leave the parent's connections to the parent."""
        self._by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Endpoint, Any]] = (
            weakref.WeakKeyDictionary()
        )
        self._abandoned: set[asyncio.Task[None]] = set()
        self._lock = threading.Lock()

    async def send(self, request: Outgoing) -> Answer:
        """Send and return the response with its body unread; raise SendFailure."""
        pools = self._pools()
        pool = pools.get(request.endpoint)
        if pool is None:
            kind = self._family.core.AsyncConnectionPool
            pool = pools[request.endpoint] = self._pool(kind, request.endpoint)
        try:
            return self._answer(await pool.handle_async_request(self._request(request)))
        except Exception as error:
            self._failed(error)
            raise

    def _pools(self) -> dict[Endpoint, Any]:
        loop = asyncio.get_running_loop()
        with self._lock:
            return self._by_loop.setdefault(loop, {})

    def abandon(self, task: asyncio.Task[Answer], lease: Lease) -> None:
        """Let a send that nobody waits for end by itself, then close it and give its lease back."""
        closing = asyncio.get_running_loop().create_task(_close_when_done(task, lease))
        self._abandoned.add(closing)
        closing.add_done_callback(self._abandoned.discard)

    async def keep(self, answer: Answer, most: int) -> Answer | None:
        """Read up to `most` bytes, close, and return the answer in memory, or None."""
        chunks: list[bytes] = []
        try:
            async for chunk in answer.stream:
                chunks.append(chunk)
                if sum(map(len, chunks)) > most:
                    return None
        except Exception as error:
            if self._family.foreign(error) is None:
                raise
            return None
        finally:
            await answer.stream.aclose()
        return _in_memory(answer, chunks)

    async def aclose(self) -> None:
        """Close this loop's pools; those of other loops go with their loops."""
        pools = self._pools()
        while pools:
            _, pool = pools.popitem()
            await pool.aclose()


async def _close_when_done(task: asyncio.Task[Answer], lease: Lease) -> None:
    try:
        answer = await task
        await answer.stream.aclose()
    except Exception:  # noqa: BLE001, S110 - nobody is left to hear of it
        pass
    finally:
        lease.give_back()


def _in_memory(answer: Answer, chunks: list[bytes]) -> Answer:
    return Answer(answer.status, answer.headers, None, answer.extensions, b"".join(chunks))
