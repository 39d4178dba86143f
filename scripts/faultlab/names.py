"""F09: names that do not resolve, or hang, or come and go.

Rule: only the system's resolver is replaced, for names under `lab.test`, while a row lasts.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import router
from faultlab.lab import FAILOVER
from faultlab.load import percentile
from faultlab.row import Row, all_of, at_most
from faultlab.world import World
from router.net import resolver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultlab.lab import Lab
    from router.endpoint import Endpoint

__all__ = ["names"]

SUFFIX = ".lab.test"
GRACE = 0.1
FRESH = 0.3
EACH = 200
NO_PROBES = router.Probe(enabled=False)
"""Or A would never be asked."""
system = socket.getaddrinfo


class Named(World):
    """Regions that are known by name."""

    def endpoints(self, path: str = "") -> tuple[Endpoint, ...]:
        """Return an Endpoint for each region, whose name has to be looked up."""
        return tuple(
            replace(endpoint, url=f"http://{endpoint.name}{SUFFIX}:{self[endpoint.name].port}")
            for endpoint in super().endpoints(path)
        )


class Lookup:
    """A resolver for the regions' names; `mode` says what is wrong with it, `only` for whom."""

    def __init__(self, world: World) -> None:
        self.mode = "well"
        self.only: str | None = None
        self.over = threading.Event()
        self._hosts = {f"{region.name}{SUFFIX}": region.host for region in world}
        self._turn = itertools.count()

    def __call__(self, host: Any, port: Any, *args: Any, **named: Any) -> list[Any]:
        """Answer as `socket.getaddrinfo` does."""
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name not in self._hosts:
            return list(system(host, port, *args, **named))
        if self.only is None or name == f"{self.only}{SUFFIX}":
            self._break()
            if self.mode == "empty":
                return []
        return list(system(self._hosts[name], port, *args, **named))

    def _break(self) -> None:
        if self.mode == "hangs":
            self.over.wait()
        elif self.mode == "NXDOMAIN" or (self.mode == "flaps" and next(self._turn) % 2):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@contextlib.contextmanager
def looked_up(world: World) -> Iterator[Lookup]:
    """Replace the system's resolver, and forget what was known."""
    lookup, fresh = Lookup(world), resolver.FRESH
    resolver.shared_resolver.cache_clear()
    socket.getaddrinfo, resolver.FRESH = lookup, FRESH
    try:
        yield lookup
    finally:
        lookup.over.set()
        socket.getaddrinfo, resolver.FRESH = system, fresh
        resolver.shared_resolver.cache_clear()


async def names(lab: Lab) -> list[Row]:
    """F09: known names that fail to resolve; then names that never did."""
    if lab.peer is not None:
        return []  # the resolver of another process is out of reach
    rows = []
    for mode in lab.some(("hangs", "NXDOMAIN", "flaps", "empty")):
        for method in ("GET", "POST"):
            rows += await _known(lab, mode, method)
    for mode in lab.some(("hangs", "NXDOMAIN", "empty")):
        rows += await _unknown(lab, mode)
    return rows


async def _known(lab: Lab, mode: str, method: str) -> list[Row]:
    """Let all known names fail, and every connection begin anew."""
    fault, world = f"F09 {mode}, address known", Named()
    with looked_up(world) as lookup:
        async with lab.stage(world) as stage:
            await stage.send(method, 60)
            lookup.mode = mode
            for region in world:
                region.reset_connections()
            life = await stage.held(fault, method, lab.count(EACH, 60), rate=100.0)
            lookup.mode = "well"
            lookup.over.set()
            later = await stage.send(method, 20)
    lab.lives.append(life)
    return [
        all_of(fault, f"{method}: all answered", life.good, life.count),
        all_of(fault, f"{method}: all answered later", sum(o.good for o in later), len(later)),
    ]


async def _unknown(lab: Lab, mode: str) -> list[Row]:
    """Let the name of A never have resolved."""
    fault, world = f"F09 {mode}, never known", Named()
    with looked_up(world) as lookup:
        lookup.mode, lookup.only = mode, "a"
        async with lab.stage(world, sections={"probe": NO_PROBES}) as stage:
            life = await stage.held(fault, "POST", lab.count(EACH, 60), rate=100.0)
    bound = FAILOVER["connect_timeout"] + GRACE
    slowest = percentile((one.slowest for one in life.done), 1.0)
    lab.lives.append(life)
    return [
        all_of(fault, "POST: all answered", life.good, life.count),
        at_most(fault, "longest try", slowest, bound, " s"),
    ]
