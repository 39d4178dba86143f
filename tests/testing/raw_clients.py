"""Clients that hide nothing: what a fault looks like on a raw socket."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from router.testing.peer import Peer

__all__ = ["GET", "POST", "Seen", "ask", "connect"]

GET = b"GET / HTTP/1.1\r\nHost: near.test\r\n\r\n"
POST = b"POST /orders HTTP/1.1\r\nHost: near.test\r\nContent-Length: 5\r\n\r\nhello"


class Seen(NamedTuple):
    """What came back: bytes, how it ended (`fin`, `rst`, `open`), and seconds."""

    data: bytes
    end: str
    took: float


def connect(peer: Peer, timeout: float = 5.0) -> socket.socket:
    return socket.create_connection((peer.host, peer.port), timeout)


def ask(client: socket.socket, request: bytes = GET, *, wait: float = 0.3) -> Seen:
    """Send a request and read until the connection ends, or is quiet for `wait` seconds."""
    began, data = time.monotonic(), b""
    client.settimeout(wait)
    if request:
        client.sendall(request)
    while True:
        try:
            more = client.recv(65536)
        except ConnectionResetError:
            return Seen(data, "rst", time.monotonic() - began)
        except TimeoutError:
            return Seen(data, "open", time.monotonic() - began)
        if not more:
            return Seen(data, "fin", time.monotonic() - began)
        data += more
