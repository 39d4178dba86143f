"""A wire without a network: answers come from memory, all else is as with a real one.

Rule 1: it does what the quick wire does to the router's objects: it asks for the time that writing
        and reading may take, and iterates over the headers when it would write them. The body comes
        with the head, as a short one does.
Rule 2: it gives the loop its turn once, as a socket would.
Rule 3: `Alone` is the same wire without a router: what the two take differs by the router.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any

from router.call import Answer
from router.departure import Departure
from router.ports import AsyncioPort, BlockingPort
from speedlab.answers import whole
from speedlab.cells import KB
from speedlab.server import Dates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.call import Outgoing

__all__ = ["URL", "alone", "routed"]

URL = "http://r0.test"
CONTENT = whole(KB)
DATES = Dates()


def _headers() -> list[tuple[bytes, bytes]]:
    """Return an answer's headers as of now: a Date that is off would be learnt from."""
    return [
        (b"Date", DATES.now()),
        (b"Server", b"bench"),
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"%d" % len(CONTENT)),
    ]


def _written(headers: Any, timeouts: Mapping[str, Any]) -> int:
    """Do what a wire does with the request's parts."""
    timeouts.get("write")
    length = sum(len(name) + len(value) for name, value in headers)
    timeouts.get("read")
    return length


def _answer(request: Outgoing) -> Answer:
    headers = request.headers
    if isinstance(headers, Departure):
        headers = headers.headers()
    _written(headers, request.timeouts)  # type: ignore[arg-type] # as the core's own
    answer = Answer(200, _headers(), None, {"http_version": b"HTTP/1.1"})
    answer.whole = _content
    return answer


def _content() -> bytes:
    return CONTENT


class Tasks:
    """In place of AsyncWires."""

    async def send(self, request: Outgoing) -> Answer:
        """Answer from memory."""
        await asyncio.sleep(0)
        return _answer(request)

    async def aclose(self) -> None:
        """Close nothing."""


class Threads:
    """In place of Wires."""

    def send(self, request: Outgoing) -> Answer:
        """Answer from memory."""
        return _answer(request)

    def close(self) -> None:
        """Close nothing."""


def routed(family: str, shared: Any, *, threads: bool) -> Any:
    """Return the router's client over this wire."""
    module = import_module({"httpx": "router", "httpx2": "router.httpx2"}[family])
    client: Any = (module.Client if threads else module.AsyncClient)(shared)
    transport = client._transport  # noqa: SLF001 - what is under it is what is exchanged
    wires: Any = Threads() if threads else Tasks()
    transport._wires = wires  # noqa: SLF001
    transport._port = BlockingPort(wires) if threads else AsyncioPort(wires)  # noqa: SLF001
    return client


def alone(family: str, *, threads: bool) -> Any:
    """Return the family's own client over this wire."""
    library: Any = import_module(family)

    def response(request: Any) -> Any:
        _written(request.headers.raw, request.extensions["timeout"])
        return library.Response(
            200,
            headers=_headers(),
            stream=library.ByteStream(CONTENT),
            extensions={"http_version": b"HTTP/1.1"},
        )

    class AloneTasks(library.AsyncBaseTransport):  # type: ignore[misc] # either library's
        async def handle_async_request(self, request: Any) -> Any:
            await asyncio.sleep(0)
            return response(request)

    class AloneThreads(library.BaseTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            return response(request)

    if threads:
        return library.Client(base_url=URL, transport=AloneThreads())
    return library.AsyncClient(base_url=URL, transport=AloneTasks())
