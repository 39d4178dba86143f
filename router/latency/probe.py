"""One probe: connect, then ask twice on the same connection, each step timed.

Rule 1: it carries no credentials, no cookies and no caller's header, follows no redirect, and reads
        a bounded number of bytes.
Rule 2: every failure is a ProbeError with words; `probe.timeout` bounds the whole of it.
Rule 3: the steps are timed apart (which is why h11 is driven by hand): name lookup and TLS are in
        none of the figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h11

from router.version import __version__

if TYPE_CHECKING:
    from router.config.settings import Probe
    from router.endpoint import Endpoint

__all__ = ["Measured", "ProbeError", "measure"]

MOST_BODY = 64 * 1024
MOST_HEAD = 64 * 1024
CHUNK = 16 * 1024
BROKEN = 500


class ProbeError(Exception):
    """A probe failed, as the message says; `reached` tells whether the server answered at all."""

    def __init__(self, words: str, *, reached: bool = False) -> None:
        super().__init__(words)
        self.reached = reached


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of the TCP connect and of a request on the warm connection, and the status."""

    connect: float
    warm: float
    status: int


async def measure(endpoint: Endpoint, probe: Probe, *, tls: ssl.SSLContext | None) -> Measured:
    """Probe `endpoint` once.

    Raises:
        ProbeError: it could not be reached, did not answer in time, or answered 5xx.
    """
    try:
        async with asyncio.timeout(probe.timeout):
            return await _measure(endpoint, probe, tls)
    except TimeoutError:
        raise ProbeError(f"no answer within {probe.timeout:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise ProbeError(f"TLS certificate refused: {error.verify_message}") from None
    except (socket.gaierror, UnicodeError):  # the latter: a label that DNS cannot hold
        raise ProbeError("the name does not resolve") from None
    except ConnectionRefusedError:
        raise ProbeError("connection refused") from None
    except (OSError, h11.RemoteProtocolError) as error:
        raise ProbeError(f"connection failed ({type(error).__name__})") from None


async def _measure(endpoint: Endpoint, probe: Probe, tls: ssl.SSLContext | None) -> Measured:
    origin = endpoint.origin
    sock, connect = await _connect(endpoint.address or origin.host, origin.port)
    secure = origin.scheme == "https"
    reader, writer = await asyncio.open_connection(
        sock=sock,
        ssl=tls if secure else None,
        server_hostname=origin.host if secure else None,
    )
    try:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD)
        status, warm = await _ask(connection, reader, writer, endpoint, probe)
        with contextlib.suppress(h11.ProtocolError, OSError):
            connection.start_next_cycle()
            status, warm = await _ask(connection, reader, writer, endpoint, probe)
    finally:
        writer.transport.abort()
    if status >= BROKEN:
        raise ProbeError(f"answered {status}", reached=True)
    return Measured(connect, warm, status)


async def _connect(host: str, port: int) -> tuple[socket.socket, float]:
    loop = asyncio.get_running_loop()
    failure: OSError = OSError("no address")
    for family, kind, proto, _, address in await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        sock = socket.socket(family, kind, proto)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            started = time.monotonic()
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock, time.monotonic() - started
    raise failure


async def _ask(
    connection: h11.Connection,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    endpoint: Endpoint,
    probe: Probe,
) -> tuple[int, float]:
    request = h11.Request(
        method=probe.method,
        target=endpoint.origin.base_path + probe.path,
        headers=[
            ("Host", endpoint.origin.authority),
            ("User-Agent", f"region-router/{__version__} probe"),
            ("Accept", "*/*"),
        ],
    )
    data = (connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b"")
    started = time.monotonic()
    writer.write(data)
    status, elapsed, body = 0, 0.0, 0
    while True:
        event = await _next_event(connection, reader)
        if isinstance(event, h11.Response):
            status, elapsed = event.status_code, time.monotonic() - started
        elif isinstance(event, h11.Data):
            body += len(event.data)
        if isinstance(event, h11.EndOfMessage | h11.ConnectionClosed) or body > MOST_BODY:
            break
    if not status:
        raise ConnectionResetError
    return status, elapsed


async def _next_event(connection: h11.Connection, reader: asyncio.StreamReader) -> Any:
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await reader.read(CHUNK))
    return event
