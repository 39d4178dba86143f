"""Connections for threads: a socket that never blocks, and waits that end when they should.

Rule 1: a wait is one `poll` with what is left of the time; the socket itself has no timeout.
Rule 2: the TLS handshake is such waits too, so a peer that drips it gains no time by that.
Rule 3: a forked child closes a connection of its parent without ending it.
Rule 4: another thread may end a wait (`Timeouts.abandon`): it shuts the socket down, and closing
        it stays with the thread that uses it.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from router.net.connect import connected, found
from router.net.dial import Dial
from router.net.limit import LateError, connecting, end_of, timeouts_of
from router.net.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.net.resolver import Resolver

__all__ = ["BlockingBackend", "BlockingStream"]

WANTS_READ = (BlockingIOError, ssl.SSLWantReadError)
MS = 1000.0


class BlockingBackend:
    """Opens connections for a ConnectionPool of `core`: httpcore or httpcore2."""

    def __init__(self, core: Any, resolver: Resolver) -> None:
        self._core = core
        self._resolver = resolver

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> BlockingStream:
        """Return a connection; raise the core's ConnectTimeout or ConnectError."""
        timeouts = timeouts_of(timeout)
        with connecting(self._core):
            ends = end_of(timeout)
            known = found(self._resolver, host, port, ends, timeouts)
            dial = Dial(
                known, self._resolver.doubts, local_address=local_address, options=socket_options
            )
            with self._resolver.trying(host, port):
                return BlockingStream(connected(dial, ends, timeouts), self._core)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class BlockingStream:
    """One connection, as the core's pools use it."""

    def __init__(self, sock: socket.socket, core: Any) -> None:
        """Take a connected socket that does not block."""
        self._sock = sock
        self._core = core
        self._process = os.getpid()
        self._tls = sock if isinstance(sock, ssl.SSLSocket) else None
        self._usage = Usage(self._sever, self._tls)
        self._readable, self._writable, self._idle = (select.poll() for _ in range(3))
        for poll in (self._readable, self._idle):
            poll.register(sock, select.POLLIN)
        self._writable.register(sock, select.POLLOUT)
        # OpenSSL forbids that two threads use one connection at once, as HTTP/2 may.
        self._turn = threading.Lock()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what is there, waiting for it; nothing at the end."""
        timeouts = timeouts_of(timeout)
        try:
            self._usage.take(timeout)
            data = self._receive(max_bytes, end_of(timeout))
            self._usage.reads(data, timeouts)
        except LateError:
            raise self._core.ReadTimeout("no data in time") from None
        except OSError as error:
            raise self._usage.broken(self._core.ReadError, error, timeouts) from error
        finally:
            self._usage.release(timeouts)
        return data

    def _receive(self, most: int, ends: float | None) -> bytes:
        if self._tls is None:
            _wait(self._readable, ends)
        while True:
            try:
                with self._turn:
                    return self._sock.recv(most)
            except WANTS_READ:
                _wait(self._readable, ends)
            except ssl.SSLWantWriteError:
                _wait(self._writable, ends)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all; each part of it may take the timeout."""
        if not buffer:
            return
        timeouts = timeouts_of(timeout)
        self._usage.writes()
        try:
            self._usage.take(timeout)
            left = memoryview(buffer)
            while left:
                left = left[self._send(left, end_of(timeout)) :]
        except LateError:
            raise self._core.WriteTimeout("not written in time") from None
        except OSError as error:
            raise self._usage.broken(self._core.WriteError, error, timeouts) from error
        finally:
            self._usage.release(timeouts)

    def _send(self, data: memoryview, ends: float | None) -> int:
        while True:
            try:
                with self._turn:
                    return self._sock.send(data)
            except (BlockingIOError, ssl.SSLWantWriteError):
                _wait(self._writable, ends)
            except ssl.SSLWantReadError:
                _wait(self._readable, ends)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> BlockingStream:
        """Return the connection under TLS; raise the core's ConnectTimeout or ConnectError."""
        timeouts = timeouts_of(timeout)
        with connecting(self._core):
            try:
                self._usage.take(timeout)
                self._sock = tls = ssl_context.wrap_socket(
                    self._sock, server_hostname=server_hostname, do_handshake_on_connect=False
                )
                self._shake_hands(tls, end_of(timeout))
            except BaseException:
                self.close()
                raise
            finally:
                self._usage.release(timeouts)
        return BlockingStream(tls, self._core)

    def _shake_hands(self, tls: ssl.SSLSocket, ends: float | None) -> None:
        while True:
            try:
                return tls.do_handshake()
            except ssl.SSLWantReadError:
                _wait(self._readable, ends)
            except ssl.SSLWantWriteError:
                _wait(self._writable, ends)

    def _sever(self) -> None:
        if os.getpid() != self._process:
            return
        with suppress(OSError):  # SSLSocket.shutdown would pull TLS from under its user
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        self._sever()  # closing alone wakes nobody who still reads
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        """Return what the core and its users ask a connection for."""
        if info == "is_readable":
            return self._is_readable()
        if info == "client_addr":
            return self._sock.getsockname()
        if info == "server_addr":
            return self._sock.getpeername()
        return {"socket": self._sock, "ssl_object": self._tls}.get(info)

    def _is_readable(self) -> bool:
        """Return whether an idle connection was closed, or says something unasked."""
        if self._sock.fileno() < 0:
            return True
        try:
            return bool(self._idle.poll(0))
        except RuntimeError:  # another thread looks at the same moment
            return False


def _wait(poll: select.poll, ends: float | None) -> None:
    """Wait until a socket is ready.

    Raises:
        LateError: it was not by `ends`.
    """
    if ends is None:
        poll.poll()
        return
    left = ends - time.monotonic()
    if left <= 0 or not poll.poll(left * MS):
        raise LateError
