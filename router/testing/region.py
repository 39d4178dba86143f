"""One loopback region: a real HTTP/1.1 server whose latency, status, life and fault are yours.

Rule 1: a probe of the router is counted apart from requests.
Rule 2: `stop_listening` is a polite end (open connections serve one more request each), `kill` a
        rude one (every connection is reset); `revive` listens on the same port again.
Rule 3: a `fault` is none of the server's doing: it befalls the line that the server speaks through.
"""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import h11

from router.testing.messages import Received, Reply
from router.testing.peer import Peer

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.testing.line import Line
    from router.testing.regions import Regions

__all__ = ["Region"]


class Region(Peer):
    """One server; set `latency`, `status`, `respond`, `silent` or `fault` while it runs.

    Attributes:
        latency: seconds between a request and its answer.
        status: the status of every answer, where `respond` is not set.
        respond: makes the Reply for a Received, in place of an empty answer.
        silent: read requests and never answer.
        clock: seconds by which its clock is ahead of this host's; set, it sends a Date header.
        received: every request that was read in full, probes and what a fault withheld left out.
        probes: how many probes came.
    """

    def __init__(self, name: str, owner: Regions, *, latency: float, host: str) -> None:
        super().__init__(host, owner.thread)
        self.name = name
        self.latency = latency
        self.status = 200
        self.respond: Callable[[Received], Reply] | None = None
        self.silent = False
        self.clock: float | None = None
        self.received: list[Received] = []
        self.probes = 0
        self._owner = owner
        self._polite_end = False

    @property
    def url(self) -> str:
        """The base URL; by IP address, or by name where the region has a certificate."""
        scheme, host = ("http", self.host) if self.tls is None else ("https", f"{self.name}.test")
        return f"{scheme}://{host}:{self.port}"

    def stop_listening(self) -> None:
        """Refuse new connections; open ones serve one more request each."""
        self._thread.run(self._end_politely())

    def kill(self) -> None:
        """Refuse new connections and reset the open ones."""
        self._thread.run(self._listener.stop(reset=True))

    def revive(self) -> None:
        """Listen again, on the same port."""
        self._polite_end = False
        self._thread.run(self.listen())

    async def listen(self) -> None:
        """Start to listen; the first time at a port that the system chooses."""
        await self._listener.listen()

    async def _end_politely(self) -> None:
        await self._listener.stop()  # first, or who is sent away comes back before it is shut
        self._polite_end = True

    async def end(self) -> None:
        """Close everything."""
        await self._listener.end()

    async def _serve(self, line: Line) -> None:
        connection = h11.Connection(h11.SERVER)
        try:
            while connection.our_state is h11.IDLE:
                request = await self._read(connection, line)
                if request is None:
                    break
                await self._answer(connection, line, request)
                if h11.DONE not in {connection.our_state, connection.their_state}:
                    break
                connection.start_next_cycle()
                line.answered()
        except h11.ProtocolError:
            pass  # the client's end of a test that breaks connections on purpose

    async def _read(self, connection: h11.Connection, line: Line) -> Received | None:
        head, body = None, bytearray()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await line.read())
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                await line.requested()
                return Received.of(self.name, head, bytes(body))
            else:
                return None

    async def _answer(self, connection: h11.Connection, line: Line, request: Received) -> None:
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
            await self._write(connection, line, request.method, reply)

    async def _write(
        self, connection: h11.Connection, line: Line, method: str, reply: Reply
    ) -> None:
        if reply.raw is not None:
            await line.answer(reply.raw)
            connection.send_failed()  # h11 does not know what was sent, so this connection ends
            return
        head = h11.Response(status_code=reply.status, headers=self._headers(reply))
        waiting = connection.send(head) or b""
        if method != "HEAD" and reply.chunks is not None:
            for chunk in reply.chunks:
                await line.answer(waiting + (connection.send(h11.Data(data=chunk)) or b""))
                await asyncio.sleep(reply.pause)  # 0, too, lets others have a turn
                waiting = b""
        elif method != "HEAD":
            waiting += connection.send(h11.Data(data=reply.body)) or b""
        waiting += connection.send(h11.EndOfMessage()) or b""
        if waiting:
            await line.answer(waiting)

    def _headers(self, reply: Reply) -> list[tuple[str, str]]:
        headers = list(reply.fields())
        names = {name.lower() for name, _ in headers}
        if self.clock is not None and "date" not in names:
            headers.append(("Date", formatdate(int(time.time() + self.clock), usegmt=True)))
        if not names.intersection({"content-length", "transfer-encoding"}):
            headers.append(reply.framing())
        if self._polite_end:
            headers.append(("Connection", "close"))
        return headers
