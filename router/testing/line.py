"""One connection of a client with a loopback server, under the fault that holds.

Rule 1: a server reads and answers through its line. Without a fault the line adds nothing.
Rule 2: a fault is drawn when a request begins, and holds until its answer ends or it is healed.
Rule 3: where a fault ends the connection, the line raises BrokenError, and its server stops.
Rule 4: a request begins with the first byte that comes after `answered`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from typing import TYPE_CHECKING

from router.testing.answer_faults import CloseIdle, StaleKeepAlive
from router.testing.connect_faults import CloseHandshake, HangHandshake, OtherCertificate
from router.testing.fault import AnswerFault, ConnectionFault, End, Progress
from router.testing.setting import Counts, Setting

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import NoReturn

    from router.testing.fault import Steps

__all__ = ["BrokenError", "Line"]

CHUNK = 64 * 1024
RESET_ON_CLOSE = b"\1\0\0\0\0\0\0\0"
PROBE = re.compile(rb"\r\nuser-agent:[^\r]* probe\r\n", re.IGNORECASE)


class BrokenError(ConnectionError):
    """The fault has ended this connection."""


class Line:
    """A connection that was just accepted.

    Args:
        sock: not blocking; the line closes it.
        setting: returns the fault that holds now.
        counts: what this connection adds to.
        quiet: least seconds without a byte after which an answer counts as ended.
    """

    def __init__(
        self, sock: socket.socket, setting: Callable[[], Setting], counts: Counts, *, quiet: float
    ) -> None:
        self.requests = 0
        self._sock = sock
        self._now = setting
        self._counts = counts
        self._quiet = quiet
        self._reader = asyncio.StreamReader()
        self._writer: asyncio.StreamWriter | None = None
        self._raw = True
        self._reading = False
        self._left = asyncio.Event()
        self._idle = True
        self._mark = 0
        self._setting = Setting()
        self._fault: AnswerFault | None = None
        self._progress = Progress()
        self.task: asyncio.Task[None] | None = None

    async def open(self, tls: ssl.SSLContext | None) -> None:
        """Shake hands, over TLS if there is a context.

        Raises:
            OSError: the client did not like it, or a fault ended the connection.
        """
        fault = self._now().draw(ConnectionFault)
        if isinstance(fault, HangHandshake | CloseHandshake):
            await self._break_handshake(fault)
        loop = asyncio.get_running_loop()
        protocol = asyncio.StreamReaderProtocol(self._reader, loop=loop)
        self._raw = False
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            self._sock,
            ssl=fault.context if isinstance(fault, OtherCertificate) else tls,
        )
        # So that `drain` means sent. Over TLS, asyncio takes 0 for always full.
        transport.set_write_buffer_limits(high=int(self._is_tls(transport)), low=0)
        self._writer = asyncio.StreamWriter(transport, protocol, self._reader, loop)

    @staticmethod
    def _is_tls(transport: asyncio.BaseTransport) -> bool:
        return transport.get_extra_info("ssl_object") is not None

    async def _break_handshake(self, fault: HangHandshake | CloseHandshake) -> NoReturn:
        loop = asyncio.get_running_loop()
        await loop.sock_recv(self._sock, CHUNK)
        if isinstance(fault, CloseHandshake):
            self.reset() if fault.reset else self.close()
            raise BrokenError
        while await loop.sock_recv(self._sock, CHUNK):
            pass
        raise BrokenError

    @property
    def withholds(self) -> bool:
        """Whether the server must not get the request that has begun."""
        return self._fault is not None and not self._fault.executed

    async def read(self) -> bytes:
        """Return what the client sent, b"" at its end."""
        self._reading = True
        data = await self._reader.read(CHUNK)
        self._reading = False
        self._counts.bytes_received += len(data)
        if not data:
            self._left.set()
        elif self._now().silences:
            await self._end(End.NEVER)
        elif self._idle:
            await self._begin(probe=PROBE.search(data) is not None)
        return data

    async def _begin(self, *, probe: bool) -> None:
        self._idle = False
        self._mark += 1
        self._progress = Progress()
        self._setting = self._now()
        fault = self._setting.draw(AnswerFault, probe=probe)
        self._fault = fault if isinstance(fault, AnswerFault) else None
        self.requests += 1
        self._counts.probes += probe
        self._counts.requests += not probe
        if isinstance(fault, StaleKeepAlive) and self.requests > 1:
            await self._end(End.RST if fault.reset else End.FIN)

    async def requested(self) -> None:
        """Say that the request was read in full; raise BrokenError if nobody is to execute it."""
        if self._fault is not None and not self._fault.executed:
            await self._carry_out(self._fault.steps(b"", self._progress))

    async def answer(self, data: bytes) -> None:
        """Send the next bytes of the answer, as the fault has it."""
        if self._now().silences:
            await self._end(End.NEVER)
        if self._fault is None:
            await self._send(data)
            return
        await self._carry_out(self._fault.steps(data, self._progress.look(data)))
        self._progress.size += len(data)

    def answered(self) -> None:
        """Say that the answer is complete, as far as is known: the connection is idle."""
        self._idle = True
        self._mark += 1
        if isinstance(self._fault, CloseIdle):
            self.close_when_idle(self._fault, self._setting)

    def close_when_idle(self, fault: CloseIdle, setting: Setting) -> None:
        """Close the connection if it is idle now and stays so, and the setting holds."""
        after = max(fault.after, self._quiet)
        asyncio.get_running_loop().call_later(after, self._close_if_idle, self._mark, setting)

    def _close_if_idle(self, mark: int, setting: Setting) -> None:
        if self._idle and self._mark == mark and not setting.over.is_set():
            self.close()

    async def _carry_out(self, steps: Steps) -> None:
        for step in steps:
            if isinstance(step, bytes):
                await self._send(step)
            elif isinstance(step, End):
                await self._end(step)
            else:
                await self._pause(step)

    async def _send(self, data: bytes) -> None:
        if self._writer is not None:
            self._writer.write(data)
            self._counts.bytes_sent += len(data)
            await self._writer.drain()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._setting.over.wait()
        if self._setting.over.is_set() and self._fault is not None and self._fault.endless:
            await self._end(End.FIN)

    async def _end(self, end: End) -> NoReturn:
        if end is End.NEVER:
            await self._swallow()
        elif end is End.RST:
            self.reset()
        elif self._writer is not None and self._is_tls(self._writer.transport):
            self._writer.transport.abort()  # a server that breaks off does not say good-bye
        else:
            self.close()
        raise BrokenError

    async def _swallow(self) -> None:
        """Wait until the client leaves; what it sends is lost."""
        if self._reading:
            await self._left.wait()
        while await self._reader.read(CHUNK):
            pass

    def reset(self) -> None:
        """Send a RST in place of what is still to be sent."""
        with contextlib.suppress(OSError):  # gone already
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        if self._writer is not None:
            self._writer.transport.abort()
        elif self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()

    def close(self) -> None:
        """Close; a second time does nothing."""
        if self._writer is not None:
            self._writer.close()
        elif self._raw:
            self._sock.close()

    async def closed(self) -> None:
        """Close, and wait until the connection is gone."""
        self.close()
        if self._writer is not None:
            await self._writer.wait_closed()
