"""One probe: connect, then ask twice on the same connection, each step timed.

Rule 1: it carries no credentials, no cookies and no caller's header, follows no redirect, and reads
        a bounded number of bytes.
Rule 2: every failure is a ProbeError with words; `probe.timeout` bounds the whole of it.
Rule 3: the steps are timed apart (which is why h11 is driven by hand): name lookup, TLS and the
        wait before an aimed request are in none of the figures.
Rule 4: the answer's Date is a free sample of the server's clock. Whoever wants a good one has the
        second request aimed at the turn of the server's second.
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

from router.clock.host import boottime
from router.clock.http_date import date_of
from router.version import __version__

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from router.config.settings import Probe
    from router.endpoint import Endpoint

__all__ = ["Measured", "ProbeError", "measure"]

MOST_BODY = 64 * 1024
MOST_HEAD = 64 * 1024
CHUNK = 16 * 1024
BROKEN = 500
LONGEST_WAIT = 1.0


class ProbeError(Exception):
    """A probe failed, as the message says; `reached` tells whether the server answered at all."""

    def __init__(self, words: str, *, reached: bool = False) -> None:
        super().__init__(words)
        self.reached = reached


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of the TCP connect and of a request on the warm connection, and what was answered.

    Attributes:
        connect: seconds of the TCP connect.
        warm: seconds from the request to the head of the answer.
        status: the answer's status.
        date: the answer's Date in Unix seconds, if it tells the server's time.
        asked: boot time before that answer was asked for.
        heard: boot time after its head came.
    """

    connect: float
    warm: float
    status: int
    date: float | None
    asked: float
    heard: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request brought; `elapsed` in seconds, the others as in Measured."""

    status: int
    elapsed: float
    date: float | None
    asked: float
    heard: float


async def measure(
    endpoint: Endpoint,
    probe: Probe,
    *,
    tls: ssl.SSLContext | None,
    aim: Callable[[float], float] | None = None,
) -> Measured:
    """Probe `endpoint` once.

    Args:
        endpoint: what is probed.
        probe: how.
        tls: the context for `https`.
        aim: tells how long to wait before the second request, a second at most, given the seconds
            that a request is on its way; `probe.timeout` is longer by that.

    Raises:
        ProbeError: it could not be reached, did not answer in time, or answered 5xx.
    """
    try:
        async with asyncio.timeout(probe.timeout) as limit:
            return await _measure(endpoint, probe, tls, lambda first: _wait(aim, first, limit))
    except TimeoutError:
        raise ProbeError(f"the probe took over {probe.timeout:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise ProbeError(f"TLS certificate refused: {error.verify_message}") from None
    except (socket.gaierror, UnicodeError):  # the latter: a label that DNS cannot hold
        raise ProbeError("the name does not resolve") from None
    except ConnectionRefusedError:
        raise ProbeError("connection refused") from None
    except (OSError, h11.RemoteProtocolError) as error:
        raise ProbeError(f"connection failed ({type(error).__name__})") from None


async def _measure(
    endpoint: Endpoint,
    probe: Probe,
    tls: ssl.SSLContext | None,
    between: Callable[[Answer], Awaitable[None]],
) -> Measured:
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
        first = answer = await _ask(connection, reader, writer, endpoint, probe)
        with contextlib.suppress(h11.ProtocolError, OSError):
            connection.start_next_cycle()
            await between(first)
            answer = await _ask(connection, reader, writer, endpoint, probe)
    finally:
        writer.transport.abort()
    if answer.status >= BROKEN:
        raise ProbeError(f"answered {answer.status}", reached=True)
    dated = first if answer.date is None else answer
    return Measured(connect, answer.elapsed, answer.status, dated.date, dated.asked, dated.heard)


async def _wait(
    aim: Callable[[float], float] | None, first: Answer, limit: asyncio.Timeout
) -> None:
    """Wait as long as `aim` says, and move the limit by that."""
    if aim is None:
        return
    wait = min(aim(first.elapsed / 2), LONGEST_WAIT)
    end = limit.when()
    assert end is not None
    limit.reschedule(end + wait)
    await asyncio.sleep(wait)


async def _connect(host: str, port: int) -> tuple[socket.socket, float]:
    loop = asyncio.get_running_loop()
    failure: OSError = OSError("no address")
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except RuntimeError:  # at the interpreter's end there are no threads left to look names up
        raise ProbeError("this process is ending") from None
    for family, kind, proto, _, address in found:
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
) -> Answer:
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
    asked, started = boottime(), time.monotonic()
    writer.write(data)
    answer, body = None, 0
    while True:
        event = await _next_event(connection, reader)
        if isinstance(event, h11.Response):
            elapsed, heard = time.monotonic() - started, boottime()
            answer = Answer(event.status_code, elapsed, date_of(event.headers), asked, heard)
        elif isinstance(event, h11.Data):
            body += len(event.data)
        if isinstance(event, h11.EndOfMessage | h11.ConnectionClosed) or body > MOST_BODY:
            break
    if answer is None:
        raise ConnectionResetError
    return answer


async def _next_event(connection: h11.Connection, reader: asyncio.StreamReader) -> Any:
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await reader.read(CHUNK))
    return event
