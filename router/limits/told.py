"""What the service says is left of its own limits, as far as it is less than ours.

Rule 1: the last word counts: each answer's takes the place of the one before.
Rule 2: what is under way, and not known to be counted by the service, is taken off what it says.
Rule 3: a word ends at its reset, at the latest after `LONGEST` seconds; then ours counts again.
Rule 4: it only holds back. What was configured is never exceeded, whatever a service offers.
Rule 5: a word that others could gainsay (`doubted`) is put to the test: now and then one request is
        let through, and the last word counts. So one endpoint that lies, or has a limit of its own,
        does not stop those beside it until its reset.
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
LONGEST_DOUBT, DOUBT = 10.0, 0.25
"""A test comes after so many seconds at most, or this part of what is left until the reset."""


@dataclass(slots=True)
class Allowance:
    """What may still be used until its end; one request may ask anew at `test`.

    Both are monotonic seconds.
    """

    left: float
    until: float
    test: float = math.inf


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

    def charge(self, permit: Permit, of: str) -> float:
        """Return what a request took of what a limit of ours counts."""
        return permit.charges[self._places[of][0]]

    def hear(
        self, word: Word, under_way: Collection[Permit], now: float, *, doubted: bool = False
    ) -> None:
        """Take a word of the service on what a limit of ours counts (rule 5: `doubted`)."""
        place, most = self._places[word.of]
        left = word.remaining
        if left < most * (len(under_way) + 1):
            left -= sum(permit.charges[place] for permit in under_way if not permit.heard)
        if left >= most or word.reset <= 0:
            self._allowances.pop(place, None)
        else:
            until = now + min(word.reset, LONGEST)
            test = _test(until, now) if doubted else math.inf
            self._allowances[place] = Allowance(max(0.0, left), until, test)
        self.ends = max((each.until for each in self._allowances.values()), default=-math.inf)

    def wait(self, charges: Sequence[float], now: float) -> float:
        """Return the seconds until so much may be used."""
        return max(
            (
                max(0.0, min(each.until, each.test) - now)
                for place, each in self._allowances.items()
                if each.until > now and charges[place] > each.left
            ),
            default=0.0,
        )

    def take(self, charges: Sequence[float], now: float) -> None:
        """Note that so much is used."""
        for place, each in self._allowances.items():
            if charges[place] > each.left and each.test <= now:
                each.test = _test(each.until, now)
            each.left -= charges[place]


def _test(until: float, now: float) -> float:
    return now + min(LONGEST_DOUBT, DOUBT * (until - now))
