"""What a Region and a Proxy have in common: a port, a fault, and counts.

Rule: every attribute may be read and set from any thread while it runs; a fault holds when its
      assignment returns, except from a server's own `respond`, where it holds soon after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.testing.fault import Fault
from router.testing.listener import Listener
from router.testing.setting import Setting

if TYPE_CHECKING:
    import ssl

    from router.testing.line import Line
    from router.testing.thread import LoopThread

__all__ = ["Peer"]


class Peer:
    """A TCP server on loopback that can be made faulty.

    Attributes:
        host: a loopback address.
        tls: the server's context for connections from now on; None is plain TCP.
    """

    def __init__(self, host: str, thread: LoopThread, *, quiet: float = 0.0) -> None:
        self.host = host
        self.tls: ssl.SSLContext | None = None
        self._thread = thread
        self._listener = Listener(host, self._serve, lambda: self.tls, quiet=quiet)

    async def _serve(self, line: Line) -> None:
        """Speak with one client."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        """The port that the system chose; 0 before the start."""
        return self._listener.port

    @property
    def fault(self) -> Fault | None:
        """What is wrong with it now; set None to heal it. See `router.testing.faults`."""
        return self._listener.setting.fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        if not isinstance(fault, Fault | None):
            raise TypeError("a fault is one of router.testing.faults, such as Refuse(), or None")
        if self._thread.running:
            self._thread.tell(self._listener.put(fault))
        else:
            self._listener.setting = Setting(fault)

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        return self._listener.counts.connections

    @property
    def requests(self) -> int:
        """How many requests have come, executed or not; the router's probes are left out."""
        return self._listener.counts.requests

    @property
    def bytes_received(self) -> int:
        """How many bytes clients sent, TLS taken off."""
        return self._listener.counts.bytes_received

    @property
    def bytes_sent(self) -> int:
        """How many bytes clients were sent, TLS taken off."""
        return self._listener.counts.bytes_sent

    def reset_connections(self) -> None:
        """Reset every connection that is open now; new ones are accepted."""
        self._thread.tell(self._reset())

    async def _reset(self) -> None:
        self._listener.reset_lines()
