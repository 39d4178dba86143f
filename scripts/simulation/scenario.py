"""The worlds, and what is asked of the clock in each.

Rule: a bar is asked in every row of the table on its own, not of the average of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["HOUR", "HTTP", "NTP", "Asked", "Scenario"]

HOUR = 3600.0

Seconds = tuple[tuple[str, float], ...]
"""Figures of regions, each with its name; those of others are 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The bars of one scenario, in seconds.

    Attributes:
        error: the 99th percentile of how far stamps are off.
        bound: the 99th percentile of how far they say that they may be.
        honest: whether most servers tell the truth: then every stamp is within its bound, no step
            is reported, and exactly the regions are flagged whose clocks are off.
    """

    error: float = math.inf
    bound: float = math.inf
    honest: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A kind of world.

    Attributes:
        name: as the table shows it.
        asked: what the clock has to reach in it.
        ppm: how many millionths the crystal is off, in either direction.
        liars: how many of the five NTP servers lie.
        blocked: seconds after which no NTP packet gets through.
        every: seconds between two HTTP requests; inf: there are none.
        kept: seconds for which regions keep a Date, by name.
        offsets: seconds by which clocks of regions are ahead, by name.
    """

    name: str
    asked: Asked
    ppm: float = 60.0
    liars: int = 0
    blocked: float = math.inf
    every: float = math.inf
    kept: Seconds = ()
    offsets: Seconds = ()


SYNCHRONISED = Asked(error=0.120, bound=0.300)
USABLE = Asked(bound=0.500)
UNKNOWABLE = Asked(honest=False)

NTP = tuple(
    Scenario(name=f"NTP, {ppm} ppm, {liars} of 5 lie", asked=SYNCHRONISED, ppm=ppm, liars=liars)
    for ppm in (30, 60)
    for liars in (0, 1, 2)
)

HTTP = (
    Scenario(name="no UDP, a request a second", asked=USABLE, blocked=0, every=1),
    Scenario(name="no UDP, a request in 10 s", asked=USABLE, blocked=0, every=10),
    Scenario(
        name="... one Date kept 0.5 s", asked=USABLE, blocked=0, every=10, kept=(("middle", 0.5),)
    ),
    Scenario(name="... one Date kept 1 s", asked=USABLE, blocked=0, every=10, kept=(("near", 1),)),
    Scenario(
        name="... one region 5 s off", asked=USABLE, blocked=0, every=10, offsets=(("middle", 5),)
    ),
    Scenario(
        name="... all Dates kept 1 s",
        asked=UNKNOWABLE,
        blocked=0,
        every=10,
        kept=(("near", 1), ("middle", 1), ("far", 1)),
    ),
    Scenario(name="UDP blocked after 2 h", asked=USABLE, blocked=2 * HOUR, every=10),
)
