"""What a connection has been used for: whether it broke because it was stale, and for whom.

Rule 1: a connection is stale when it carried an exchange before, and breaks without a byte of the
        present answer: the server had closed it while it lay idle. A timeout proves nothing.
Rule 2: a connection that is written to while an answer comes (HTTP/2) is never called stale.
Rule 3: whoever interrupts names the request: a connection that has gone on to another one is
        left alone.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from router.net.limit import AbandonedError, timeouts_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from router.call import Timeouts

__all__ = ["Usage"]


class Usage:
    """One connection's use."""

    __slots__ = ("_framed", "_heard", "_holder", "_lock", "_reused", "_sever")

    def __init__(
        self, sever: Callable[[], None], tls: ssl.SSLSocket | ssl.SSLObject | None = None
    ) -> None:
        """`sever` ends the connection at once, from any thread; its TLS says if it is HTTP/2."""
        self._sever = sever
        self._framed = tls is not None and tls.selected_alpn_protocol() == "h2"
        self._lock = threading.Lock()
        self._holder: Timeouts | None = None
        self._heard = False
        self._reused = False

    def take(self, timeout: float | None) -> Timeouts | None:
        """Say whose wait begins.

        Raises:
            AbandonedError: nobody waits for that request any more.
        """
        timeouts = timeouts_of(timeout)
        if timeouts is None:
            return None
        with self._lock:
            self._holder = timeouts
        timeouts.stream = self
        if timeouts.abandoned:  # asked after it can be interrupted, so that no abandon is missed
            self.release(timeouts)
            raise AbandonedError
        return timeouts

    def release(self, timeouts: Timeouts | None) -> None:
        """Say that the wait is over."""
        if timeouts is not None and self._holder is timeouts:
            with self._lock:
                self._holder = None
            timeouts.stream = None

    def interrupt(self, timeouts: Timeouts) -> None:
        """End the connection, if it is this request's now."""
        with self._lock:
            if self._holder is timeouts:
                self._sever()

    def writes(self) -> None:
        """Note a write: after an answer, it begins another exchange."""
        if self._heard:
            self._heard = False
            self._reused = True

    def reads(self, data: bytes, timeouts: Timeouts | None) -> None:
        """Note a part of an answer, or (nothing) the connection's end.

        Raises:
            AbandonedError: it was this host that ended it.
        """
        if not data:
            self._breaks(timeouts)
            return
        self._heard = True
        if timeouts is not None:
            timeouts.stale = False

    def _breaks(self, timeouts: Timeouts | None) -> None:
        """Note that the connection ended: by its peer's end or reset, not by a timeout."""
        if timeouts is None:
            return
        if timeouts.abandoned:
            raise AbandonedError
        if self._reused and not self._heard and not self._framed:
            timeouts.stale = True

    def broken(
        self, kind: Callable[[str], Exception], error: OSError, timeouts: Timeouts | None
    ) -> Exception:
        """Return what to raise for a connection that broke, as an exception of this kind."""
        try:
            self._breaks(timeouts)
        except OSError as abandoned:
            error = abandoned
        return kind(str(error))
