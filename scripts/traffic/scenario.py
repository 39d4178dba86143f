"""The worlds, and what is asked of the router in each.

Rule 1: a bar is asked in every world on its own, not of the average of them.
Rule 2: what was tuned on is left as it was; bars are asked of seeds that nothing was tuned on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from router.config.settings import Backoff, Failover
from traffic.servers import Fault, Site

if TYPE_CHECKING:
    from random import Random

__all__ = ["NAMES", "SCENARIOS", "TUNED_ON", "WORK", "Asked", "Peak", "Scenario", "sites", "usual"]

TUNED_ON = range(1, 10)
"""Seeds whose worlds the router's constants were chosen on."""

WORK = 0.040
"""Seconds of a slot that a request needs, on average."""

WORK_CV = 0.5
SIGMA = math.sqrt(math.log(1 + WORK_CV**2))
NAMES = ("ash", "birch", "cedar", "elm", "fir", "oak")
RTTS = (0.010, 0.035, 0.070, 0.110, 0.160, 0.220)
NEAR_EQUAL = (0.010, 0.011, 0.012, 0.013, 0.015, 0.040)
SLOTS = (8, 6, 8, 6, 8, 6)
NOISY = 0.10
HOUR = 3600.0


class Asked(NamedTuple):
    """The most that a ratio to the oracle may be (mean, p99), and what is aimed at."""

    mean: float = 1.18
    p99: float = 1.18
    mean_goal: float = 1.10
    p99_goal: float = 1.10


HARD = Asked()
EASY = Asked(1.05, 1.05, 1.02, 1.02)
FAULTS = Asked(1.20, 1.20, 1.10, 1.10)
MANY = Asked(1.12, 1.25, 1.06, 1.12)


class Peak(NamedTuple):
    """From when to when requests come at how many times the rate."""

    start: float
    end: float
    factor: float


def usual() -> Failover:
    """Return how requests are repeated, here more quickly than a careful user would have it."""
    return Failover(attempts=5, attempt_timeout=2.0, deadline=10.0, backoff=Backoff(base=0.1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A kind of world.

    Attributes:
        name: as tables show it.
        sites: its regions, the nearest first.
        asked: what the router has to reach in it.
        rate: requests a second of all clients together.
        clients: how many there are, each with a router of its own.
        seconds: how long requests come.
        after: how long the last ones may take.
        peaks: when there are more of them.
        failover: how requests are repeated.
        flaps_bar: how often an hour a client may change its favourite region.
    """

    name: str
    sites: tuple[Site, ...]
    asked: Asked = HARD
    rate: float = 200.0
    clients: int = 1
    seconds: float = 240.0
    after: float = 20.0
    peaks: tuple[Peak, ...] = ()
    failover: Failover = field(default_factory=usual)
    flaps_bar: float = math.inf

    def rate_at(self, now: float) -> float:
        """Return requests a second at a moment."""
        return self.rate * math.prod(p.factor for p in self.peaks if p.start <= now < p.end)

    def work(self, chance: Random) -> float:
        """Return how many seconds of a slot a request needs."""
        return WORK * chance.lognormvariate(-SIGMA * SIGMA / 2, SIGMA)


def sites(**faults: tuple[Fault, ...]) -> tuple[Site, ...]:
    """Return the six regions, with faults by name."""
    return tuple(
        Site(name=name, rtt=rtt, slots=slots, faults=faults.get(name, ()))
        for name, rtt, slots in zip(NAMES, RTTS, SLOTS, strict=True)
    )


def near_equals() -> tuple[Site, ...]:
    """Return six regions of which five are about as near, over a noisy network."""
    return tuple(
        Site(name=name, rtt=rtt, slots=slots, noise=NOISY)
        for name, rtt, slots in zip(NAMES, NEAR_EQUAL, SLOTS, strict=True)
    )


TWO = {
    "birch": (Fault(name="slow", start=40, end=100, slower=5.0),),
    "ash": (Fault(name="failing", start=140, end=200, fails=0.5),),
}
SIX = (
    Fault(name="slow", start=40, end=100, slower=5.0),
    Fault(name="failing", start=160, end=220, fails=0.5),
    Fault(name="silent", start=280, end=310, silent=True),
    Fault(name="refusing", start=370, end=410, refuses=True),
    Fault(name="collapsed", start=470, end=510, slots=1),
    Fault(name="rerouted", start=570, end=620, rtt=6.0),
)
SILENCE = (Fault(name="silent", start=60, end=120, silent=True),)
STALLS = (Fault(name="stalling", start=0, end=math.inf, stalls=0.02),)

SCENARIOS = (
    Scenario(name="near can carry all", sites=sites(), asked=EASY, rate=100),
    Scenario(name="near cannot carry all", sites=sites(**TWO)),
    Scenario(name="six faults in a row", sites=sites(ash=SIX), asked=FAULTS, rate=120, seconds=680),
    Scenario(name="20 clients of 10 a second", sites=sites(**TWO), asked=MANY, clients=20),
    Scenario(name="one client of 5 a second", sites=sites(**TWO), asked=MANY, rate=5, seconds=480),
    Scenario(name="black hole", sites=sites(ash=SILENCE), rate=100),
    Scenario(name="black hole, 5 a second", sites=sites(ash=SILENCE), rate=5),
    Scenario(
        name="peak hours",
        sites=sites(),
        rate=100,
        seconds=300,
        peaks=(Peak(60, 120, 3.0), Peak(180, 240, 5.0)),
    ),
    Scenario(
        name="one answer in 50 stalls",
        sites=sites(**dict.fromkeys(NAMES, STALLS)),
        asked=EASY,
        rate=100,
    ),
    Scenario(
        name="8 hours of noise",
        sites=near_equals(),
        rate=2,
        seconds=8 * HOUR,
        asked=EASY,
        flaps_bar=1.0,
    ),
)
