"""What the service says is left of its own limits, as far as it is less than ours.

Rule 1: the last word counts: each answer's takes the place of the one before.
Rule 2: what is under way, and not known to be counted by the service, is taken off what it says.
Rule 3: a word ends at its reset, at the latest after `LONGEST` seconds; then ours counts again.
Rule 4: it only holds back. What was configured is never exceeded, whatever a service offers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from router.limits.headers import Word
    from router.limits.permit import Permit
    from router.rates import Bound

__all__ = ["Told"]

LONGEST = 3600.0


@dataclass(slots=True)
class Allowance:
    """What may still be used until its end, in monotonic seconds."""

    left: float
    until: float


class Told:
    """Allowances by the place of their bound; only the limiter touches it."""

    __slots__ = ("_allowances", "_places", "ends")

    def __init__(self, bounds: Sequence[Bound]) -> None:
        self._places: dict[str, tuple[int, float]] = {}
        for place, bound in enumerate(bounds):
            first, most = self._places.get(bound.of, (place, float(bound.most)))
            self._places[bound.of] = first, min(most, float(bound.most))
        self._allowances: dict[int, Allowance] = {}
        self.ends = -math.inf
        """When the last of them ends; before that, `wait` has something to say."""

    def counts(self, of: str) -> bool:
        """Return whether a limit of ours counts this."""
        return of in self._places

    def hear(self, word: Word, under_way: Collection[Permit], now: float) -> None:
        """Take a word of the service on what a limit of ours counts."""
        place, most = self._places[word.of]
        left = word.remaining
        if left < most * (len(under_way) + 1):
            left -= sum(permit.charges[place] for permit in under_way if not permit.heard)
        if left >= most or word.reset <= 0:
            self._allowances.pop(place, None)
        else:
            until = now + min(word.reset, LONGEST)
            self._allowances[place] = Allowance(max(0.0, left), until)
        self.ends = max((each.until for each in self._allowances.values()), default=-math.inf)

    def wait(self, charges: Sequence[float], now: float) -> float:
        """Return the seconds until so much may be used."""
        return max(
            (
                each.until - now
                for place, each in self._allowances.items()
                if each.until > now and charges[place] > each.left
            ),
            default=0.0,
        )

    def take(self, charges: Sequence[float]) -> None:
        """Note that so much is used."""
        for place, each in self._allowances.items():
            each.left -= charges[place]
