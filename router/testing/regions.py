"""Loopback regions: real HTTP/1.1 servers whose latency, status and life can be changed at will.

    with Regions(near=0.005, far=0.080) as regions:
        with router.Client(regions.config()) as client:
            client.get("/hello")
            regions["near"].fault = Refuse()
            client.get("/hello")          # answered by far

Rule: all regions of a `Regions` live in one thread with one event loop and count together, so that
      "never more than five at once" can be asked of all of them.
"""

from __future__ import annotations

import contextlib
import ssl
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

from router.config.settings import Config
from router.endpoint import Endpoint
from router.testing.messages import Received, Reply
from router.testing.region import Region
from router.testing.thread import LoopThread

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from typing import Self

    from router.testing.certificates import Certificates

__all__ = ["Received", "Region", "Regions", "Reply"]

T = TypeVar("T")


class Regions:
    """Several regions under one roof; keyword arguments are names and latencies in seconds."""

    def __init__(
        self, tls: ssl.SSLContext | Certificates | None = None, **latencies: float
    ) -> None:
        """`tls`: Certificates, or a context whose certificate holds the names `<region>.test`."""
        self.tls = tls
        self.most_at_once = 0
        self._at_once = 0
        self.thread = LoopThread("regions")
        self._regions = {
            name: Region(name, self, latency=latency, host="127.0.0.1")
            for name, latency in latencies.items()
        }
        for region in self:
            region.tls = self._context(region.name)

    def _context(self, name: str) -> ssl.SSLContext | None:
        if self.tls is None or isinstance(self.tls, ssl.SSLContext):
            return self.tls
        return self.tls.good(f"{name}.test")

    def __getitem__(self, name: str) -> Region:
        return self._regions[name]

    def __iter__(self) -> Iterator[Region]:
        return iter(self._regions.values())

    def __enter__(self) -> Self:
        self.thread.start()
        for region in self:
            self.run(region.listen())
        return self

    def __exit__(self, *_: object) -> None:
        for region in self:
            self.run(region.end())
        self.thread.stop()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the regions' loop and return its result."""
        return self.thread.run(coroutine)

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
                address=None if region.tls is None else region.host,
            )
            for region in self
        )

    def config(self, **sections: Any) -> Config:
        """Return a Config that serves from these regions; `sections` as for Config."""
        return Config(endpoints=self.endpoints(), **sections)
