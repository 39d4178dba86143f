"""Regions and a client of them: where one fault begins, holds and ends.

Rule: a fault starts when all is well, holds for a load, and is healed; then it is timed how long
      it takes until requests are answered as they were before.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faultlab.life import HOME, Life, share_of_home
from faultlab.load import Done, Load
from faultlab.world import World, well

if TYPE_CHECKING:
    from collections.abc import Callable

    import router
    from faultlab.clients import Subject
    from router.testing import Region
    from router.testing.faults import Fault

    Breaking = Callable[[Region], None]

__all__ = ["Stage", "answering", "breaking"]

GIVEN_UP = 20.0
"""Seconds after which nobody waits any longer for the way back."""
PACE = 100.0
WARM = 60
LOOK = 0.2


def breaking(fault: Fault) -> Breaking:
    """Return what breaks a region so."""

    def start(region: Region) -> None:
        region.fault = fault

    return start


def answering(status: int) -> Breaking:
    """Return what makes a region answer everything with one status."""

    def start(region: Region) -> None:
        region.respond = well(region.name, status)

    return start


@dataclass
class Stage:
    """Regions and a client of them."""

    world: World
    subject: Subject

    async def send(self, method: str, count: int, **options: Any) -> list[Done]:
        """Send some requests; options as of Load."""
        return await self.subject.send(Load(method, count, **options).numbered())

    @property
    def shared(self) -> router.Router:
        """The router, of a client of ours."""
        found: router.Router = self.subject.shared  # type: ignore[attr-defined]
        return found

    async def live(
        self,
        fault: str,
        start: Breaking,
        method: str,
        count: int,
        *,
        heal: bool = True,
        **load: Any,
    ) -> Life:
        """Let a fault begin at A, hold, and end."""
        usual = share_of_home(await self.send(method, WARM))
        start(self.world["a"])
        told = await self.held(fault, method, count, **load)
        if heal:
            self.world.heal()
            told.back = await self.until_back(method, usual)
        return told

    async def held(self, fault: str, method: str, count: int, **load: Any) -> Life:
        """Send a load while a fault holds."""
        sent, at_home = self.world.requests, self.world[HOME].requests
        wanted = Load(method, count, **load).numbered()
        done = await self.subject.send(wanted)
        return Life(
            fault,
            method,
            done,
            self.world.requests - sent,
            self.world[HOME].requests - at_home,
            self.world.executions(wanted.run),
        )

    async def until_back(self, method: str, usual: float) -> float:
        """Return the seconds until half as many as before are answered by A, and all are."""
        began = time.monotonic()
        while time.monotonic() - began < GIVEN_UP:
            done = await self.send(method, int(PACE * LOOK), rate=PACE)
            if all(one.good for one in done) and share_of_home(done) >= usual / 2:
                return time.monotonic() - began
        return math.inf
