"""Servers that send exactly these bytes and break off exactly there, and regions made of them."""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ending import stop_accepting

import router
from router.testing.thread import LoopThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    Step = bytes | float | str
    """Bytes to send, seconds to wait, or `cut` (FIN), `reset` (RST) or `hang`."""

CUT, RESET, HANG = "cut", "reset", "hang"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    server: str
    method: str
    headers: dict[str, str]


class Servers:
    """Loopback servers; `serve` makes the steps of an answer, all of them raw bytes."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.ports: dict[str, int] = {}
        self.asked: list[Asked] = []
        self.serve: Callable[[Asked], Iterable[Step]] = lambda _: [answer(b"ok")]
        self._thread = LoopThread("stream-servers")

    def __enter__(self) -> Self:
        self._thread.start()
        self._thread.run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.run(self._end())
        self._thread.stop()

    def config(self, **sections: Any) -> router.Config:
        endpoints = tuple(
            router.Endpoint(name=name, url=f"http://127.0.0.1:{port}", tier=tier)
            for tier, (name, port) in enumerate(self.ports.items(), 1)
        )
        sections.setdefault("probe", router.Probe(enabled=False))
        return router.Config(endpoints=endpoints, **sections)

    def order(self) -> list[str]:
        return [asked.server for asked in self.asked]

    async def _listen(self) -> None:
        self._servers = []
        for name in self.names:

            async def accept(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str = name
            ) -> None:
                await self._answer(name, reader, writer)

            server = await asyncio.start_server(accept, "127.0.0.1", 0)
            self.ports[name] = server.sockets[0].getsockname()[1]
            self._servers.append(server)

    async def _answer(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method = head.partition(" ")[0]
            fields = dict(re.findall(r"^([^:\r\n]+): (.*?)\r$", head, re.MULTILINE))
            headers = {key.lower(): value for key, value in fields.items()}
            await reader.readexactly(int(headers.get("content-length", 0)))
            asked = Asked(name, method, headers)
            self.asked.append(asked)
            await _carry_out(self.serve(asked), writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went first, or the test is over
        finally:
            writer.close()

    async def _end(self) -> None:
        for server in self._servers:
            await stop_accepting(server)


async def _carry_out(steps: Iterable[Step], writer: asyncio.StreamWriter) -> None:
    for step in steps:
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif isinstance(step, float):
            await asyncio.sleep(step)
        elif step == HANG:
            await asyncio.sleep(60)
        elif step == RESET:
            await asyncio.sleep(0.02)  # what was sent is read before the reset takes it away
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()
            return
        else:
            return


def head(status: int = 200, **fields: str) -> bytes:
    """Return a raw head; a field's underscores stand for dashes."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Status", *lines, "Connection: close", "", ""]).encode()


def answer(body: bytes, status: int = 200, **fields: str) -> bytes:
    """Return a whole raw answer."""
    return head(status, Content_Length=str(len(body)), **fields) + body


def chunked(*parts: bytes) -> bytes:
    """Return parts of a chunked body, without its end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


LAST_CHUNK = b"0\r\n\r\n"
