"""One exchange over one connection: the request is written, the head is read, the body follows.

Rule 1: a server may answer before it has read all: where writing breaks, or ends with its time and
        something has come, the answer is read, and the connection is not used again.
Rule 2: a connection goes back to its pool when the body has come whole, and is closed where the
        body is left before its end, or its reader is cancelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.ports import run
from router.wires.written import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from router.call import Outgoing, Timeouts
    from router.wires.aiohttp import Reading
    from router.wires.pool import Connection, Pool

__all__ = ["BlockingBody", "BlockingSwitched", "Body", "Each", "Switched", "write"]

AT_ONCE = 64 * 1024
"""Bytes: a body up to this is written together with its head."""
PART = 64 * 1024


async def write(
    stream: Any, request: Outgoing, core: Any, parts: Callable[[Any], Any] = aiter
) -> Written:
    """Write a request; return its head.

    `parts`: returns those of a body that is no bytes, asked as a task asks.

    Raises:
        WriteTimeout: of the core.
        LocalProtocolError: of the core; the request is not valid, or not as long as it says.
    """
    timeout = request.timeouts.get("write")
    written = Written(request, core)
    try:
        if request.body.replayable:
            await _write_bytes(stream, b"".join(request.body.stream), written, timeout)
        else:
            await _write_parts(stream, parts(request.body.stream), written, timeout)
    except core.WriteError:
        written.closes = True
    except core.WriteTimeout as error:
        if request.timeouts.abandoned or not stream.get_extra_info("is_readable"):
            raise
        written.closes, written.late = True, error
    return written


async def _write_bytes(stream: Any, body: bytes, written: Written, timeout: float) -> None:
    content = written.framed(body) + written.end()
    if len(content) <= AT_ONCE:
        await stream.write(written.head + content, timeout)
        return
    await stream.write(written.head, timeout)
    await stream.write(content, timeout)


async def _write_parts(stream: Any, body: Any, written: Written, timeout: float) -> None:
    await stream.write(written.head, timeout)
    async for part in body:
        await stream.write(written.framed(part), timeout)
    await stream.write(written.end(), timeout)


class Each:
    """The parts of a body that a thread makes, asked as a task asks."""

    __slots__ = ("_parts",)

    def __init__(self, body: Iterable[bytes]) -> None:
        self._parts = iter(body)

    def __aiter__(self) -> Each:
        return self

    async def __anext__(self) -> bytes:
        part = next(self._parts, None)
        if part is None:
            raise StopAsyncIteration
        return part


class Body:
    """The body of an answer, which holds its connection until it ends or is closed."""

    __slots__ = ("_connection", "_pool", "_reading", "_timeout", "_timeouts")

    def __init__(
        self,
        reading: Reading,
        connection: Connection,
        pool: Pool,
        timeouts: Timeouts,
        *,
        closes: bool,
    ) -> None:
        """`closes`: whether the request has the connection closed."""
        self._reading = reading
        self._pool = pool
        self._timeouts = timeouts
        self._timeout: float | None = None
        self._connection: Connection | None = connection
        reading.spoiled = reading.spoiled or closes
        if reading.is_whole and not reading.switches:
            self._let_go()

    def whole(self) -> bytes | None:
        """Return the body at once, if it has come; None: it has not."""
        return self._reading.body() if self._reading.is_whole else None

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> bytes:
        reading = self._reading
        while (data := reading.body()) is None:
            await self._more()
        if not data:
            raise StopAsyncIteration
        return data

    async def _more(self) -> None:
        connection = self._connection
        if connection is None:
            raise self._pool.core.ReadError("the body was closed before its end")
        if self._timeout is None:
            self._timeout = self._timeouts.get("read")
        try:
            self._reading.feed(await connection.stream.read(PART, self._timeout))
        except BaseException:
            self._let_go()
            raise
        if self._reading.is_over:
            self._let_go()

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._reading.keeps:
            self._pool.keep(connection)
        else:
            self._pool.drop(connection)

    async def aclose(self) -> None:
        """Let go of the connection; this never waits."""
        self._let_go()


class BlockingBody(Body):
    """The same, read by a thread over a stream that blocks."""

    __slots__ = ()

    def __iter__(self) -> BlockingBody:
        return self

    def __next__(self) -> bytes:
        reading = self._reading
        while (data := reading.body()) is None:
            run(self._more())
        if not data:
            raise StopIteration
        return data

    def close(self) -> None:
        """Let go of the connection."""
        self._let_go()


class _Switched:
    """A connection that speaks another protocol from now on."""

    def __init__(self, stream: Any, came: bytes) -> None:
        """`came`: what was read of it already."""
        self._stream = stream
        self._came = came
        self.write = stream.write
        self.start_tls = stream.start_tls
        self.get_extra_info = stream.get_extra_info

    def _take(self, most: int) -> bytes:
        data, self._came = self._came[:most], self._came[most:]
        return data


class Switched(_Switched):
    """Its stream for a task."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what is there, waiting for it; nothing at the end."""
        return self._take(max_bytes) or await self._stream.read(max_bytes, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()


class BlockingSwitched(_Switched):
    """Its stream for a thread."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what is there, waiting for it; nothing at the end."""
        return self._take(max_bytes) or self._stream.read(max_bytes, timeout)

    def close(self) -> None:
        self._stream.close()
