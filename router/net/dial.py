"""The attempts to connect to one server: Happy Eyeballs (RFC 8305), without the waiting.

Rule 1: the next address is tried STAGGER seconds after the last, or at once when one fails; the
        first that accepts wins, and all others are closed.
Rule 2: this decides and looks; `connect` waits.
Rule 3: all refused alike is told in the system's own words, so that it is known for what it is.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.net.addresses import Address, Doubts

__all__ = ["STAGGER", "Dial"]

STAGGER = 0.25
UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR})
IDLE_BEFORE_PROBE = 60


class Dial:
    """Sockets on their way to a server.

    Attributes:
        pending: those that may still be accepted, with their addresses.
        winner: the first that was.
    """

    def __init__(
        self,
        found: Iterable[Address],
        doubts: Doubts,
        *,
        local_address: str | None = None,
        options: Iterable[Any] | None = None,
    ) -> None:
        """Take a server's addresses, and this host's own one and socket options, if any."""
        self._left = doubts.ordered(found)[::-1]
        self._doubts = doubts
        self._local_address = local_address
        self._options = list(options or ())
        self._next = 0.0
        self._failures: list[OSError] = []
        self.pending: dict[socket.socket, Address] = {}
        self.winner: socket.socket | None = None

    def advance(self) -> float | None:
        """Begin what is due; return seconds until the next address is, or None if none is left.

        Raises:
            OSError: every address failed.
        """
        while self.winner is None and self._left:
            wait = self._next - time.monotonic()
            if wait > 0 and self.pending:
                return wait
            self._begin(self._left.pop())
        if self.winner is None and not self.pending:
            raise self._failed()
        return None

    def _begin(self, address: Address) -> None:
        self._next = time.monotonic() + STAGGER
        try:
            sock = socket.socket(address.family, address.kind, address.protocol)
        except OSError as error:
            self._failures.append(error)
            return
        self.pending[sock] = address
        try:
            self._prepare(sock)
            code = sock.connect_ex(address.place)
        except OSError as error:
            self._drop(sock, error)
            return
        if code not in UNDER_WAY:
            self._settle(sock, code)

    def _prepare(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_BEFORE_PROBE)
        for option in self._options:
            sock.setsockopt(*option)
        if self._local_address is not None:
            sock.bind((self._local_address, 0))

    def look(self, sock: socket.socket) -> None:
        """See what became of a socket that is ready."""
        if sock in self.pending:
            self._settle(sock, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _settle(self, sock: socket.socket, code: int) -> None:
        if code:
            self._drop(sock, OSError(code, os.strerror(code)))
        elif self.winner is None:
            self._win(sock)

    def _win(self, sock: socket.socket) -> None:
        """Keep a connection; those that were begun before it are slow, or lead nowhere."""
        begun = list(self.pending)
        for slower in begun[: begun.index(sock)]:
            self._doubts.add(self.pending[slower])
        self._doubts.clear(self.pending.pop(sock))
        self.winner = sock

    def _drop(self, sock: socket.socket, error: OSError) -> None:
        self._doubts.add(self.pending.pop(sock))
        self._failures.append(error)
        self._next = 0.0
        sock.close()

    def doubt(self) -> None:
        """Say that what is still on its way had its time."""
        for address in self.pending.values():
            self._doubts.add(address)

    def close(self) -> None:
        """Close what is still on its way."""
        while self.pending:
            self.pending.popitem()[0].close()

    def _failed(self) -> OSError:
        codes = {failure.errno for failure in self._failures}
        if len(codes) == 1:
            return self._failures[0]
        return OSError("All connection attempts failed")
