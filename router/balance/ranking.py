"""The order of endpoints, and the reasons for it.

Rule 1: cost is the expected seconds of a request where none is under way: round trip and service,
        what answers took beyond that of late, and the risk of a failure, divided by weight. Tiers
        come before cost.
Rule 2: who serves comes before who is out; the favourite (`slate`) keeps its place before those
        that are not better by enough.
Rule 3: a Ranked is immutable and holds numbers; its words are made when somebody reads them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from router.latency.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from router.endpoint import Endpoint
    from router.geo.prior import Prior

__all__ = ["Ranked", "off", "order", "seen_from"]

LEAST_TOLD = 0.001


@dataclass(frozen=True, slots=True)
class Ranked:
    """One endpoint's place in a ranking.

    Attributes:
        endpoint: the endpoint.
        estimate: its round-trip time and where the figure comes from.
        prior: what geography alone says.
        cost: expected seconds of a request there.
        health: healthy, ejected, on trial, cooling or drained.
        trouble: the last failure in words, while it matters.
        misplaced: whether it answered faster than light allows for its place.
        skew: seconds by which its own clock is ahead of UTC (negative: behind), where that is
            proven by its answers' Dates; else None.
        alone: seconds of a request that meets no queue.
        limit: requests under way beyond which they queue, as far as that is known.
        surplus: seconds that answers took beyond that of late.
        risk: seconds that a failure there would cost, times its probability.
        in_flight: attempts under way.
        asked: whether traffic ever got an answer there.
        least: seconds under which no answer can be, as far as that is known.
        allowed: whether the configuration lets any request go there.
        total: seconds that requests took of late to the end of the body; nan: none ended.
    """

    endpoint: Endpoint
    estimate: Estimate
    prior: Prior
    cost: float
    health: str
    trouble: str | None = None
    misplaced: bool = False
    skew: float | None = None
    alone: float = 0.0
    limit: float = math.inf
    surplus: float = 0.0
    risk: float = 0.0
    in_flight: int = 0
    asked: bool = False
    least: float = 0.0
    allowed: bool = True
    total: float = math.nan

    @property
    def name(self) -> str:
        """The endpoint's name."""
        return self.endpoint.name

    @property
    def rtt_ms(self) -> float:
        """The estimated round-trip time in milliseconds."""
        return self.estimate.rtt * 1e3

    @property
    def spread_ms(self) -> float:
        """One standard deviation of that estimate in milliseconds."""
        return self.estimate.rtt * (math.exp(self.estimate.sd) - 1) * 1e3

    @property
    def prior_ms(self) -> float:
        """The round-trip time that geography alone suggests, in milliseconds."""
        return self.prior.rtt * 1e3

    @property
    def distance_km(self) -> float | None:
        """Great-circle distance in kilometres, where both places are known."""
        return self.prior.distance_km

    @property
    def source(self) -> str:
        """Where `rtt_ms` comes from: prior, blended or measured."""
        return self.estimate.source

    @property
    def reason(self) -> str:
        """One sentence that says why it stands where it stands."""
        if self.estimate.source == "prior" and self.asked:
            basis = f"{self.alone * 1e3:.1f} ms by its answers, no probe yet: {self.prior.why}"
        elif self.estimate.source == "prior":
            basis = f"about {self.rtt_ms:.0f} ms expected: {self.prior.why}"
        else:
            probes = f"{self.estimate.samples} probe{'s' * (self.estimate.samples > 1)}"
            kind = "warm request" if self.estimate.behind_edge else "round trip"
            basis = f"{self.rtt_ms:.1f} ± {self.spread_ms:.1f} ms {kind} over {probes}"
        parts = [basis]
        if self.misplaced:
            parts.append("faster than light allows for its place: it is elsewhere, or anycast")
        if self.skew is not None:
            parts.append(f"its clock is {off(self.skew)}")
        parts += self._spent()
        if not self.allowed:
            parts.append("not allowed by the configuration")
        if self.endpoint.tier > 1:
            parts.append(f"tier {self.endpoint.tier}")
        if self.trouble:
            state = "last failure" if self.health == "healthy" else self.health
            parts.append(f"{state}: {self.trouble}")
        elif self.health != "healthy":
            parts.append(self.health)
        return ", ".join(parts)

    def _spent(self) -> list[str]:
        """Return in words what a request takes beyond the way there and back."""
        guessed = self.estimate.source == "prior" and self.asked
        figures = (
            (0.0 if guessed else self.alone - self.estimate.rtt, "ms service"),
            (self.surplus, "ms more of late"),
            (-self.surplus, "ms less of late"),
            (self.risk, "ms for the risk that it is broken"),
        )
        return [f"{seconds * 1e3:.0f} {what}" for seconds, what in figures if seconds >= LEAST_TOLD]


def off(skew: float) -> str:
    """Return in words by how many seconds a clock is off."""
    size, side = abs(skew), "ahead" if skew > 0 else "behind"
    return f"{size:.1f} s {side}" if size >= 1 else f"{size * 1e3:.0f} ms {side}"


def seen_from(priors: Mapping[str, Prior], rows: Iterable[Ranked]) -> list[Ranked]:
    """Return `rows` as geography alone ranks them for somebody else; health stays as seen here."""
    return sorted((_expected(row, priors[row.name]) for row in rows), key=_key)


def _expected(row: Ranked, prior: Prior) -> Ranked:
    estimate = Estimate(prior.rtt, prior.sigma, "prior", 0)
    cost = prior.rtt / row.endpoint.weight
    return replace(
        row, estimate=estimate, prior=prior, cost=cost, alone=prior.rtt, surplus=0.0, risk=0.0
    )


def order(rows: Iterable[Ranked], *, favourite: str | None) -> tuple[Ranked, ...]:
    """Return `rows` best first; the favourite, by name, before those that are not better enough."""
    ordered = sorted(rows, key=_key)
    for place, row in enumerate(ordered):
        if row.name == favourite:
            first = next(at for at, other in enumerate(ordered) if _group(other) == _group(row))
            ordered.insert(first, ordered.pop(place))
            break
    return tuple(ordered)


def _group(row: Ranked) -> tuple[bool, bool, int]:
    return not row.allowed, row.health in {"ejected", "drained"}, row.endpoint.tier


def _key(row: Ranked) -> tuple[bool, bool, int, float]:
    return *_group(row), row.cost
