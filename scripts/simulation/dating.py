"""How soon the Dates of one server tell the time, from nothing.

Rule 1: requests come by chance, or as a probe sends them: aimed at the turn of the server's second
        by what is known so far, with half of the last round trip for the way.
Rule 2: aimed probes follow one that was not: without it there is nothing to aim by. The path is
        lopsided and queues, as always; a probe that stalls is another probe's business.
Rule 3: what counts is the bound right after the answer of that number, and whether it holds.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from router.clock.dates import Dates
from simulation.loop import run
from simulation.machine import START, Machine
from simulation.regions import ROUND_TRIPS, Region, make_region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.clock.host import Host

__all__ = ["CASES", "Case", "Outcome", "date_trials"]

CRYSTAL = 60e-6
GAP = (0.5, 1.5)
ONLY = "only"


class Case(NamedTuple):
    """How many answers were heard by chance and aimed for, and the bars in seconds."""

    name: str
    chance: int
    aimed: int
    p50: float
    p99: float


CASES = (
    Case("after 1 answer", chance=1, aimed=0, p50=0.570, p99=0.675),
    Case("after 10 answers", chance=10, aimed=0, p50=0.153, p99=0.323),
    Case("after 20 answers", chance=20, aimed=0, p50=0.107, p99=0.225),
    Case("after 1 and 5 aimed", chance=1, aimed=5, p50=0.082, p99=0.116),
)


class Outcome(NamedTuple):
    """The bounds of all trials, in seconds, and how many did not hold."""

    bounds: Sequence[float]
    misses: int


def date_trials(case: Case, *, trials: int, seed: int) -> Outcome:
    """Return what so many machines know after their first answers."""
    found = [run(_trial(case, Random(f"{seed} dates {number}"))) for number in range(trials)]
    return Outcome([bound for bound, _ in found], sum(off > bound for bound, off in found))


async def _trial(case: Case, random: Random) -> tuple[float, float]:
    """Return the bound after the case's last answer, and how far the middle is off."""
    now = asyncio.get_running_loop().time
    rate = random.choice((-CRYSTAL, CRYSTAL))
    host = Machine(now, rate=rate, random=random).host()
    region = make_region(ROUND_TRIPS["middle"], random, spikes=0.0)
    dates, round_trip = Dates(), 0.0
    for number in range(case.chance + case.aimed):
        await asyncio.sleep(random.uniform(*GAP))
        if number >= case.chance:
            await asyncio.sleep(dates.aim(ONLY, now=host.boottime(), travel=round_trip / 2))
        round_trip = await _ask(dates, region, host)
    claim = dates.overall(host.boottime())
    assert claim is not None
    return claim.bound, abs(START + now() - host.boottime() - claim.theta)


async def _ask(dates: Dates, region: Region, host: Host) -> float:
    """Let the Dates hear one answer; return how long it took."""
    asked = host.boottime()
    date = await region.request()
    received = host.boottime()
    dates.hear(ONLY, date, asked=asked, received=received)
    return received - asked
