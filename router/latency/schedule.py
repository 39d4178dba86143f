"""Which endpoints to probe, and when: a decision over plain numbers.

Rule 1: a probe is spent where it can change the choice: on endpoints whose estimate could, two
        deviations down, beat the one in use (a lower confidence bound). About two probes a minute
        do what probing everything every ten seconds did with 48. One that was better a few probes
        ago is looked at more often, since what was passing may have passed.
Rule 2: first probes are spread over 200 ms and all others jittered by a fifth, so that a fleet
        that starts together does not probe together.
Rule 3: an endpoint out of service is looked at more often, though at most about once a second: a
        probe brings it back without spending a user's request.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

__all__ = ["ProbeView", "due_at", "first_due", "jitter"]

AT_START = 16
FIRST_SPREAD = 0.2
WARM_UP_SAMPLES = 3
WARM_UP_EVERY = 0.3
JITTER = 0.2
RECOVERY_EVERY = 1.25
LAPSED_EVERY = 0.5
CONTENDER_EVERY = 3.0
STALEST_EVERY = 6.0
DEVIATIONS = 2.0


@dataclass(frozen=True, slots=True)
class ProbeView:
    """What the schedule has to know of one endpoint; costs are seconds.

    Attributes:
        samples: probes that ended well so far.
        cost: its estimated cost, and `sd` the deviation of the estimate's logarithm.
        best: the cost of the endpoint in use.
        down: whether it is out of service, or its last probe failed.
        suspect: whether traffic waits there in vain, so that a probe should find out at once.
        population: how many endpoints there are.
        lapsed: whether it was better of late than the one in use is now.
    """

    samples: int
    cost: float
    sd: float
    best: float
    down: bool
    population: int
    suspect: bool = False
    lapsed: bool = False


def first_due(rank: int, *, every: float, chance: random.Random) -> float:
    """Return seconds from the start to the first probe of the endpoint at `rank` of the prior."""
    if rank < AT_START:
        return chance.uniform(0.0, FIRST_SPREAD)
    return (rank - AT_START + 1) * every


def jitter(chance: random.Random) -> float:
    """Return a factor around 1, drawn once for each wait."""
    return chance.uniform(1 - JITTER, 1 + JITTER)


def due_at(view: ProbeView, *, last: float, every: float, factor: float) -> float:
    """Return the instant of the next probe of an endpoint that was last probed at `last`."""
    return last + factor * _pace(view, every)


def _pace(view: ProbeView, every: float) -> float:
    if view.down or view.suspect:
        return RECOVERY_EVERY
    if view.samples < WARM_UP_SAMPLES:
        return min(every, WARM_UP_EVERY)
    if view.lapsed:
        return every * LAPSED_EVERY
    if view.cost * math.exp(-DEVIATIONS * view.sd) <= view.best:
        return every * CONTENDER_EVERY
    return every * STALEST_EVERY * view.population
