"""The four clients asked alike: of two families, blocking and suspending."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from wire_pools import slots

import router
import router.httpx2

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from router.testing import Regions

__all__ = ["KINDS", "Asker", "late_after", "quiet_config"]

SYNC: dict[str, Any] = {"httpx": router.Client, "httpx2": router.httpx2.Client}
ASYNC: dict[str, Any] = {"httpx": router.AsyncClient, "httpx2": router.httpx2.AsyncClient}
KINDS = ["httpx", "httpx2", "httpx async", "httpx2 async"]
PATIENCE = 5.0
HEDGE = router.Hedge(after=0.5, at_most=1.0)


def quiet_config(regions: Regions, **sections: Any) -> router.Config:
    """Return a Config for these regions, with hedging on and no probes."""
    failover = sections.pop("failover", router.Failover(hedge=HEDGE))
    return regions.config(failover=failover, probe=router.Probe(enabled=False), **sections)


def late_after(asker: Asker, seconds: float) -> None:
    """Have every answer be late after so many seconds, whatever was learnt."""
    hedging = asker.router._desk.hedging
    hedging.late_after = lambda *_: seconds  # type: ignore[method-assign]


class Asker:
    """One of the four clients; a suspending one in a loop of its own."""

    def __init__(self, kind: str, config: router.Config, **options: Any) -> None:
        family, _, suspends = kind.partition(" ")
        self.suspends = bool(suspends)
        self._runner = asyncio.Runner() if suspends else None
        self.client: Any = (ASYNC if suspends else SYNC)[family](config, **options)
        self.router: router.Router = self.client.router

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        if self._runner is None:
            self.client.close()
        else:
            self.run(self.client.aclose())
            self._runner.close()

    def run(self, waits: Any) -> Any:
        """Return what a coroutine brings; anything else as it is."""
        return waits if self._runner is None else self._runner.run(_awaited(waits))

    def get(self, path: str = "/", **options: Any) -> Any:
        return self.request("GET", path, **options)

    def request(self, method: str, path: str = "/", **options: Any) -> Any:
        return self.run(self.client.request(method, path, **options))

    def taken(self) -> tuple[int, int, int]:
        """Return permits out, attempts in flight, and slots of pools that are taken."""
        taken = self.run(self._slots()) if self._runner else slots(self.client)
        in_flight = sum(self.router.pool.in_flight().values())
        return self.router.limiter.in_use, in_flight, taken

    async def _slots(self) -> int:
        return slots(self.client)

    def settle(self, within: float = PATIENCE) -> float:
        """Wait until nothing is under way; return the seconds that it took."""
        began = time.monotonic()
        while any(self.taken()):
            assert time.monotonic() - began < within, f"still taken: {self.taken()}"
            self.run(asyncio.sleep(0.002)) if self._runner else time.sleep(0.002)
        return time.monotonic() - began


async def _awaited(waits: Any) -> Any:
    return await waits


@contextlib.contextmanager
def timed(least: float, most: float) -> Any:
    """See that what is done takes so long."""
    began = time.monotonic()
    yield
    elapsed = time.monotonic() - began
    assert least <= elapsed <= most, f"{elapsed:.3f} s"
