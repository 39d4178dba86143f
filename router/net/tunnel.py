"""TLS over an inbox, record by record.

Rule 1: asyncio's own TLS is not used: it loses the end of a body when a peer closes while reading
        is paused, and a handshake that is broken off may leave its waiter waiting.
Rule 2: what a peer says before the handshake is not taken for what it says under TLS.
Rule 3: an end without a farewell is an end: HTTP knows whether something is missing.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.net.inbox import Inbox

__all__ = ["Tunnel"]

RECORD = 64 * 1024


class Tunnel:
    """What has come over a connection, in plain; it is used as an Inbox is."""

    def __init__(self, inbox: Inbox, context: ssl.SSLContext, server_hostname: str | None) -> None:
        self._inbox = inbox
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self.transport = inbox.transport
        self.sever = inbox.sever
        self.wait_to_read = inbox.wait_to_read
        self.wait_to_write = inbox.wait_to_write

    async def shake_hands(self, ends: float | None) -> None:
        """Agree with the peer, until `ends`, in monotonic seconds.

        Raises:
            LateError: it took longer.
            OSError: the connection broke, or TLS refuses.
        """
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                if not self._feed():
                    await self.wait_to_read(ends)
            except ssl.SSLError:
                self._flush_if_possible()  # the peer is told why
                raise
            else:
                return self._flush()

    @property
    def is_full(self) -> bool:
        """Whether the system has not taken all that was written."""
        return self._inbox.is_full

    @property
    def is_readable(self) -> bool:
        """Whether it ended, or something has come; what TLS sends for itself is neither."""
        if self._inbox.is_readable:
            return self._inbox.ended or self._says_something()
        return self._incoming.pending > 0 or self.tls.pending() > 0

    def _says_something(self) -> bool:
        try:
            return self.take(1) is not None
        except OSError:
            return True

    def take(self, most: int) -> bytes | None:
        """Return what has come; nothing at the end; None: there is nothing yet.

        Raises:
            OSError: the connection broke.
        """
        parts: list[bytes] = []
        try:
            while most > 0 and (part := self._next(most, feed=not parts)):
                parts.append(part)
                most -= len(part)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            part = b""
        finally:
            self._flush_if_possible()
        return b"".join(parts) if parts else part

    def _next(self, most: int, *, feed: bool) -> bytes | None:
        """Return the next part; `feed`: with what has come, else with what was fed already."""
        while True:
            try:
                return self.tls.read(most)
            except ssl.SSLWantReadError:
                if not feed or not self._feed():
                    return None

    def _feed(self) -> bool:
        """Give TLS what has come; return whether there was anything, be it the end."""
        data = self._inbox.take(RECORD)
        if data:
            self._incoming.write(data)
        elif data is not None:
            self._incoming.write_eof()
        return data is not None

    def give(self, data: bytes | memoryview) -> None:
        """Write to the connection.

        Raises:
            OSError: it ended.
        """
        left = memoryview(data)
        while left:
            left = left[self.tls.write(left) :]
        self._flush()

    def _flush_if_possible(self) -> None:
        with suppress(OSError):  # it ended: what came before is worth more than an answer to it
            self._flush()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self._inbox.give(data)
