"""A real HTTP/2 server over TLS, which takes as many streams at once as it is told.

By a request's path, or by what it `does` to all, it answers, is silent (`/silent`), refuses the
stream (`/refuse`), goes away without having processed it (`/goaway`), sends the beginning of a
body (`/begin`), or answers and soon goes away (`/last`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from ending import stop_accepting

from router.testing.thread import LoopThread

if TYPE_CHECKING:
    from collections.abc import Iterator

    import trustme

__all__ = ["Http2Server", "http2_server"]

NAME = "h2.test"


class Http2Server:
    """Answers every request with 200 after `latency` seconds, and keeps what came."""

    def __init__(self, context: ssl.SSLContext, *, latency: float, streams: int) -> None:
        self.received: list[tuple[float, dict[str, str]]] = []
        self.port = 0
        self.connections = 0
        self.most_at_once = 0
        self.does = b""
        self._context = context
        self._latency = latency
        self._streams = streams
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"

    async def listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def end(self, listening: asyncio.Server) -> None:
        await stop_accepting(listening)
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        most = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self._streams}
        connection.local_settings = h2.settings.Settings(client=False, initial_values=most)
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        answers: set[asyncio.Task[None]] = set()
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        headers = {k.decode(): v.decode() for k, v in event.headers or ()}
                        self.received.append((time.time(), headers))
                        task = asyncio.create_task(self._answer(connection, writer, event))
                        answers.add(task)
                        self.most_at_once = max(self.most_at_once, len(answers))
                        task.add_done_callback(answers.discard)
                writer.write(connection.data_to_send())
        writer.close()

    async def _answer(
        self,
        connection: h2.connection.H2Connection,
        writer: asyncio.StreamWriter,
        event: h2.events.RequestReceived,
    ) -> None:
        await asyncio.sleep(self._latency)
        assert event.stream_id is not None
        with contextlib.suppress(h2.exceptions.ProtocolError):
            path = dict(event.headers or ())[b":path"]
            _carry_out(connection, event.stream_id, self.does or path)
            writer.write(connection.data_to_send())
            if path == b"/last":
                await asyncio.sleep(0.02)
                connection.close_connection(last_stream_id=event.stream_id)
                writer.write(connection.data_to_send())
                writer.close()


def _carry_out(connection: h2.connection.H2Connection, stream: int, path: bytes) -> None:
    if path == b"/refuse":
        connection.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
    elif path == b"/goaway":
        connection.close_connection(last_stream_id=0)
    elif path != b"/silent":
        connection.send_headers(stream, [(":status", "200")], end_stream=path != b"/begin")
        if path == b"/begin":
            connection.send_data(stream, b"begun")


@contextlib.contextmanager
def http2_server(authority: trustme.CA, *, latency: float, streams: int) -> Iterator[Http2Server]:
    """Run a server on 127.0.0.1 whose certificate is for h2.test."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2"])
    authority.issue_cert(NAME).configure_cert(context)
    server = Http2Server(context, latency=latency, streams=streams)
    thread = LoopThread("h2-server")
    thread.start()
    listening = thread.run(server.listen())
    try:
        yield server
    finally:
        thread.run(server.end(listening))
        thread.stop()
