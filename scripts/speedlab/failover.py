"""How long failover takes over TLS and 20 ms of way: to a warm runner-up and to a cold one.

The best region refuses; what its request took beyond one to the runner-up over an open connection
is the time added, in round trips.

Rule 1: a way delays bytes, half a round trip each way. A connect on loopback takes no time, so the
        first bytes of a connection wait the round trip that its handshake would have taken.
Rule 2: a refusal is immediate: what it takes to learn of it is the network's own and is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import router
from router.standby import SOON
from router.testing import Certificates, Regions
from speedlab.routes import REGIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RTT", "Way", "measured"]

RTT = 0.020
FIRST = 3
BEST, NEXT = "best", "next"


class Way(asyncio.Protocol):
    """One side of a delayed connection; `other` is where its bytes go."""

    def __init__(self, ready: float = 0.0) -> None:
        """`ready`: when the handshake is over, in the loop's seconds."""
        self.other: Way | None = None
        self.transport: Any = None
        self._due = ready
        self._waiting: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass it on in half a round trip, in order."""
        loop = asyncio.get_running_loop()
        self._due = max(self._due + 1e-6, loop.time() + RTT / 2)
        loop.call_at(self._due, self._pass_on, data)

    def _pass_on(self, data: bytes) -> None:
        self._waiting.append(data)
        if self.other is not None and self.other.transport is not None:
            self.other.transport.writelines(self._waiting)
            self._waiting.clear()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - either way
        """Close the other side too."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


class Ways:
    """A way to one region, which can be cut and opened again at the same port."""

    def __init__(self, regions: Regions, to: int) -> None:
        self._regions, self._to = regions, to
        self._open: set[Way] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        regions.run(self._listen())

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accepted, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _accepted(self) -> Way:
        loop = asyncio.get_running_loop()
        near = Way(loop.time() + RTT * 1.5)
        task = loop.create_task(self._join(near))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._open.add(near)
        return near

    async def _join(self, near: Way) -> None:
        loop = asyncio.get_running_loop()
        _, far = await loop.create_connection(Way, "127.0.0.1", self._to)
        near.other, far.other = far, near

    async def _cut(self) -> None:
        self._server.close()
        for way in self._open:
            way.transport.abort()
        self._open.clear()

    def cut(self) -> None:
        """Refuse, and reset what is open."""
        self._regions.run(self._cut())

    def reopen(self) -> None:
        """Listen again."""
        self._regions.run(self._listen())


def measured(times: int) -> Iterator[tuple[str, float]]:
    """Yield what was done and the round trips that failover added, the median of so many times."""
    with _ways() as (ways, sections):
        yield "the runner-up's connection is open", _median(ways, sections, times, warm=True)
        yield "the runner-up was never asked", _median(ways, sections, times, warm=False)
        kept = {**sections, "failover": router.Failover(), "probe": router.Probe(path="/healthz")}
        words = "never asked, failover.standby on (the default)"
        yield words, _median(ways, kept, times, warm=False, pause=SOON + 10 * RTT)


def _median(
    ways: Ways, sections: dict[str, Any], times: int, *, warm: bool, pause: float = 0.0
) -> float:
    return median(_once(ways, sections, warm=warm, pause=pause) for _ in range(times))


def _once(ways: Ways, sections: dict[str, Any], *, warm: bool, pause: float) -> float:
    """Return the round trips that one failover adds."""
    with router.Client(router.Config(**sections)) as client:
        for _ in range(FIRST):
            assert _asked(client)[1] == [BEST]
        if warm:
            _asked(client, NEXT)
        if pause:
            time.sleep(pause)
            _asked(client)  # which brings the look about
            time.sleep(10 * RTT)
        ways.cut()
        try:
            took, tried = _asked(client)
        finally:
            ways.reopen()
        assert tried[-1] == NEXT, tried
        usual = median(_asked(client, NEXT)[0] for _ in range(FIRST))
    return (took - usual) / RTT


def _asked(client: router.Client, region: str | None = None) -> tuple[float, list[str]]:
    """Return the seconds of a request, and which endpoints it tried."""
    began = time.perf_counter()
    options = router.Options(regions=region)
    response = client.get("/v1/models", extensions={"router": options})
    took = time.perf_counter() - began
    return took, [attempt.endpoint for attempt in response.extensions["router"].attempts]


@contextlib.contextmanager
def _ways() -> Iterator[tuple[Ways, dict[str, Any]]]:
    """Give the way to the best region, and a configuration of both."""
    certificates = Certificates()
    with (
        tempfile.TemporaryDirectory() as folder,
        Regions(tls=certificates, **{BEST: 0.0, NEXT: 0.0}) as regions,
    ):
        ways = {name: Ways(regions, regions[name].port) for name in (BEST, NEXT)}
        endpoints = tuple(
            router.Endpoint(
                name=name,
                url=f"https://{name}.test:{way.port}",
                address="127.0.0.1",
                region=region,
            )
            for (name, way), region in zip(ways.items(), REGIONS, strict=False)
        )
        yield (
            ways[BEST],
            {
                "endpoints": endpoints,
                "geo": router.GeoSettings(here=REGIONS[0]),
                "failover": router.Failover(standby=False),
                "probe": router.Probe(enabled=False),
                "tls": certificates.settings(Path(folder)),
            },
        )
        for way in ways.values():
            way.cut()
