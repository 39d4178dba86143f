"""A server that keeps every byte it is sent, with the time, and answers as it is told."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ending import stop_accepting

from router.testing.thread import LoopThread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import Self

__all__ = ["EMPTY", "Answer", "RawServer", "Request"]

EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

Answer: TypeAlias = "bytes | Callable[[], AsyncIterator[bytes]]"


class Request(NamedTuple):
    """A request as it came: monotonic seconds, and the raw head and body."""

    at: float
    head: bytes
    body: bytes


class RawServer:
    """Listens on loopback at a port of the system's choice.

    Attributes:
        answer: to each request: bytes, or what makes them piece by piece.
        requests: all that came.
    """

    def __init__(self, answer: Answer = EMPTY) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.port = 0
        self._thread = LoopThread("raw-server")
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def raw(self) -> bytes:
        """All bytes that came, request after request."""
        return b"".join(request.head + request.body for request in self.requests)

    def __enter__(self) -> Self:
        self._thread.start()
        self._thread.run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.run(self._end())
        self._thread.stop()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        assert self._server is not None
        await stop_accepting(self._server)
        for writer in self._writers:
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Note the connection at once, so that an end right now closes it too."""
        self._writers.add(writer)
        serving = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"\r\ncontent-length: *(\d+)", head.lower())
                body = await reader.readexactly(int(length[1]) if length else 0)
                self.requests.append(Request(time.monotonic(), head, body))
                await self._reply(writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client left
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _reply(self, writer: asyncio.StreamWriter) -> None:
        if isinstance(self.answer, bytes):
            writer.write(self.answer)
            return
        async for piece in self.answer():
            writer.write(piece)
            await writer.drain()
