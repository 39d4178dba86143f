"""Connections for threads, asked as tasks ask: what is awaited blocks, and never suspends.

Rule: nothing is decided here. An exchange is told once, for tasks and threads (`wires.exchange`),
      and over these its coroutine runs to its end in one step (`ports.run`).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from router.net.blocking import BlockingBackend

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from router.call import Timeouts
    from router.net.blocking import BlockingStream
    from router.net.resolver import Resolver

__all__ = ["AwaitedBackend", "AwaitedStream", "BlockingWaking"]


class AwaitedBackend:
    """Opens connections."""

    def __init__(self, core: Any, resolver: Resolver) -> None:
        self._backend = BlockingBackend(core, resolver)

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None
    ) -> AwaitedStream:
        """Return a connection; raise the core's ConnectTimeout or ConnectError."""
        return AwaitedStream(self._backend.connect_tcp(host, port, timeout))


class AwaitedStream:
    """One connection.

    Attributes:
        asked: the same, as a thread asks.
    """

    __slots__ = ("asked", "get_extra_info", "sever")

    def __init__(self, blocking: BlockingStream) -> None:
        self.asked = blocking
        self.sever = blocking.close
        self.get_extra_info = blocking.get_extra_info

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what is there, waiting for it; nothing at the end."""
        return self.asked.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all; each part of it may take the timeout."""
        self.asked.write(buffer, timeout)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str, timeout: float | None
    ) -> AwaitedStream:
        """Return the connection under TLS; raise the core's ConnectTimeout or ConnectError."""
        return AwaitedStream(self.asked.start_tls(ssl_context, server_hostname, timeout))


class BlockingWaking:
    """A thread that waits as a task does: `connect.Waking`."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._woken = threading.Event()
        timeouts.stream = self

    def interrupt(self, _: Timeouts) -> None:
        self.wake()

    def wake(self) -> None:
        """End the wait, from any thread; one that has not begun yet ends at once."""
        self._woken.set()

    async def wait(self, seconds: list[float | None], begun: Callable[[], None]) -> None:
        """Wait for the least of `seconds` at most, once `begun` has said what is waited for."""
        begun()
        self._woken.wait(min((each for each in seconds if each is not None), default=None))
        self._woken.clear()

    def end(self) -> None:
        """Be interrupted no more."""
        self._timeouts.stream = None
