"""HTTP servers whose answers carry a Date, and the traffic to them.

Rule 1: a Date is written in whole seconds, by the server's own clock, when the request arrives; or
        it is taken from a cache that a timer renews, never quite as often as it should.
Rule 2: the answer's headers are bytes, parsed by the code under test.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING

from simulation.machine import START
from simulation.network import SPIKES, Path

if TYPE_CHECKING:
    from random import Random

    from router.clock.keeper import Keeper

__all__ = ["ROUND_TRIPS", "Region", "make_region", "traffic"]

ROUND_TRIPS = {"near": 0.020, "middle": 0.100, "far": 0.250}
LOPSIDED = (0.35, 0.65)
QUEUEING = 0.1
TIMER_LATE = 0.002


@dataclass(frozen=True, slots=True)
class Region:
    """One endpoint.

    Attributes:
        path: the way to it and back.
        offset: seconds that its clock is ahead.
        kept: seconds for which it keeps a Date before it writes a new one; 0: not at all.
        phase: true seconds at which it wrote one.
    """

    path: Path
    offset: float = 0.0
    kept: float = 0.0
    phase: float = 0.0

    def date(self, now: float) -> int:
        """Return the Unix seconds that an answer made now carries."""
        written = now
        if self.kept:
            written = self.phase + math.floor((now - self.phase) / self.kept) * self.kept
        return math.floor(START + written + self.offset)

    async def request(self) -> int:
        """Return the Date of an answer when it arrives."""
        await self.path.travel(self.path.there)
        date = self.date(asyncio.get_running_loop().time())
        await self.path.travel(self.path.back)
        return date


def make_region(
    round_trip: float,
    random: Random,
    *,
    offset: float = 0.0,
    kept: float = 0.0,
    spikes: float = SPIKES,
) -> Region:
    """Return a region that is `round_trip` seconds away at least, more one way than the other."""
    there = round_trip * random.uniform(*LOPSIDED)
    path = Path(there, round_trip - there, round_trip * QUEUEING, random, spikes)
    late = 1 + random.uniform(0, TIMER_LATE)
    return Region(path, offset=offset, kept=kept * late, phase=random.random())


async def traffic(
    regions: dict[str, Region], keeper: Keeper, *, every: float, random: Random
) -> None:
    """Probe every region once, then send a request to any of them every so often, for ever."""
    async with asyncio.TaskGroup() as group:
        for name, region in regions.items():
            group.create_task(one_request(name, region, keeper))
        while True:
            await asyncio.sleep(every * random.uniform(0.5, 1.5))
            name = random.choice(list(regions))
            group.create_task(one_request(name, regions[name], keeper))


async def one_request(name: str, region: Region, keeper: Keeper) -> None:
    """Let the keeper learn from one answer."""
    asked = keeper.boottime()
    date = formatdate(await region.request(), usegmt=True).encode("ascii")
    keeper.heard(name, [(b"Date", date), (b"Content-Length", b"2")], asked=asked)
