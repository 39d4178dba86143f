"""Streams carry what they are given, whole, and nothing is left behind when they end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import random
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from ending import stop_accepting
from net_peers import (
    ANSWER,
    KINDS,
    NAME,
    Asker,
    Peer,
    client_tls,
    open_sockets,
    read_request,
    server_tls,
    timeouts,
)

from router.net.resolver import Resolver
from router.net.suspending import SuspendingBackend

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

MEGABYTES = 8
LARGE = random.Random(1).randbytes(1_000_000) * MEGABYTES
TASKS = 1000
LONGEST = 0.05


def echoing(sock: socket.socket) -> None:
    """Answer with the body of the request."""
    came = read_request(sock)
    head, _, body = came.partition(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    parts, left = [body], size - len(body)
    while left:
        parts.append(sock.recv(65536))
        left -= len(parts[-1])
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    sock.sendall(b"".join(parts))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_large_bodies_go_and_come_whole(kind: str, scheme: str) -> None:
    authority = trustme.CA()
    secure = scheme == "https"
    script = server_tls(authority)(echoing) if secure else echoing
    with Peer(script) as peer, Asker(kind, client_tls(authority) if secure else None) as asker:
        assert asker.ask(peer.port, content=LARGE) == LARGE


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_is_cut_off_under_tls_is_an_error(kind: str) -> None:
    authority = trustme.CA()

    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    with (
        Peer(server_tls(authority)(script)) as peer,
        Asker(kind, client_tls(authority)) as asker,
        pytest.raises((asker.core.RemoteProtocolError, asker.core.ReadError)),
    ):
        asker.ask(peer.port)


@pytest.mark.parametrize("kind", KINDS)
def test_what_nobody_reads_is_not_held_without_bound(kind: str) -> None:
    sent: list[int] = []
    done = threading.Event()

    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.settimeout(0.3)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
        with contextlib.suppress(TimeoutError):
            while True:
                sent.append(sock.send(b"x" * 65536))
        done.set()

    async def idly(asker: Asker, url: str) -> bool:
        async with asker.pool.stream("GET", url, extensions={"timeout": timeouts()}):
            return await asyncio.to_thread(done.wait, 5.0)

    with Peer(script) as peer, Asker(kind) as asker:
        url = f"http://127.0.0.1:{peer.port}/"
        if asker.runner is None:
            with asker.pool.stream("GET", url, extensions={"timeout": timeouts()}):
                assert done.wait(5.0)
        else:
            assert asker.runner.run(idly(asker, url))
        assert sum(sent) < 16_000_000


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(0.005)
            writer.write(ANSWER)
    writer.transport.abort()


class Exchanges:
    """One connection for each exchange."""

    def __init__(self, core: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._backend = SuspendingBackend(importlib.import_module(core), Resolver())
        self._port = port
        self._tls = tls

    async def one(self) -> bytes:
        stream = await self._backend.connect_tcp("127.0.0.1", self._port, timeout=10.0)
        try:
            if self._tls is not None:
                stream = await stream.start_tls(self._tls, NAME, timeout=10.0)
            await stream.write(b"GET / HTTP/1.1\r\n\r\n", timeout=10.0)
            return await stream.read(65536, timeout=10.0)
        finally:
            await stream.aclose()


async def storm(start: Callable[[], Coroutine[Any, Any, Any]], *, rounds: int, width: int) -> None:
    """Begin `width` at once, `rounds` times, and cancel each at a random moment."""
    chance = random.Random(1)

    async def one() -> None:
        task = asyncio.create_task(start())
        await asyncio.sleep(chance.uniform(0.0, LONGEST))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for _ in range(rounds):
        await asyncio.gather(*(one() for _ in range(width)))


@pytest.mark.parametrize("core", ["httpcore", "httpcore2"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_storm_of_cancellations_leaves_no_connection_open(core: str, scheme: str) -> None:
    authority, server_side = trustme.CA(), None
    if scheme == "https":
        server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(NAME).configure_cert(server_side)
    tls = client_tls(authority) if scheme == "https" else None

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_side, backlog=100)
        exchanges = Exchanges(core, server.sockets[0].getsockname()[1], tls)
        before = open_sockets()
        await storm(exchanges.one, rounds=TASKS // 50, width=50)
        for _ in range(100):
            assert await exchanges.one() == ANSWER
        await settled(before)
        await stop_accepting(server)

    asyncio.run(main())
    gc.collect()


async def settled(sockets: int) -> None:
    """Wait until no more than so many sockets are open."""
    for _ in range(200):
        if open_sockets() <= sockets:
            return
        await asyncio.sleep(0.01)
    assert open_sockets() <= sockets


def test_a_pool_that_may_be_cancelled_goes_on_after_a_storm() -> None:
    def script(sock: socket.socket) -> None:
        while read_request(sock):
            time.sleep(0.005)
            sock.sendall(ANSWER)

    async def main(pool: Any, url: str) -> None:
        def start() -> Any:
            return pool.request("GET", url, extensions={"timeout": timeouts()})

        await storm(start, rounds=10, width=20)
        for _ in range(100):
            assert (await start()).content == b"ok"

    with Peer(script) as peer, Asker("httpcore2-tasks") as asker:
        assert asker.runner is not None
        asker.runner.run(main(asker.pool, f"http://127.0.0.1:{peer.port}/"))
