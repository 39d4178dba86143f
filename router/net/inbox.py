"""What has come over an asyncio transport, until somebody takes it.

Rule 1: a wait is a future, made only when there is something to wait for. Its timer serves the
        waits after it too: most end long before it is due, and then it is set to the end of the
        present one. A timer for each wait took 4 µs, and left the loop a heap of cancelled ones.
Rule 2: what came stays here: a wait that is cancelled takes nothing with it.
Rule 3: it stops reading while much has come that nobody took.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import Any

from router.net.limit import LateError

__all__ = ["Inbox"]

MOST_HELD = 256 * 1024
"""Bytes that come unasked before it stops reading."""
ENDED = "the connection ended"
EARLY = 1e-4
"""Seconds by which a loop may ring too soon."""


class _Wait:
    """What one side of a connection waits for now, and until when."""

    __slots__ = ("_due", "_ends", "_loop", "_timer", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiter: asyncio.Future[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ends = self._due = math.inf

    def tell(self, outcome: bool = True) -> None:  # noqa: FBT001, FBT002
        """End the wait, if there is one; False: its time is up."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)

    async def until(self, ends: float | None) -> None:
        """Wait until told.

        Raises:
            LateError: nobody told by `ends`, in monotonic seconds.
        """
        waiter = self._waiter = self._loop.create_future()
        if ends is not None:
            self._ends = ends
            if self._timer is None or self._due > ends:
                self._set(ends)
        try:
            if not await waiter:
                raise LateError
        finally:
            self._waiter = None
            self._ends = math.inf

    def _set(self, ends: float) -> None:
        self.rest()
        self._due = ends
        self._timer = self._loop.call_later(ends - time.monotonic(), self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._ends <= time.monotonic() + EARLY:
            self.tell(False)
        elif self._ends < math.inf:
            self._set(self._ends)

    def rest(self) -> None:
        """Let no timer ring any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


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
        self._reader, self._writer = _Wait(self._loop), _Wait(self._loop)
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
        self._reader.tell()

    def eof_received(self) -> None:
        self.ended = True
        self._reader.tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.error = exc
        self._full = False
        self._reader.rest()
        self._writer.rest()
        self._reader.tell()
        self._writer.tell()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._writer.tell()

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
            await self._reader.until(ends)

    async def wait_to_write(self, ends: float | None) -> None:
        """Wait until the system took what was written."""
        while self._full:
            await self._writer.until(ends)

    def sever(self) -> None:
        """End the connection at once."""
        self.ended = True
        self.transport.abort()
        self._reader.tell()
