"""What has come over an asyncio transport, until somebody takes it.

Rule 1: a wait is a future and a timer, made only when there is something to wait for.
Rule 2: what came stays here: a wait that is cancelled takes nothing with it.
Rule 3: it stops reading while much has come that nobody took.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

from router.net.limit import LateError

__all__ = ["Inbox"]

MOST_HELD = 256 * 1024
"""Bytes that come unasked before it stops reading."""
ENDED = "the connection ended"


class Inbox(asyncio.Protocol):
    """What has come over a connection, and whether it stands and may be written to.

    Attributes:
        transport: the connection's.
        ended: nothing more will come.
        error: why it broke off, if not by a proper end.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._came: deque[bytes] = deque()
        self._held = 0
        self._resting = False
        self._full = False
        self._reader: asyncio.Future[bool] | None = None
        self._writer: asyncio.Future[bool] | None = None
        self.transport: Any = None
        self.ended = False
        self.error: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.transport.set_write_buffer_limits(high=0)  # written means: given to the system

    def data_received(self, data: bytes) -> None:
        self._came.append(data)
        self._held += len(data)
        if self._held > MOST_HELD and not self._resting:
            self._resting = True
            self.transport.pause_reading()
        _tell(self._reader, True)

    def eof_received(self) -> None:
        self.ended = True
        _tell(self._reader, True)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.error = exc
        self._full = False
        _tell(self._reader, True)
        _tell(self._writer, True)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        _tell(self._writer, True)

    @property
    def is_readable(self) -> bool:
        """Whether it ended, or something has come."""
        return self.ended or bool(self._came) or self.transport.is_closing()

    def take(self, most: int) -> bytes | None:
        """Return what has come; nothing at the end; None: there is nothing yet.

        Raises:
            OSError: the connection broke.
        """
        if not self._came:
            if isinstance(self.error, OSError):
                raise self.error
            return b"" if self.ended else None
        data = self._came.popleft()
        if len(data) > most:
            self._came.appendleft(data[most:])
            data = data[:most]
        self._held -= len(data)
        if self._resting and self._held <= MOST_HELD // 2:
            self._resting = False
            self.transport.resume_reading()
        return data

    @property
    def is_full(self) -> bool:
        """Whether the system has not taken all that was written."""
        return self._full

    def give(self, data: bytes | memoryview) -> None:
        """Write to the connection.

        Raises:
            OSError: it ended.
        """
        if self.ended or self.transport.is_closing():
            raise self.error if isinstance(self.error, OSError) else BrokenPipeError(ENDED)
        self.transport.write(data)

    async def wait_to_read(self, ends: float | None) -> None:
        """Wait until something has come, or nothing more will."""
        while not self._came and not self.ended:
            self._reader = self._loop.create_future()
            try:
                await self._in_time(self._reader, ends)
            finally:
                self._reader = None

    async def wait_to_write(self, ends: float | None) -> None:
        """Wait until the system took what was written."""
        while self._full:
            self._writer = self._loop.create_future()
            try:
                await self._in_time(self._writer, ends)
            finally:
                self._writer = None

    async def _in_time(self, waiter: asyncio.Future[bool], ends: float | None) -> None:
        if ends is None:
            await waiter
            return
        timer = self._loop.call_later(ends - time.monotonic(), _tell, waiter, False)
        try:
            if not await waiter:
                raise LateError
        finally:
            timer.cancel()

    def sever(self) -> None:
        """End the connection at once."""
        self.ended = True
        self.transport.abort()
        _tell(self._reader, True)


def _tell(waiter: asyncio.Future[bool] | None, outcome: bool) -> None:  # noqa: FBT001
    if waiter is not None and not waiter.done():
        waiter.set_result(outcome)
