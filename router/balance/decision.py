"""Why an attempt went where it went: the candidates, what each was expected to cost, who was out.

Rule 1: prices are those that were compared; the parts they are made of are at most 50 ms older.
Rule 2: a Decision is made of references while requests run, and of words only when somebody asks.
Rule 3: the sentence says what decided, not all that is known: the candidates have the rest.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from router.balance.ranking import Ranked

__all__ = ["Candidate", "Decision", "Why"]

IN_RESERVE = "in reserve"
OUT = frozenset({"ejected", "cooling", "drained"})


class Why(enum.Enum):
    """What decided."""

    __hash__ = object.__hash__  # each is one object; Enum's own is a call of Python

    LEAST = "least"  # it was expected to cost least
    KEPT = "kept"  # another is better, but not by enough to move
    CURIOUS = "curious"  # it was never asked, and would hardly cost more
    SPILT = "spilt"  # the tiers before are too crowded, or probably broken
    PINNED = "pinned"  # the conversation was here before
    FRESH = "fresh"  # it is the best of those that this request was not at
    ROOM = "room"  # it is the best of those that are not at their own limit
    RESORT = "resort"  # no candidate was left


ALONE = {
    Why.PINNED: "the conversation was here before, and it is well",
    Why.ROOM: "it is the best of those that are not at their own limit",
    Why.RESORT: "nobody is well and fresh: it is the least bad",
}
ONLY = "it is the only one that may serve now"
UNCOMPARED = {
    Why.LEAST: "nobody else of its tier may serve now",
    Why.FRESH: "it is the best of those not tried before",
}
AGAINST = {
    Why.LEAST: "{mine}, the least of {count}; next is {rival}",
    Why.KEPT: "{mine}, which is not enough worse than {rival} to leave it",
    Why.FRESH: "{mine}, the least of those not tried before; next is {rival}",
    Why.CURIOUS: "it was never asked, and {mine} is hardly more than elsewhere",
    Why.SPILT: "the tier before is too crowded or in doubt: {mine} here, {rival} there",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One endpoint as it stood when the choice was made.

    Attributes:
        row: its estimate, load and health.
        price: seconds that one more request was expected to cost; None: it was not compared.
        excluded: what kept it out, in words, or None.
    """

    row: Ranked
    price: float | None = None
    excluded: str | None = None

    @property
    def name(self) -> str:
        """The endpoint's name."""
        return self.row.name

    @property
    def queue(self) -> float:
        """Seconds that the request would wait behind those under way: what the rest leaves."""
        row = self.row
        if self.price is None or not math.isfinite(row.limit):
            return 0.0
        return max(0.0, self.price * row.endpoint.weight - row.alone - row.surplus - row.risk)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data; times are milliseconds."""
        row = self.row
        return {
            "name": self.name,
            "expected_ms": None if self.price is None else self.price * 1e3,
            "rtt_ms": row.rtt_ms,
            "spread_ms": row.spread_ms,
            "rtt_source": row.source,
            "service_ms": (row.alone - row.estimate.rtt) * 1e3,
            "queue_ms": self.queue * 1e3,
            "surplus_ms": row.surplus * 1e3,
            "risk_ms": row.risk * 1e3,
            "in_flight": row.in_flight,
            "limit": row.limit if math.isfinite(row.limit) else None,
            "distance_km": row.distance_km,
            "prior_ms": row.prior_ms,
            "tier": row.endpoint.tier,
            "weight": row.endpoint.weight,
            "health": row.health,
            "excluded": self.excluded,
        }


class Decision:
    """One choice; nothing in it changes any more.

    Attributes:
        why: what decided.
        trial: whether the attempt decides if the endpoint comes back.
        tried: names of endpoints that the request had been to before.
        outside: names of endpoints that constraints exclude, each with the constraint.
        within: seconds that were left for an answer.
    """

    __slots__ = (
        "_name",
        "_price",
        "_prices",
        "_rows",
        "outside",
        "trial",
        "tried",
        "why",
        "within",
    )

    def __init__(
        self,
        name: str,
        price: float,
        *,
        rows: Sequence[Ranked],
        prices: Sequence[float],
        outside: Mapping[str, str],
        tried: Collection[str],
        why: Why,
        trial: bool,
        within: float = math.inf,
    ) -> None:
        """Keep what was decided by.

        Args:
            name: who was chosen.
            price: seconds that the attempt was expected to cost.
            rows: the candidates and some who were out.
            prices: seconds that the first of them were expected to cost, in their order.
            outside: names of endpoints that constraints exclude, each with the constraint.
            tried: names of endpoints that the request had been to before.
            why: what decided.
            trial: whether the attempt decides if the endpoint comes back.
            within: seconds that were left for an answer.
        """
        self._name, self._price = name, price
        self._rows, self._prices = rows, prices
        self.outside = outside
        self.tried, self.why, self.trial, self.within = tried, why, trial, within

    def decision(self) -> Decision:
        """Return itself: it is what was decided."""
        return self

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Everybody that was looked at, the cheapest first, those that were out at the end."""
        found = list(self._found())
        found.sort(key=lambda c: (c.excluded is not None, c.price is None, c.price or 0.0))
        return tuple(found)

    def _found(self) -> Iterator[Candidate]:
        for place, row in enumerate(self._rows):
            price = self._prices[place] if place < len(self._prices) else None
            if row.name == self._name:
                yield Candidate(row, self._price)
            elif row.name in self.tried:
                yield Candidate(row, price, "tried before in this request")
            elif row.health in OUT:
                words = f"{row.health}: {row.trouble}" if row.trouble else row.health
                yield Candidate(row, None, words)
            elif row.least > self.within:
                left = f"{self.within * 1e3:.0f} ms"
                yield Candidate(row, price, f"it cannot answer in the {left} that are left")
            elif price is None:
                yield Candidate(row, None, f"{IN_RESERVE}: tier {row.endpoint.tier}")
            else:
                yield Candidate(row, price)

    @property
    def chosen(self) -> Candidate:
        """The endpoint that was chosen."""
        return next(c for c in self.candidates if c.name == self._name)

    @property
    def reason(self) -> str:
        """One sentence that says why it was chosen."""
        mine = f"{self._price * 1e3:.0f} ms expected"
        if self.trial:
            return f"it was out, and this attempt decides whether it is back ({mine})"
        others = [c for c in self.candidates if c.name != self._name]
        rivals = [c for c in others if c.price is not None and c.excluded is None]
        others = rivals or [c for c in others if (c.excluded or "").startswith(IN_RESERVE)]
        if self.why in ALONE or not rivals:
            words = UNCOMPARED.get(self.why, ONLY) if others else ONLY
            return f"{ALONE.get(self.why, words)} ({mine})"
        rival = f"{rivals[0].name} with {(rivals[0].price or 0) * 1e3:.0f} ms"
        return AGAINST[self.why].format(mine=mine, rival=rival, count=len(rivals) + 1)

    def __repr__(self) -> str:
        return f"<Decision for {self._name}: {self.reason}>"

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for a log or JSON."""
        return {
            "endpoint": self._name,
            "why": self.why.value,
            "reason": self.reason,
            "expected_ms": self._price * 1e3,
            "candidates": [candidate.as_dict() for candidate in self.candidates],
            "outside": dict(self.outside),
        }
