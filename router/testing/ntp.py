"""A loopback NTP server whose clock, standing and manners are yours to set.

Rule 1: it is a real server: UDP on 127.0.0.1, a port that the system chooses, its own thread.
Rule 2: every setting may be changed while it runs, and holds from the next request on.
Rule 3: what it would answer honestly passes through `script`, which returns the datagrams to
        send: none, one, or several in order.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from typing import Self

import ntplib

__all__ = ["NtpServer", "Script", "make_reply"]

ERA = 2**32
SIZE = 48
SERVER_MODE = 4
PRECISION = -20

Script = Callable[[bytes, bytes], Iterable[bytes]]
"""Takes the request and the honest reply; returns the datagrams to send."""


def make_reply(
    request: bytes,
    *,
    received: float,
    sent: float,
    stratum: int = 2,
    leap: int = 0,
    root_delay: float = 0.0,
    root_dispersion: float = 0.001,
) -> bytes:
    """Return the 48 bytes of an honest reply; times are Unix seconds of any era."""
    packet = ntplib.NTPPacket(version=4, mode=SERVER_MODE)
    packet.leap, packet.stratum, packet.precision = leap, stratum, PRECISION
    packet.root_delay, packet.root_dispersion = root_delay, root_dispersion
    packet.ref_id = int.from_bytes(b"LOCL", "big")
    header: bytes = packet.to_data()[:16]
    return header + _stamp(received - 1.0) + request[40:48] + _stamp(received) + _stamp(sent)


def _stamp(unix: float) -> bytes:
    """Return Unix seconds as an NTP timestamp: 32 bits of seconds in their era, 32 of fraction."""
    ticks = int((unix + ntplib.NTP.NTP_DELTA) * ERA)
    return struct.pack("!Q", ticks % ERA**2)


def _honest(_: bytes, reply: bytes) -> Iterable[bytes]:
    return (reply,)


class NtpServer:
    """An NTP server on 127.0.0.1, running between `with` and its end.

    Args:
        offset: seconds that its clock is ahead of `wall`.
        stratum: how far it says it is from a reference clock; 0 and 16 are no source of time.
        leap: 3 says that it is not synchronised.
        delay: seconds by which its replies are late on the way back.
        script: what is really sent in place of the honest reply.
        wall: Unix seconds.
    """

    def __init__(
        self,
        *,
        offset: float = 0.0,
        stratum: int = 2,
        leap: int = 0,
        delay: float = 0.0,
        script: Script = _honest,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.offset = offset
        self.stratum = stratum
        self.leap = leap
        self.delay = delay
        self.script = script
        self.requests = 0
        self._wall = wall
        self._stopped = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, name="ntp-server", daemon=True)

    @property
    def address(self) -> str:
        """Return `127.0.0.1:port`, as `clock.servers` takes it."""
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._socket.sendto(b"", self._socket.getsockname())  # wakes the thread
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            request, client = self._socket.recvfrom(1024)
            if self._stopped.is_set():
                return
            if len(request) == SIZE:
                self._answer(request, client)

    def reply(self, request: bytes) -> bytes:
        """Return what the server would honestly answer now."""
        now = self._wall() + self.offset
        return make_reply(request, received=now, sent=now, stratum=self.stratum, leap=self.leap)

    def _answer(self, request: bytes, client: tuple[str, int]) -> None:
        self.requests += 1
        datagrams = self.script(request, self.reply(request))
        self._stopped.wait(self.delay)
        for datagram in datagrams:
            self._socket.sendto(datagram, client)
