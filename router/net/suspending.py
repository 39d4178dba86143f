"""Connections for asyncio's tasks: transports, without a task or a cancel scope for each wait.

Rule 1: a read takes what has come already, and makes a future with a timer only when it has to
        wait. Measured: a cancel scope for each read and write takes 31 µs.
Rule 2: closing never waits, so that nothing can cancel it.
Rule 3: a loop that was busy has not heard yet of a connection's end, so the system is asked too
        before an idle connection is used.
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, Any

from router.net.connect import connected_async, found_async
from router.net.dial import Dial
from router.net.inbox import Inbox
from router.net.limit import LateError, connecting, end_of, timeouts_of
from router.net.tunnel import Tunnel
from router.net.usage import Usage

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from router.net.resolver import Resolver

__all__ = ["SuspendingBackend", "SuspendingStream"]

PART = 256 * 1024
"""Bytes that are written with one timeout."""


class SuspendingBackend:
    """Opens connections for an AsyncConnectionPool of `core`: httpcore or httpcore2."""

    def __init__(self, core: Any, resolver: Resolver) -> None:
        self._core = core
        self._resolver = resolver

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> SuspendingStream:
        """Return a connection; raise the core's ConnectTimeout or ConnectError."""
        timeouts = timeouts_of(timeout)
        with connecting(self._core):
            ends = end_of(timeout)
            known = await found_async(self._resolver, host, port, ends, timeouts)
            dial = Dial(
                known, self._resolver.doubts, local_address=local_address, options=socket_options
            )
            with self._resolver.trying(host, port):
                sock = await connected_async(dial, ends, timeouts)
            loop = asyncio.get_running_loop()
            _, inbox = await loop.create_connection(Inbox, sock=sock)
            return SuspendingStream(inbox, self._core)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SuspendingStream:
    """One connection, as the core's pools use it."""

    def __init__(self, inbox: Inbox | Tunnel, core: Any) -> None:
        self._inbox = inbox
        self.asked = self  # what a caller gets to ask: threads get another one
        self.sever = inbox.sever
        self._core = core
        self._tls = inbox.tls if isinstance(inbox, Tunnel) else None
        self._usage = Usage(inbox.sever, self._tls)
        self._idle: select.poll | None = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what is there, waiting for it; nothing at the end."""
        timeouts, inbox = timeouts_of(timeout), self._inbox
        try:
            self._usage.take(timeout)
            ends = end_of(timeout)
            while (data := inbox.take(max_bytes)) is None:
                await inbox.wait_to_read(ends)
            self._usage.reads(data, timeouts)
        except LateError:
            raise self._core.ReadTimeout("no data in time") from None
        except OSError as error:
            raise self._usage.broken(self._core.ReadError, error, timeouts) from error
        finally:
            self._usage.release(timeouts)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all; each part of it may take the timeout."""
        if not buffer:
            return
        timeouts = timeouts_of(timeout)
        self._usage.writes()
        try:
            self._usage.take(timeout)
            if len(buffer) <= PART:
                await self._send(buffer, timeout)
            else:
                whole = memoryview(buffer)
                for start in range(0, len(whole), PART):
                    await self._send(whole[start : start + PART], timeout)
                    await asyncio.sleep(0)  # a system that takes all leaves no turn to others
        except LateError:
            raise self._core.WriteTimeout("not written in time") from None
        except OSError as error:
            raise self._usage.broken(self._core.WriteError, error, timeouts) from error
        finally:
            self._usage.release(timeouts)

    async def _send(self, data: bytes | memoryview, timeout: float | None) -> None:
        inbox, ends = self._inbox, end_of(timeout)
        inbox.give(data)
        if inbox.is_full:
            await inbox.wait_to_write(ends)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> SuspendingStream:
        """Return the connection under TLS; raise the core's ConnectTimeout or ConnectError."""
        timeouts = timeouts_of(timeout)
        assert isinstance(self._inbox, Inbox)  # TLS within TLS is for proxies
        with connecting(self._core):
            try:
                self._usage.take(timeout)
                tunnel = Tunnel(self._inbox, ssl_context, server_hostname)
                await tunnel.shake_hands(end_of(timeout))
            except BaseException:
                self._inbox.sever()
                raise
            finally:
                self._usage.release(timeouts)
        return SuspendingStream(tunnel, self._core)

    async def aclose(self) -> None:
        self.sever()

    def get_extra_info(self, info: str) -> Any:
        """Return what the core and its users ask a connection for."""
        if info == "is_readable":
            return self._is_readable()
        if info == "ssl_object":
            return self._tls
        names = {"client_addr": "sockname", "server_addr": "peername"}
        return self._inbox.transport.get_extra_info(names.get(info, info))

    def _is_readable(self) -> bool:
        """Return whether an idle connection was closed, or says something unasked."""
        if self._inbox.is_readable:
            return True
        if self._idle is None:
            sock = self._inbox.transport.get_extra_info("socket")
            self._idle = select.poll()
            self._idle.register(sock.fileno(), select.POLLIN)
        return bool(self._idle.poll(0))
