"""The regions of the page: A is the nearest, B and C stand by, on loopback addresses of their own.

Rule 1: a well region answers as a language model's API does, so that every client can take part,
        and says its name in a header.
Rule 2: executions are counted by the ids in bodies and queries, at the servers.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from faultlab.load import ID
from router.testing import Regions, replies
from router.testing.region import Region

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    import h11

    from router.endpoint import Endpoint
    from router.testing import Certificates, Received, Reply
    from router.testing.line import Line

    Respond = Callable[[Received], Reply]

__all__ = ["LATENCIES", "Queueing", "World", "well"]

LATENCIES = {"a": 0.002, "b": 0.004, "c": 0.006}
WEIGHTS = {"a": 1.0, "b": 0.5, "c": 0.25}
"""So that the noise of a busy machine is not taken for a reason to leave A."""


def well(name: str, status: int = 200) -> Respond:
    """Return what a region answers to everything, with any status."""
    message = {"role": "assistant", "content": f"hello from {name}, " + "and so on. " * 20}
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    made = replies.json(answer, status)
    headers = [*made.fields(), ("X-Region", name)]
    return replies.always(type(made)(status, headers, made.body))


class Queueing(Region):
    """A region that serves one request after the other, `service` seconds each."""

    service = 0.0
    _free_at = 0.0
    _turn: asyncio.Lock | None = None

    async def _answer(self, connection: h11.Connection, line: Line, request: Received) -> None:
        if not request.headers.get("user-agent", "").endswith("probe"):
            await self._serviced()
        await super()._answer(connection, line, request)

    async def _serviced(self) -> None:
        """Wait for the turn, and for the end of the service; what this costs is made up for."""
        self._turn = self._turn or asyncio.Lock()
        arrived = time.monotonic()
        async with self._turn:
            self._free_at = max(arrived, self._free_at) + self.service
            await asyncio.sleep(self._free_at - time.monotonic())


class World(Regions):
    """Regions whose names and latencies are given, each at an address of its own."""

    def __init__(
        self,
        tls: ssl.SSLContext | Certificates | None = None,
        *,
        kind: type[Region] = Region,
        **latencies: float,
    ) -> None:
        """Without `latencies` these are A, B and C."""
        super().__init__(tls, **(latencies or LATENCIES))
        for number, region in enumerate(list(self), 1):
            host = f"127.0.0.{number}"
            made = kind(region.name, self, latency=region.latency, host=host)
            made.tls = region.tls
            made.respond = well(region.name)
            self._regions[region.name] = made

    def endpoints(self, path: str = "") -> tuple[Endpoint, ...]:
        """Return an Endpoint for each region."""
        return tuple(
            replace(endpoint, weight=WEIGHTS.get(endpoint.name, 1.0))
            for endpoint in super().endpoints(path)
        )

    @property
    def requests(self) -> int:
        """How many requests came to all of them, executed or not."""
        return sum(region.requests for region in self)

    def executions(self, run: int) -> Counter[str]:
        """Return how often each id of a run was executed."""
        prefix = f"id-{run}-"
        found = (ID.search(f"{r.target} {r.body.decode('latin-1')}") for r in list(self.received))
        return Counter(each[0] for each in found if each and each[0].startswith(prefix))

    def heal(self) -> None:
        """Make every region well, and as quick as it was."""
        for region in self:
            region.fault = None
            region.tls = self._context(region.name)
            region.respond = well(region.name)
