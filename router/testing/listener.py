"""A listening socket on loopback that can refuse, hang, and serve under a fault.

Rule 1: its port is its own for as long as it lives: a bound socket that never listens keeps it
        while connections are refused.
Rule 2: it accepts in one turn of the loop, so that no connection is lost between two of them.
Rule 3: connects hang because the backlog is full: by connections of its own, which never count.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

from router.testing.answer_faults import CloseIdle
from router.testing.connect_faults import HangConnect, OtherCertificate, Refuse
from router.testing.line import Line
from router.testing.setting import Counts, Setting

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine
    from typing import Any

    from router.testing.fault import Fault

__all__ = ["Listener"]

BACKLOG = 1024
MOST_FILLERS = 16
FULL_AFTER = 0.05


class Listener:
    """Accepts connections and hands each, as a Line, to `serve`.

    Args:
        host: a loopback address.
        serve: speaks with one client; the line is closed when it returns.
        tls: returns the server's context for the next connection, or None for plain TCP.
        quiet: least seconds without a byte after which an answer counts as ended.
    """

    def __init__(
        self,
        host: str,
        serve: Callable[[Line], Coroutine[Any, Any, None]],
        tls: Callable[[], ssl.SSLContext | None],
        *,
        quiet: float = 0.0,
    ) -> None:
        self.host = host
        self.port = 0
        self.counts = Counts()
        self.setting = Setting()
        self.stopped = True
        self._serve = serve
        self._tls = tls
        self._quiet = quiet
        self._reserved: socket.socket | None = None
        self._socket: socket.socket | None = None
        self._fillers: dict[tuple[str, int], socket.socket] = {}
        self._lines: dict[asyncio.Task[None], Line] = {}
        self._changing = asyncio.Lock()

    async def listen(self) -> None:
        """Accept connections, if the fault lets it; the first time at a port of the system's."""
        self.stopped = False
        await self._apply()

    async def stop(self, *, reset: bool = False) -> None:
        """Refuse connections; open ones go on, or are reset."""
        self.stopped = True
        await self._apply()
        if reset:
            self.reset_lines()

    async def put(self, fault: Fault | None) -> None:
        """Let this fault hold from now on; None heals."""
        if isinstance(fault, OtherCertificate) and self._tls() is None:
            raise TypeError("OtherCertificate is for a Region with TLS")
        before, self.setting = self.setting, Setting(fault)
        before.over.set()
        await self._apply()
        if isinstance(fault, Refuse) and fault.reset_open:
            self.reset_lines()
        if isinstance(fault, CloseIdle):
            for line in self._lines.values():
                line.close_when_idle(fault, self.setting)

    def reset_lines(self) -> None:
        """Reset every open connection."""
        for line in list(self._lines.values()):
            line.reset()

    async def end(self) -> None:
        """Close everything."""
        await self.stop(reset=True)
        for task in self._lines:
            task.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)
        if self._reserved is not None:
            self._reserved.close()

    async def _apply(self) -> None:
        """Make the listening socket what the fault says."""
        async with self._changing:
            if self.stopped or isinstance(self.setting.fault, Refuse):
                self._close()
            elif isinstance(self.setting.fault, HangConnect):
                await self._clog()
            else:
                self._open()

    def _open(self) -> None:
        self._unclog()
        listening = self._listening()
        listening.listen(BACKLOG)
        asyncio.get_running_loop().add_reader(listening.fileno(), self._accept, listening)

    def _listening(self) -> socket.socket:
        if self._reserved is None:
            self._reserved = self._bound()
            self.port = self._reserved.getsockname()[1]
        if self._socket is None:
            self._socket = self._bound()
            self._socket.setblocking(False)
        return self._socket

    def _bound(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit it. asyncio sets it on those whose protocol is named only, and
        # without it a first answer over TLS waited 40 ms for an acknowledgement.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.bind((self.host, self.port))
        return made

    def _close(self) -> None:
        """Serve what was accepted so far, and close the listening socket."""
        self._unclog()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._accept(self._socket)
            self._socket.close()
            self._socket = None
        self._fillers.clear()

    async def _clog(self) -> None:
        """Fill a backlog of the least size, until a connect hangs."""
        listening = self._listening()
        asyncio.get_running_loop().remove_reader(listening.fileno())
        listening.listen(0)
        self._accept(listening)
        with contextlib.suppress(TimeoutError):
            for _ in range(MOST_FILLERS - len(self._fillers)):
                await self._fill()

    async def _fill(self) -> None:
        filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        filler.setblocking(False)
        try:
            async with asyncio.timeout(FULL_AFTER):
                await asyncio.get_running_loop().sock_connect(filler, (self.host, self.port))
        except BaseException:
            filler.close()
            raise
        self._fillers[filler.getsockname()] = filler

    def _unclog(self) -> None:
        for filler in self._fillers.values():
            filler.close()

    def _accept(self, listening: socket.socket) -> None:
        """Take every connection that the kernel has accepted."""
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError, InterruptedError):
            while True:
                sock, address = listening.accept()
                sock.setblocking(False)
                filler = self._fillers.pop(address, None)
                if filler is None:
                    self._start(sock)
                else:
                    filler.close()
                    sock.close()

    def _start(self, sock: socket.socket) -> None:
        self.counts.connections += 1
        line = Line(sock, lambda: self.setting, self.counts, quiet=self._quiet)
        task = asyncio.get_running_loop().create_task(self._run(line))
        line.task = task
        self._lines[task] = line
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        """Forget a connection; close it, in case its task was cancelled before it began."""
        self._lines.pop(task).close()

    async def _run(self, line: Line) -> None:
        with contextlib.suppress(OSError):  # the client left, or the fault ended it
            try:
                await line.open(self._tls())
                await self._serve(line)
            finally:
                await line.closed()
