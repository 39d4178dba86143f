"""The changing facts about one endpoint, and the rules that change them.

Rule 1: only `pool.EndpointPool` holds States, and touches them under its one lock.
Rule 2: failures in a row eject; a success clears them. An ejection doubles each time, is jittered,
        and ends in a half-open state in which one trial decides.
Rule 3: an endpoint that could not be reached comes back as soon as a probe reaches it, since that
        is the very evidence that was missing; one that answered badly waits for its trial.
Rule 4: what the caller did wrong never reaches this module.
Rule 5: a round trip faster than light proves the endpoint's place wrong; then distance has no say.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Literal

from router.balance.ranking import Ranked
from router.geo.prior import SIGMA_FLAT
from router.latency.estimate import Estimate, RttEstimator

if TYPE_CHECKING:
    import random

    from router.config.settings import Failover
    from router.endpoint import Endpoint
    from router.geo.prior import Prior

__all__ = ["Availability", "State"]

SERVICES = 16
SERVICE_MEMORY = 10.0
PROBE_FAILURES = 3
TRAFFIC_PROVES = 30.0
LONGEST_EXPONENT = 32


class Availability(enum.Enum):
    """Whether an endpoint can take a request now."""

    READY = "healthy"
    TRIAL = "on trial"
    EJECTED = "ejected"
    COOLING = "cooling"
    DRAINED = "drained"


@dataclass(slots=True)
class State:
    """Everything that changes about one endpoint; instants are monotonic seconds."""

    endpoint: Endpoint
    prior: Prior
    rtt: RttEstimator = field(init=False)
    estimate: Estimate = field(init=False)
    services: deque[float] = field(default_factory=lambda: deque(maxlen=SERVICES))
    service_at: float = 0.0
    in_flight: int = 0
    failures: int = 0
    probe_failures: int = 0
    ejections: int = 0
    ejected_until: float = 0.0
    cause: Literal["unreachable", "failing"] | None = None
    trial: bool = False
    cooling_until: float = 0.0
    drained: bool = False
    success_at: float = -math.inf
    trouble: str | None = None
    misplaced: bool = False
    skew: float | None = None
    skew_told: float = -math.inf
    answers: int = 0
    errors: int = 0

    def __post_init__(self) -> None:
        self.rtt = RttEstimator(rtt=self.prior.rtt, sigma=self.prior.sigma)
        self.estimate = self.rtt.estimate()

    def place(self, prior: Prior) -> None:
        """Take another prior; samples stay, and so does distrust in the same one."""
        if prior != self.prior:
            self.prior, self.misplaced = prior, False
            self.rtt.place(rtt=prior.rtt, sigma=prior.sigma)
            self.estimate = self.rtt.estimate()

    def availability(self, now: float) -> Availability:
        """Return whether it can take a request at `now`."""
        if self.drained:
            return Availability.DRAINED
        if now < self.cooling_until:
            return Availability.COOLING
        if self.cause is None:
            return Availability.READY
        return (
            Availability.EJECTED if self.trial or now < self.ejected_until else Availability.TRIAL
        )

    def probed(self, *, connect: float, warm: float) -> None:
        """Take a probe that ended well; the first after an outage begins a new estimate."""
        if self.cause == "unreachable":
            self.rtt.forget()
        self.rtt.add(connect=connect, warm=warm)
        self.estimate = self.rtt.estimate()
        self._check_place(warm if self.estimate.behind_edge else connect)
        self.probe_failures = 0
        if self.cause == "unreachable":
            self.recover()
        elif self.cause is None and not self.failures:
            self.trouble = None  # only probes had failed

    def _check_place(self, rtt: float) -> None:
        if rtt < self.prior.floor:
            self.misplaced = True
            self.rtt.place(rtt=rtt, sigma=SIGMA_FLAT)
            self.estimate = self.rtt.estimate()

    def probe_failed(
        self,
        words: str,
        *,
        reached: bool = False,
        now: float,
        failover: Failover,
        chance: random.Random,
    ) -> None:
        """Take a probe that failed.

        Three in a row eject, unless traffic still gets through. While an endpoint cannot be
        reached, each one prolongs the ejection, so that no request has to find out.
        """
        self.probe_failures += 1
        if self.cause is None and now - self.success_at < TRAFFIC_PROVES:
            return
        self.trouble = words
        over = now >= self.ejected_until and not self.trial
        still = self.cause == "unreachable" and over and not reached
        if still or (self.cause is None and self.probe_failures >= PROBE_FAILURES):
            self._eject("unreachable", now=now, failover=failover, chance=chance)

    def succeeded(self, elapsed: float, *, now: float) -> None:
        """Take an answer that came `elapsed` seconds after sending."""
        self.answers += 1
        self.success_at = now
        self.services.append(max(0.0, elapsed - self.estimate.rtt))
        self.service_at = now
        if self.cause is not None or self.failures or self.trouble:
            self.recover()

    def failed(
        self,
        words: str,
        *,
        reached: bool,
        trial: bool,
        now: float,
        failover: Failover,
        chance: random.Random,
    ) -> None:
        """Take a failure; `reached` tells whether the endpoint was there at all.

        Only a trial prolongs an ejection: what was sent before it is late news.
        """
        self.errors += 1
        self.failures += 1
        self.trouble = words
        ejected = self.cause is not None
        if trial if ejected else self.failures >= failover.eject_after:
            cause: Literal["unreachable", "failing"] = "failing" if reached else "unreachable"
            self._eject(cause, now=now, failover=failover, chance=chance)

    def _eject(
        self,
        cause: Literal["unreachable", "failing"],
        *,
        now: float,
        failover: Failover,
        chance: random.Random,
    ) -> None:
        doubled = failover.eject_for * 2.0 ** min(self.ejections, LONGEST_EXPONENT)
        length = min(failover.eject_cap, doubled) * chance.uniform(0.8, 1.2)
        self.ejections += 1
        self.cause = cause
        self.services.clear()  # what it was like before is no evidence of what it will be
        self.ejected_until = max(self.ejected_until, now + length)

    def recover(self) -> None:
        """Forget all trouble: the endpoint serves again."""
        self.failures = self.probe_failures = self.ejections = 0
        self.ejected_until = 0.0
        self.cause = None
        self.trouble = None

    def cool(self, until: float) -> None:
        """Leave it alone until then, because it said so."""
        self.cooling_until = max(self.cooling_until, until)

    def extra_service(self, now: float) -> tuple[float, float]:
        """Return the service seconds that traffic saw beyond the probes', and its weight 0…1."""
        if not self.services:
            return 0.0, 0.0
        weight = math.exp(-max(0.0, now - self.service_at) / SERVICE_MEMORY)
        return median(self.services) - self.estimate.service, weight

    def cost(self, typical_extra: float, now: float) -> float:
        """Return the expected seconds of a request, over the endpoint's weight."""
        extra, weight = self.extra_service(now)
        service = self.estimate.service + weight * extra + (1 - weight) * typical_extra
        return (self.estimate.rtt + max(0.0, service)) / self.endpoint.weight

    def ranked(self, typical_extra: float, now: float) -> Ranked:
        """Return its row of a ranking as of `now`."""
        return Ranked(
            endpoint=self.endpoint,
            estimate=self.estimate,
            prior=self.prior,
            cost=self.cost(typical_extra, now),
            health=self.availability(now).value,
            trouble=self.trouble,
            misplaced=self.misplaced,
            skew=self.skew,
        )
