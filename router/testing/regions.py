"""Loopback regions: real HTTP/1.1 servers whose latency, status and life can be changed at will.

    with Regions(near=0.005, far=0.080) as regions:
        with router.Client(regions.config()) as client:
            client.get("/hello")
            regions["near"].stop_listening()
            client.get("/hello")          # answered by far

Rule 1: all regions of a `Regions` live in one thread with one event loop and count together, so
        that "never more than five at once" can be asked of all of them.
Rule 2: a probe of the router is counted apart from requests.
Rule 3: `stop_listening` is a polite end (open connections serve one more request each), `kill` a
        rude one (every connection is reset); `revive` listens on the same port again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections import Counter
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, TypeVar

import h11

from router.config import Config
from router.endpoint import Endpoint
from router.testing.messages import Received, Reply

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Self

__all__ = ["Received", "Region", "Regions", "Reply"]

T = TypeVar("T")

CHUNK = 64 * 1024
ANSWER_WITHIN = 10.0
LAST_WORDS = 0.01


class Region:
    """One server; set `latency`, `status`, `respond` or `silent` while it runs.

    Attributes:
        latency: seconds between a request and its answer.
        status: the status of every answer, where `respond` is not set.
        respond: makes the Reply for a Received, in place of an empty answer.
        silent: read requests and never answer.
        clock: seconds by which its clock is ahead of this host's; set, it sends a Date header.
        received: every request that was read in full, probes left out.
        probes: how many probes came.
    """

    def __init__(self, name: str, owner: Regions, *, latency: float, host: str) -> None:
        self.name = name
        self.host = host
        self.port = 0
        self.latency = latency
        self.status = 200
        self.respond: Callable[[Received], Reply] | None = None
        self.silent = False
        self.clock: float | None = None
        self.received: list[Received] = []
        self.probes = 0
        self._owner = owner
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._polite_end = False

    @property
    def url(self) -> str:
        """The base URL; by IP address, or by name where the region has a certificate."""
        scheme = "http" if self._owner.tls is None else "https"
        host = self.host if self._owner.tls is None else f"{self.name}.test"
        return f"{scheme}://{host}:{self.port}"

    def stop_listening(self) -> None:
        """Refuse new connections; open ones serve one more request each."""
        self._owner.run(self._end_politely())

    def kill(self) -> None:
        """Refuse new connections and reset the open ones."""
        self._owner.run(self._close_listener())
        self._owner.run(self._reset_connections())

    def revive(self) -> None:
        """Listen again, on the same port."""
        self._polite_end = False
        self._owner.run(self.listen())

    async def listen(self) -> None:
        """Start to listen; the first time at a port that the system chooses."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._accept, self.host, self.port, ssl=self._owner.tls, backlog=1024
            )
            self.port = self._server.sockets[0].getsockname()[1]

    async def _end_politely(self) -> None:
        await self._close_listener()  # first, or who is sent away comes back before it is shut
        self._polite_end = True

    async def _close_listener(self) -> None:
        """Accept no more, let what was just accepted be set up, and close.

        The order matters: asyncio loses a connection whose listener closes between the two.
        """
        server, self._server = self._server, None
        if server is not None:
            for listening in server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            server.close()

    async def _reset_connections(self) -> None:
        for writer in list(self._writers):
            sock = writer.get_extra_info("socket")
            if sock is not None:
                with contextlib.suppress(OSError):  # gone already
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()

    async def end(self) -> None:
        """Close everything."""
        await self._close_listener()
        await self._reset_connections()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Note the connection at once, so that an end right now closes it too."""
        self._writers.add(writer)
        serving = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            connection = h11.Connection(h11.SERVER)
            while connection.our_state is h11.IDLE:
                request = await self._read(connection, reader)
                if request is None:
                    break
                await self._answer(connection, writer, request)
                if h11.DONE not in {connection.our_state, connection.their_state}:
                    break
                connection.start_next_cycle()
        except (OSError, h11.ProtocolError):
            pass  # the client's end of a test that breaks connections on purpose
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _read(
        self, connection: h11.Connection, reader: asyncio.StreamReader
    ) -> Received | None:
        head, body = None, bytearray()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(CHUNK))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return Received.of(self.name, head, bytes(body))
            else:
                return None

    async def _answer(
        self, connection: h11.Connection, writer: asyncio.StreamWriter, request: Received
    ) -> None:
        probe = request.headers.get("user-agent", "").endswith("probe")
        if probe:
            self.probes += 1
        else:
            self.received.append(request)
        with self._owner.counting(probe=probe):
            if self.silent:
                await asyncio.Event().wait()
            await asyncio.sleep(self.latency)
            reply = Reply(self.status) if probe or self.respond is None else self.respond(request)
            await self._write(connection, writer, request.method, reply)

    async def _write(
        self, connection: h11.Connection, writer: asyncio.StreamWriter, method: str, reply: Reply
    ) -> None:
        headers = list(reply.headers.items())
        if self.clock is not None and "date" not in {name.lower() for name in reply.headers}:
            headers.append(("Date", formatdate(int(time.time() + self.clock), usegmt=True)))
        if reply.chunks is None:
            headers.append(("Content-Length", str(len(reply.body))))
        else:
            headers.append(("Transfer-Encoding", "chunked"))
        if self._polite_end:
            headers.append(("Connection", "close"))
        head = h11.Response(status_code=reply.status, headers=headers)
        writer.write(connection.send(head) or b"")
        if method != "HEAD":
            for chunk in reply.chunks if reply.chunks is not None else (reply.body,):
                writer.write(connection.send(h11.Data(data=chunk)) or b"")
                await writer.drain()
                if reply.pause:
                    await asyncio.sleep(reply.pause)
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        await writer.drain()


class Regions:
    """Several regions under one roof; keyword arguments are names and latencies in seconds."""

    def __init__(self, tls: ssl.SSLContext | None = None, **latencies: float) -> None:
        """`tls`: a server context whose certificate holds the names `<region>.test`."""
        self.tls = tls
        self.most_at_once = 0
        self._at_once = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="regions", daemon=True)
        self._regions = {
            name: Region(name, self, latency=latency, host="127.0.0.1")
            for name, latency in latencies.items()
        }

    def __getitem__(self, name: str) -> Region:
        return self._regions[name]

    def __iter__(self) -> Iterator[Region]:
        return iter(self._regions.values())

    def __enter__(self) -> Self:
        self._thread.start()
        for region in self:
            self.run(region.listen())
        return self

    def __exit__(self, *_: object) -> None:
        for region in self:
            self.run(region.end())
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_WITHIN)
        self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the regions' loop and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(ANSWER_WITHIN)

    @contextlib.contextmanager
    def counting(self, *, probe: bool) -> Iterator[None]:
        """Count what is under way, over all regions together."""
        self._at_once += not probe
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            self._at_once -= not probe

    @property
    def received(self) -> list[Received]:
        """Every request that any region read in full."""
        return [request for region in self for request in region.received]

    def shares(self) -> Counter[str]:
        """Return how many requests each region got."""
        return Counter(request.region for request in self.received)

    def endpoints(self, path: str = "") -> tuple[Endpoint, ...]:
        """Return an Endpoint for each region."""
        return tuple(
            Endpoint(
                name=region.name,
                url=region.url + path,
                address=None if self.tls is None else region.host,
            )
            for region in self
        )

    def config(self, **sections: Any) -> Config:
        """Return a Config that serves from these regions; `sections` as for Config."""
        return Config(endpoints=self.endpoints(), **sections)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(LAST_WORDS)  # transports close their sockets in a later turn of the loop
