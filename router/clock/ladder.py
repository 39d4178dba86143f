"""The ladder of sources: NTP quorum, kernel status, HTTP Date, raw wall clock.

Rule 1: the highest rung that is right to within the target serves.
Rule 2: where none is, the one with the least bound serves; where there is none, the wall clock.
Rule 3: a lower rung that contradicts what NTP still allows is wrong, and does not serve.
Rule 4: a claim's bound grows by PHI for every second since it was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from router.clock.ntp import PHI
from router.clock.select import meet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.clock.host import Hands
    from router.clock.kernel import KernelStatus
    from router.clock.reading import Rung, Status
    from router.clock.select import Interval

__all__ = ["Claim", "climb", "kernel_claim", "standing"]

KERNEL_SLACK = 0.05


class Claim(NamedTuple):
    """What one rung says: UTC minus boot time is theta ± bound seconds at boot time `taken`."""

    theta: float
    bound: float
    taken: float
    status: Status
    source: Rung

    def bound_at(self, now: float) -> float:
        """Return how many seconds theta may be off at boot time `now`."""
        return self.bound + PHI * (now - self.taken)

    def interval(self, now: float) -> Interval:
        """Return the lowest and highest theta that it allows at boot time `now`."""
        bound = self.bound_at(now)
        return self.theta - bound, self.theta + bound

    def widened(self, seconds: float) -> Claim:
        """Return the same with more doubt."""
        return self._replace(bound=self.bound + seconds)


def kernel_claim(status: KernelStatus | None, hands: Hands, *, target: float) -> Claim | None:
    """Return the wall clock's claim, where a daemon keeps it close enough to the target."""
    if status is None or not status.synchronised:
        return None
    bound = status.max_error + KERNEL_SLACK
    if bound >= target:
        return None
    theta = hands.wall - hands.boot
    return Claim(theta, bound + hands.width, hands.boot, "degraded", "kernel")


def standing(ntp: Claim | None, lower: Iterable[Claim | None], now: float) -> list[Claim]:
    """Return the rungs that may serve at boot time `now`, best first."""
    known = [claim for claim in lower if claim is not None]
    if ntp is None:
        return known
    allowed = ntp.interval(now)
    return [ntp, *(claim for claim in known if meet(claim.interval(now), allowed))]


def climb(claims: Iterable[Claim | None], *, target: float, now: float) -> Claim | None:
    """Return the claim that serves at boot time `now`, of those given best rung first."""
    known = [claim for claim in claims if claim is not None]
    good = (claim for claim in known if claim.bound_at(now) <= target)
    return next(good, None) or min(known, key=lambda claim: claim.bound_at(now), default=None)
