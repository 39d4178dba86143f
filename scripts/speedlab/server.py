"""The server, in a process of its own: python server.py PORTS prints its URLs and serves.

As little of HTTP/1.1 as clients need, so that their share is seen. It ends with standard input.

Rule 1: an answer's bytes are made once; its Date is renewed each second.
Rule 2: each event is a chunk of its own, and written by itself, as a service does that has no more
        to say yet.
Rule 3: a request that asks to be held is answered once twenty wait at its port.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from speedlab.answers import IDLE, events, whole, wish
from speedlab.cores import SERVERS, settle

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Dates", "Server", "serve"]

HOST = "127.0.0.1"
END = b"\r\n\r\n"
LENGTH = b"content-length:"
HEAD = b"HTTP/1.1 200 OK\r\nDate: %b\r\nServer: bench\r\nX-Request-Id: 1\r\n"
WHOLE = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
EVENTS = b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Dates:
    """The Date header's value, made once a second."""

    def __init__(self) -> None:
        self._second, self._text = 0, b""

    def now(self) -> bytes:
        """Return the date as of now."""
        second = int(time.time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True).encode("ascii")
        return self._text


DATES = Dates()
HELD: dict[int, list[asyncio.Transport]] = defaultdict(list)
"""Who waits, by port."""


class Server(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request once it is whole."""
        self._received += data
        while (end := self._received.find(END)) >= 0:
            start = end + len(END)
            stop = start + _length(self._received[:end])
            if len(self._received) < stop:
                return
            body, self._received = self._received[start:stop], self._received[stop:]
            self._answer(*wish(body))

    def _answer(self, size: int, streamed: bool, waits: bool) -> None:  # noqa: FBT001 - a wish
        head = HEAD % DATES.now()
        if waits:
            self._hold(head + WHOLE % len(whole(size)) + whole(size))
        elif streamed:
            self._write([head + EVENTS, *map(_chunk, events(size)), b"0\r\n\r\n"])
        else:
            answer = whole(size)
            self._transport.write(head + WHOLE % len(answer) + answer)

    def _hold(self, answer: bytes) -> None:
        """Answer once so many wait at this port that each has a connection of its own."""
        waiting = HELD[self._transport.get_extra_info("sockname")[1]]
        waiting.append(self._transport)
        if len(waiting) == IDLE:
            for transport in waiting:
                transport.write(answer)
            waiting.clear()

    def _write(self, parts: Iterable[bytes]) -> None:
        for part in parts:
            self._transport.write(part)


def _chunk(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(LENGTH)
    return int(rest.partition(b"\r\n")[0] or 0)


async def serve(ports: int) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Server, HOST, 0, backlog=1024) for _ in range(ports)]
    numbers = [server.sockets[0].getsockname()[1] for server in servers]
    print(json.dumps([f"http://{HOST}:{number}" for number in numbers]), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    settle(SERVERS)
    asyncio.run(serve(int(sys.argv[1])))
