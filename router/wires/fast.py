"""The wire whose answers aiohttp's parser reads: connections are this package's own.

Rule 1: of aiohttp only the parser is used. Its session and its connector take 240 µs a request;
        they know no time that leaves with the headers, no limit that changes while one waits, and
        their TLS is asyncio's, which loses the end of a body (`net.tunnel`).
Rule 2: whatever goes wrong is raised as an exception of the family's core, in the core's words.
Rule 3: any of it may be cancelled or interrupted at any moment: closing a connection never waits.
Rule 4: no redirects, no cookies, no proxies of the environment, no headers of its own.
Rule 5: a thread runs the coroutine of a task, over connections that block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from router.call import Answer
from router.ports import run
from router.wires.aiohttp import Reading
from router.wires.exchange import BlockingBody, BlockingSwitched, Body, Each, Switched, write
from router.wires.loops import PoolsByLoop
from router.wires.pool import Pool
from router.wires.threads import PoolOfThreads, PoolsOfThreads

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from router.call import Outgoing
    from router.endpoint import Endpoint
    from router.families import Family
    from router.wires.pool import Connection

__all__ = ["FastTasks", "FastThreads"]

PART = 64 * 1024
AT_HAND = 0.01
"""Seconds to read what is there already."""


class _Fast:
    """What both kinds of wire share: all but where the pools are."""

    _pool_kind: ClassVar[type[Pool]] = Pool
    _body_kind: ClassVar[type[Body]] = Body
    _switched_kind: ClassVar[Any] = Switched
    _parts: ClassVar[Any] = staticmethod(aiter)

    def __init__(self, family: Family, tls: Callable[[], ssl.SSLContext]) -> None:
        self._family = family
        self._core = family.core
        self._tls = tls

    def _pool(self, endpoint: Endpoint) -> Pool:
        secure = endpoint.origin.scheme == "https"
        return self._pool_kind(endpoint, self._core, self._tls() if secure else None)

    async def _send(self, request: Outgoing, pool: Pool) -> Answer:
        """Send and return the response with its body unread; raise SendFailure."""
        connection = None
        try:
            connection = pool.idle()
            if connection is None:
                connection = await pool.free(request.timeouts)
            return await self._exchange(request, pool, connection)
        except BaseException as error:
            if connection is not None:
                pool.drop(connection)
            if request.timeouts.stale:
                pool.distrust()
            failure = self._family.failure(error) if isinstance(error, Exception) else None
            if failure is None:
                raise
            failure.stale = request.timeouts.stale
            raise failure from error

    async def _exchange(self, request: Outgoing, pool: Pool, connection: Connection) -> Answer:
        stream, timeouts = connection.stream, request.timeouts
        written = await write(stream, request, self._core, self._parts)
        reading = Reading(self._core, request.method)
        timeout = timeouts.get("read") if written.late is None else AT_HAND
        try:
            while not reading.take(await stream.read(PART, timeout)):
                pass
        except self._core.ReadTimeout as error:
            raise written.late or error from None
        message = reading.message
        network: Any = stream.asked
        whole = reading.is_whole
        if reading.switches:
            whole = False  # whoever reads it to its end lets go of the connection
            if not written.upgrades:
                raise self._core.RemoteProtocolError("the server switches protocols unasked")
            network = self._switched_kind(network, reading.rest)
        extensions = {
            "http_version": b"HTTP/1.%d" % message.version.minor,
            "reason_phrase": message.reason.encode("utf-8", "surrogateescape"),
            "network_stream": network,
        }
        answer = Answer(message.code, list(message.raw_headers), None, extensions)
        body = self._body_kind(reading, connection, pool, timeouts, closes=written.closes)
        answer.stream = body
        if whole:
            answer.whole = body.whole
        return answer


class FastTasks(_Fast):
    """Suspending pools of our own, opened when first used, apart for each event loop."""

    def __init__(self, family: Family, tls: Callable[[], ssl.SSLContext]) -> None:
        super().__init__(family, tls)
        self.pools: PoolsByLoop[Pool] = PoolsByLoop()

    async def send(self, request: Outgoing) -> Answer:
        """Send and return the response with its body unread; raise SendFailure."""
        pools, endpoint = self.pools.here(), request.endpoint
        pool = pools.get(endpoint.server)
        if pool is None:
            pool = pools[endpoint.server] = self._pool(endpoint)
        return await self._send(request, pool)

    def sweep(self) -> None:
        """Nothing is left behind."""

    async def aclose(self) -> None:
        """Close this loop's pools; those of other loops go with their loops."""
        for pool in self.pools.close().values():
            pool.close()


class FastThreads(_Fast):
    """Blocking pools of our own, opened when first used, which all threads share."""

    _pool_kind = PoolOfThreads
    _body_kind = BlockingBody
    _switched_kind = BlockingSwitched
    _parts = Each

    def __init__(self, family: Family, tls: Callable[[], ssl.SSLContext]) -> None:
        super().__init__(family, tls)
        self.pools: PoolsOfThreads[Pool] = PoolsOfThreads()

    def send(self, request: Outgoing) -> Answer:
        """Send and return the response with its body unread; raise SendFailure."""
        return run(self._send(request, self.pools.of(request.endpoint, self._pool)))

    def close(self) -> None:
        """Close every pool; what still waits for its turn is not sent."""
        for pool in self.pools.close():
            pool.close()
