"""Which servers to believe: the points that a majority of the configured servers can agree on.

Rule 1: every server claims an interval, theta ± bound. A point counts where at least
        `configured // 2 + 1` intervals cover it: servers that are silent, or refuse to answer,
        vote for nothing, and the others need no fewer votes for it.
Rule 2: the bound is the hull of all such points. If a majority is honest the truth is one of them;
        the core of maximum overlap is narrower and loses the truth (simulated: 1.4 % of the time).
Rule 3: the estimate is the mean of the agreeing servers weighted by 1/bound², clipped to the hull.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from router.clock.ntp import Sample

__all__ = ["Interval", "Selection", "clipped", "covered", "meet", "select"]

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Selection:
    """What a majority says: UTC minus boot time is `theta` ± `bound` seconds at boot time `taken`.

    Attributes:
        used: the servers that agree.
        falsetickers: the servers that contradict them.
    """

    theta: float
    bound: float
    taken: float
    used: tuple[str, ...]
    falsetickers: tuple[str, ...] = ()

    @property
    def interval(self) -> Interval:
        """The lowest and highest UTC minus boot time."""
        return self.theta - self.bound, self.theta + self.bound


def select(samples: Mapping[str, Sample], configured: int, now: float) -> Selection | None:
    """Return what a majority of `configured` servers says at boot time `now`, or None."""
    claims = {name: sample.interval(now) for name, sample in samples.items()}
    agreed = covered(claims.values(), configured // 2 + 1)
    if not agreed:
        return None
    used = tuple(
        name for name, claim in claims.items() if any(meet(claim, stretch) for stretch in agreed)
    )
    mean = _mean([samples[name] for name in used], now)
    theta, bound = clipped(mean, (agreed[0][0], agreed[-1][1]))
    return Selection(
        theta=theta,
        bound=bound,
        taken=now,
        used=used,
        falsetickers=tuple(name for name in claims if name not in used),
    )


def covered(intervals: Iterable[Interval], need: int) -> list[Interval]:
    """Return, in order, the stretches that at least `need` closed intervals cover."""
    edges = sorted((edge, end) for interval in intervals for end, edge in enumerate(interval))
    found: list[Interval] = []
    depth, start = 0, 0.0
    for edge, is_end in edges:
        if is_end:
            if depth == need:
                found.append((start, edge))
            depth -= 1
        else:
            depth += 1
            if depth == need:
                start = edge
    return found


def clipped(theta: float, interval: Interval) -> tuple[float, float]:
    """Return theta moved into an interval, and the bound by which it covers all of it."""
    low, high = interval
    theta = min(max(theta, low), high)
    return theta, max(high - theta, theta - low)


def meet(one: Interval, other: Interval) -> bool:
    """Return whether two closed intervals have a point in common."""
    return one[0] <= other[1] and other[0] <= one[1]


def _mean(samples: list[Sample], now: float) -> float:
    """Return the weighted mean as a distance from the first, so that no digits are lost."""
    first = samples[0].theta
    weights = [sample.bound(now) ** -2 for sample in samples]
    distances = (w * (s.theta - first) for w, s in zip(weights, samples, strict=True))
    return first + sum(distances) / sum(weights)
