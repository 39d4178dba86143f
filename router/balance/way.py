"""How far an endpoint is: what geography expects, and what probes found.

Rule 1: a round trip faster than light proves the endpoint's place wrong; then distance has no say.
        A connect proves it only where no edge can have answered it.
Rule 2: the first probe after an outage begins a new estimate.
Rule 3: an endpoint that was better of late than it is now is remembered as such for a while
        (`lapsed`): what was passing may have passed.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.geo.prior import SIGMA_FLAT
from router.latency.estimate import EDGE_ENOUGH, Estimate, RttEstimator

if TYPE_CHECKING:
    from router.geo.prior import Prior

__all__ = ["Way"]

LAPSES = 600.0  # seconds


@dataclass(slots=True)
class Way:
    """The way there and back.

    Attributes:
        prior: what geography says.
        estimate: what is known now.
        misplaced: whether it answered faster than light allows for its place.
        least: seconds there and back under which no answer can be; 0: not known.
        best, best_at: the least total that probes estimated of late, and when.
    """

    prior: Prior
    estimate: Estimate = field(init=False)
    misplaced: bool = False
    least: float = 0.0
    best: float = math.inf
    best_at: float = -math.inf
    _rtt: RttEstimator | None = None

    def __post_init__(self) -> None:
        self.estimate = Estimate(self.prior.rtt, self.prior.sigma, "prior", 0)

    def copied(self) -> Way:
        """Return a copy that learns on its own."""
        own = copy.copy(self)
        own._rtt = copy.deepcopy(self._rtt)  # noqa: SLF001 - one of its own class
        return own

    def place(self, prior: Prior) -> None:
        """Take another prior; samples stay, and so does distrust in the same one."""
        if prior != self.prior:
            self.prior, self.misplaced = prior, False
            self._set_prior(prior.rtt, prior.sigma)

    def _set_prior(self, rtt: float, sigma: float) -> None:
        if self._rtt is None:
            self.estimate = Estimate(rtt, sigma, "prior", 0)
        else:
            self._rtt.place(rtt=rtt, sigma=sigma)
            self.estimate = self._rtt.estimate()

    def probed(self, *, connect: float, warm: float, afresh: bool, now: float) -> float:
        """Take a probe's figures in seconds; return by how many the total became longer.

        `afresh`: it is the first after an outage. From a guess to a measurement nothing moved.
        """
        if self._rtt is None:
            self._rtt = RttEstimator(rtt=self.prior.rtt, sigma=self.prior.sigma)
        if afresh:
            self._rtt.forget()
        before = self.estimate
        self._rtt.add(connect=connect, warm=warm)
        self.estimate = self._rtt.estimate()
        self.least = self.estimate.least
        if self.estimate.total <= self.best or now - self.best_at > LAPSES:
            self.best, self.best_at = self.estimate.total, now
        surely_direct = self.estimate.samples >= EDGE_ENOUGH and not self.estimate.behind_edge
        self._check_place(connect if surely_direct else warm)
        measured = before.source == self.estimate.source == "measured"
        return self.estimate.total - before.total if measured else 0.0

    def _check_place(self, rtt: float) -> None:
        if rtt < self.prior.floor:
            self.misplaced = True
            self._set_prior(rtt, SIGMA_FLAT)

    def lapsed(self, now: float) -> float | None:
        """Return the seconds that it was better of late than it is now, or None."""
        if now - self.best_at > LAPSES or self.best >= self.estimate.total:
            return None
        return self.best
