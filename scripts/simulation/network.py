"""How packets travel: lopsided, queued, stalled and lost.

Rule 1: a path has one delay there and another back, and no client can tell them apart.
Rule 2: a lost packet is one that never arrives: who waits for it needs a time limit.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

__all__ = ["SPIKES", "Path", "Weather"]

SPIKES = 0.02
SPIKE = (0.2, 1.0)
LOSS = 0.05
STORM_LOSS = 0.5


@dataclass(frozen=True, slots=True)
class Weather:
    """What UDP on the client's own link has to go through.

    Attributes:
        storm: when that time begins and ends in which half of all packets are lost.
        blocked: from when on none gets through.
    """

    storm: tuple[float, float] = (math.inf, math.inf)
    blocked: float = math.inf

    def loss(self, now: float) -> float:
        """Return the share of packets that are lost."""
        if now >= self.blocked:
            return 1.0
        return STORM_LOSS if self.storm[0] <= now < self.storm[1] else LOSS


@dataclass(frozen=True, slots=True)
class Path:
    """The way to one server and back.

    Attributes:
        there: seconds to the server, at least.
        back: seconds from it, at least.
        queueing: seconds that queues add each way, on average.
        random: the luck of its packets.
        spikes: the share of packets that are held up for long.
    """

    there: float
    back: float
    queueing: float
    random: Random
    spikes: float = SPIKES

    async def travel(self, base: float) -> None:
        """Take as long as one packet does whose way takes `base` seconds at least."""
        delay = base + self.random.expovariate(1 / self.queueing)
        if self.random.random() < self.spikes:
            delay += self.random.uniform(*SPIKE)
        await asyncio.sleep(delay)

    async def try_to_travel(self, base: float, weather: Weather) -> None:
        """Travel as a packet that may be lost: then there is no end to it."""
        loop = asyncio.get_running_loop()
        if self.random.random() < weather.loss(loop.time()):
            await loop.create_future()
        await self.travel(base)
