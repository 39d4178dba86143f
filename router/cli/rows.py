"""One line of a ranking, for people and for programs.

Rule 1: an endpoint that answered none of this round's probes is down and stands last, however few
        the probes were: the library ejects after three, and a person who asked for one wants to
        know at once.
Rule 2: nobody is using an endpoint yet, so none keeps its place by being in use.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from router.balance.ranking import order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.balance.ranking import Ranked

__all__ = ["Row", "Tally", "rows_of"]


@dataclass(slots=True)
class Tally:
    """How many probes each endpoint got in one round, and how many of them it answered."""

    sent: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, answered: bool) -> None:  # noqa: FBT001 - what `measure` calls back with
        """Count one probe."""
        self.sent[name] += 1
        self.answered[name] += answered


@dataclass(frozen=True, slots=True)
class Row:
    """An endpoint at its place in the ranking; `sent` and `answered` count this round's probes."""

    rank: int
    ranked: Ranked
    sent: int = 0
    answered: int = 0

    @property
    def measured(self) -> bool:
        """Whether its round-trip time rests on probes."""
        return self.answered > 0

    @property
    def down(self) -> bool:
        """Whether it was probed and did not answer."""
        return self.sent > 0 and self.answered == 0

    @property
    def health(self) -> str:
        """The library's word for its health, or `down`."""
        return "down" if self.down else self.ranked.health

    @property
    def reason(self) -> str:
        """Why it stands here; if it is down, what went wrong."""
        return (self.down and self.ranked.trouble) or self.ranked.reason

    @property
    def place(self) -> str:
        """Where it is, as the configuration says it."""
        endpoint = self.ranked.endpoint
        if endpoint.region is not None:
            return endpoint.region
        where = endpoint.location
        return "-" if where is None else f"{where.latitude:g}, {where.longitude:g}"

    def expected(self) -> dict[str, Any]:
        """Return what is known without packets, as JSON has it."""
        endpoint, where = self.ranked.endpoint, self.ranked.endpoint.location
        return {
            "rank": self.rank,
            "name": endpoint.name,
            "url": endpoint.url,
            "region": endpoint.region,
            "location": None if where is None else [where.latitude, where.longitude],
            "tier": endpoint.tier,
            "distance_km": _rounded(self.ranked.distance_km),
            "prior_ms": _rounded(self.ranked.prior_ms),
            "reason": self.reason,
        }

    def found(self) -> dict[str, Any]:
        """Return what probes found as well; figures that rest on none are null."""
        ranked = self.ranked
        return {
            **self.expected(),
            "rtt_ms": _rounded(ranked.rtt_ms) if self.measured else None,
            "spread_ms": _rounded(ranked.spread_ms) if self.measured else None,
            "source": ranked.source,
            "probes_sent": self.sent,
            "probes_answered": self.answered,
            "health": self.health,
            "skew_s": _rounded(ranked.skew),
        }


def rows_of(ranking: Iterable[Ranked], tally: Tally | None = None) -> list[Row]:
    """Return a ranking's rows, best first, those that are down at the end."""
    tally = tally or Tally()
    rows = [
        Row(0, ranked, tally.sent[ranked.name], tally.answered[ranked.name])
        for ranked in order(ranking, favourite=None)
    ]
    rows.sort(key=lambda row: row.down)
    return [Row(n, row.ranked, row.sent, row.answered) for n, row in enumerate(rows, 1)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
