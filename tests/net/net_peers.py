"""Peers that do what a test says over real sockets, and pools of both cores that talk to them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import router
from router.call import Body, Outgoing, Timeouts
from router.failover.verdict import SendFailure
from router.families import family
from router.net.blocking import BlockingBackend
from router.net.resolver import Resolver
from router.net.suspending import SuspendingBackend
from router.wires.fast import FastTasks, FastThreads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import Self

    import trustme

    from router.call import Answer

__all__ = [
    "ANSWER",
    "KINDS",
    "NAME",
    "Asker",
    "Peer",
    "answering",
    "black_hole",
    "client_tls",
    "entries",
    "open_sockets",
    "read_request",
    "reset",
    "server_tls",
    "timeouts",
]

KINDS = [f"{core}-{way}" for core in ("httpcore", "httpcore2") for way in ("threads", "tasks")]
KINDS += ["httpcore-aiohttp", "httpcore-aiohttp threads"]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NAME = "peer.test"
LONG = 10.0
CHUNK = 65536


def timeouts(budget: float = LONG, **limits: float) -> Timeouts:
    """Return what a request may wait, in seconds."""
    return Timeouts(limits, time.monotonic() + budget, pause=LONG, now=time.monotonic)


def read_request(sock: socket.socket) -> bytes:
    """Return the head of a request, or what came of it before the end."""
    came = b""
    while b"\r\n\r\n" not in came:
        part = sock.recv(CHUNK)
        if not part:
            break
        came += part
    return came


def answering(sock: socket.socket) -> None:
    """Answer every request."""
    while read_request(sock):
        sock.sendall(ANSWER)


def reset(sock: socket.socket) -> None:
    """End a connection rudely."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def entries(*places: tuple[str, int]) -> list[Any]:
    """Return what `getaddrinfo` would for these places."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]


def open_sockets() -> int:
    """Return how many sockets this process holds open."""
    told = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the directory's own is closed by now
            told.append(str(link.readlink()))
    return sum(each.startswith("socket:") for each in told)


class Peer:
    """A server that plays a script on each connection, in a thread of its own."""

    def __init__(
        self,
        script: Callable[[socket.socket], None] = answering,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.accepted = 0
        self._script = script
        self._listening = socket.create_server((host, port))
        self._socks: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def port(self) -> int:
        port: int = self._listening.getsockname()[1]
        return port

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            self.accepted += 1
            self._socks.append(sock)
            playing = threading.Thread(target=self._play, args=(sock,))
            self._threads.append(playing)
            playing.start()

    def _play(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            self._script(sock)

    def wait_until_idle(self) -> None:
        """Wait until every script has been played, and its last words have had time to come."""
        for thread in self._threads[1:]:
            thread.join(LONG)
        time.sleep(0.02)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(LONG)


@contextlib.contextmanager
def black_hole(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Listen at a port where connects hang: nobody accepts, and the queue is full."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        time.sleep(0.05)
        yield listening.getsockname()[1]


def server_tls(authority: trustme.CA, name: str = NAME) -> Callable[[Any], Any]:
    """Return what makes of a script one that is played under TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)

    def under_tls(script: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
        def play(sock: socket.socket) -> None:
            with context.wrap_socket(sock, server_side=True) as tls:
                script(tls)

        return play

    return under_tls


def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    """Return a context that trusts the authority alone."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


class FastPool:
    """The wire over aiohttp, asked as a core's pool is."""

    def __init__(
        self, kind: Any, tls: ssl.SSLContext | None, name: str, resolver: Resolver
    ) -> None:
        self._wire = kind(family("httpx"), lambda: tls or ssl.create_default_context())
        self._name = name
        self._resolver = resolver

    def _outgoing(self, asked: tuple[str, str], extensions: Any, content: bytes | None) -> Outgoing:
        method, url = asked
        parts = urlsplit(url)
        host = self._name if parts.scheme == "https" else parts.hostname
        endpoint = router.Endpoint(
            url=f"{parts.scheme}://{host}:{parts.port}",
            address=parts.hostname if parts.scheme == "https" else None,
        )
        length = [] if content is None else [(b"Content-Length", b"%d" % len(content))]
        return Outgoing(
            method=method,
            endpoint=endpoint,
            target=b"/",
            headers=[(b"Host", endpoint.origin.authority.encode()), *length],
            body=Body([content or b""], replayable=True),
            timeouts=extensions["timeout"],
            extensions={},
        )

    def _pool(self, endpoint: router.Endpoint) -> Any:
        made = self._wire._pool(endpoint)
        backend = getattr(made._backend, "_backend", made._backend)
        backend._resolver = self._resolver
        return made


@contextlib.contextmanager
def causes() -> Iterator[None]:
    """Raise what the core would."""
    try:
        yield
    except SendFailure as failure:
        raise failure.__cause__ or failure from None


class FastPoolOfTasks(FastPool):
    """The one of tasks."""

    def __init__(self, *given: Any) -> None:
        super().__init__(FastTasks, *given)
        self.aclose = self._wire.aclose

    @contextlib.asynccontextmanager
    async def stream(
        self, method: str, url: str, *, extensions: Any, content: bytes | None = None
    ) -> AsyncIterator[FastResponse]:
        """Send, and close the answer at the end."""
        request = self._outgoing((method, url), extensions, content)
        pools = self._wire.pools.here()
        if request.endpoint.server not in pools:
            pools[request.endpoint.server] = self._pool(request.endpoint)
        with causes():
            answer = await self._wire.send(request)
        try:
            yield FastResponse(answer)
        finally:
            await answer.stream.aclose()


class FastPoolOfThreads(FastPool):
    """The one of threads."""

    def __init__(self, *given: Any) -> None:
        super().__init__(FastThreads, *given)
        self.close = self._wire.close

    @contextlib.contextmanager
    def stream(
        self, method: str, url: str, *, extensions: Any, content: bytes | None = None
    ) -> Iterator[FastResponse]:
        """Send, and close the answer at the end."""
        request = self._outgoing((method, url), extensions, content)
        self._wire.pools.of(request.endpoint, self._pool)
        with causes():
            answer = self._wire.send(request)
        try:
            yield FastResponse(answer)
        finally:
            answer.stream.close()


class FastResponse:
    """An answer, read as one of a core's pools is."""

    def __init__(self, answer: Answer) -> None:
        self.aiter_stream = answer.stream.__aiter__
        self.iter_stream = getattr(answer.stream, "__iter__", None)


class Asker:
    """A pool of one core over our backend, asked the same way whether it blocks or suspends."""

    def __init__(
        self,
        kind: str,
        tls: ssl.SSLContext | None = None,
        *,
        http2: bool = False,
        name: str = NAME,
        **lookup: Any,
    ) -> None:
        core, way = kind.split("-")
        self.core: Any = importlib.import_module(core)
        self.resolver = Resolver(**lookup)
        self._tls = tls
        self._name = name
        kept = {"ssl_context": tls, "max_connections": 50, "http2": http2}
        self.runner = None if way.endswith("threads") else asyncio.Runner()
        if way.startswith("aiohttp"):
            made = FastPoolOfTasks if self.runner else FastPoolOfThreads
            self.pool: Any = made(tls, name, self.resolver)
        elif self.runner is None:
            backend: Any = BlockingBackend(self.core, self.resolver)
            self.pool = self.core.ConnectionPool(network_backend=backend, **kept)
        else:
            backend = SuspendingBackend(self.core, self.resolver)
            self.pool = self.core.AsyncConnectionPool(network_backend=backend, **kept)

    def ask(
        self,
        port: int,
        given: Timeouts | None = None,
        *,
        host: str = "127.0.0.1",
        content: bytes | None = None,
        abandon_after: float | None = None,
    ) -> bytes:
        """Return the body of the answer; after `abandon_after` seconds, abandon the request."""
        scheme = "http" if self._tls is None else "https"
        extensions: dict[str, Any] = {"timeout": given or timeouts(), "sni_hostname": self._name}
        asked = (
            "GET" if content is None else "POST",
            f"{scheme}://{host}:{port}/",
        )
        if self.runner is None:
            if abandon_after is not None:
                threading.Timer(abandon_after, extensions["timeout"].abandon).start()
            return self._ask(asked, content, extensions)
        return self.runner.run(self._ask_async(asked, content, extensions, abandon_after))

    def _ask(self, asked: Any, content: bytes | None, extensions: Any) -> bytes:
        with self.pool.stream(*asked, content=content, extensions=extensions) as response:
            extensions["timeout"].until_head = None
            return b"".join(response.iter_stream())

    async def _ask_async(
        self, asked: Any, content: bytes | None, extensions: Any, abandon_after: float | None
    ) -> bytes:
        if abandon_after is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(abandon_after, extensions["timeout"].abandon)
        async with self.pool.stream(*asked, content=content, extensions=extensions) as response:
            extensions["timeout"].until_head = None
            return b"".join([part async for part in response.aiter_stream()])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.runner is None:
            self.pool.close()
        else:
            self.runner.run(self.pool.aclose())
            self.runner.close()
