"""Whether an endpoint is where it is said to be, or in one place at all, by how fast it answers.

Rule 1: an answer within `rtt` came from nearer than light in fibre goes and returns in that time.
        Each vantage so draws a disk around itself that the endpoint lies in.
Rule 2: two disks that do not meet prove anycast: no one place lies in both. More than two may
        exclude each other though every pair of them meets; that is not looked for, since a pair is
        what people can check.
Rule 3: a claimed place outside of a disk is wrong. How vaguely places are known is allowed for.
Rule 4: that nothing speaks against one place is no proof of it: a slow answer says nothing.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from router.geo.distance import great_circle_km, written_km
from router.geo.prior import FLOOR_PER_KM, floor_rtt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from router.endpoint import Location

__all__ = ["Judgement", "Observation", "Proof", "contradiction", "judge", "prove"]

Verdict = Literal["anycast", "misplaced", "one place", "unknown"]


@dataclass(frozen=True, slots=True)
class Observation:
    """An RTT in seconds, seen at `where`; `place` is what people call it."""

    place: str
    where: Location
    rtt: float

    @property
    def radius_km(self) -> float:
        """How far away the endpoint can be at most."""
        return self.rtt / FLOOR_PER_KM

    def __str__(self) -> str:
        return f"in {_written_ms(self.rtt)} in {self.place}"


@dataclass(frozen=True, slots=True)
class Proof:
    """Two observations that no one place explains, and kilometres between their vantages."""

    a: Observation
    b: Observation
    km: float

    @property
    def gap_km(self) -> float:
        """How far the two disks lie apart, vague places allowed for."""
        vague = self.a.where.accuracy_km + self.b.where.accuracy_km
        return self.km - vague - self.a.radius_km - self.b.radius_km

    def __str__(self) -> str:
        return f"answers {self.a} and {self.b}, {written_km(self.km)} apart: anycast"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the observations say of an endpoint, and why, in words; `proof` if it is anycast."""

    verdict: Verdict
    why: str
    proof: Proof | None = None


def prove(observations: Iterable[Observation]) -> Proof | None:
    """Return the pair that excludes one place by the widest gap, or None if no pair does."""
    pairs = [
        Proof(a, b, great_circle_km(a.where, b.where))
        for a, b in itertools.combinations(observations, 2)
    ]
    widest = max(pairs, key=lambda pair: pair.gap_km, default=None)
    return widest if widest is not None and widest.gap_km > 0 else None


def contradiction(observation: Observation, claimed: Location) -> str | None:
    """Return in words why an endpoint cannot be at the claimed place, or None if it can."""
    km = great_circle_km(observation.where, claimed)
    least = km - observation.where.accuracy_km - claimed.accuracy_km
    if observation.radius_km >= least:
        return None
    needed = _written_ms(floor_rtt(km))
    return f"answers {observation}, but {written_km(km)} to its place take {needed}: wrong place"


def judge(observations: Sequence[Observation], claimed: Location | None = None) -> Judgement:
    """Return what all observations of one endpoint say together, and against a claimed place."""
    if not observations:
        return Judgement("unknown", "answered nowhere")
    proof = prove(observations)
    if proof is not None:
        return Judgement("anycast", str(proof), proof)
    quickest_first = sorted(observations, key=lambda seen: seen.rtt)
    if claimed is not None:
        for seen in quickest_first:
            wrong = contradiction(seen, claimed)
            if wrong is not None:
                return Judgement("misplaced", wrong)
    if len(observations) == 1:
        return Judgement("unknown", f"answers {quickest_first[0]}: one vantage proves nothing")
    return Judgement("one place", f"one place explains all; it answers {quickest_first[0]}")


def _written_ms(rtt: float) -> str:
    return f"{rtt * 1e3:.0f} ms" if rtt >= 0.001 else "under 1 ms"  # noqa: PLR2004 - a millisecond
