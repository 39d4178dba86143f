"""A TCP proxy before any server, with a fault that can be changed at any moment.

    with Proxy("127.0.0.1", redis_port) as proxy:
        client = connect(proxy.host, proxy.port)
        proxy.fault = Silent()
        proxy.fault = None

Rule 1: it knows no protocol: bytes pass as they are, TLS too. A request begins with the first byte
        that comes after an answer's; only where a fault withholds one does it look for the end.
Rule 2: each connection of a client has one of its own to the server. Where the server refuses, the
        client is accepted and closed; where it resets, the client is reset.
Rule 3: a Region needs no proxy: it has the same faults itself, inside TLS too.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from router.testing.framing import RequestEnd
from router.testing.line import BrokenError
from router.testing.peer import Peer
from router.testing.thread import LoopThread

if TYPE_CHECKING:
    from typing import Self

    from router.testing.line import Line

__all__ = ["Proxy"]

CHUNK = 64 * 1024
QUIET = 0.02
"""Seconds without a byte after which an answer counts as ended: there is no other sign."""


class Proxy(Peer):
    """Stands between clients and the server at `to_host:to_port`, between `with` and its end."""

    def __init__(self, to_host: str, to_port: int) -> None:
        super().__init__("127.0.0.1", LoopThread("proxy"), quiet=QUIET)
        self._to = (to_host, to_port)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:port`, for a server of plain HTTP."""
        return f"http://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._thread.run(self._listener.listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.run(self._listener.end())
        self._thread.stop()

    async def _serve(self, line: Line) -> None:
        reader, writer = await asyncio.open_connection(*self._to)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_forward(line, writer))
                both.create_task(_back(reader, line))
        except* OSError as broken:
            if broken.subgroup(ConnectionResetError):
                line.reset()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _forward(line: Line, writer: asyncio.StreamWriter) -> None:
    """Pass requests on, except those that a fault withholds."""
    number, end = 0, RequestEnd()
    while data := await line.read():
        if not line.withholds:
            writer.write(data)
            await writer.drain()
            continue
        if line.requests != number:
            number, end = line.requests, RequestEnd()
        if end.reached(data):
            await line.requested()
    writer.write_eof()


async def _back(reader: asyncio.StreamReader, line: Line) -> None:
    """Pass answers back, until the server closes."""
    while data := await reader.read(CHUNK):
        await line.answer(data)
        line.answered()
    raise BrokenError
