"""What a request would meet at the limiter, and how the limiter stands, as plain data.

Rule: numbers and words, nothing secret; waits are the least that is known, in seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from router.limits.limiter import Limiter, Permit

__all__ = ["Outlook", "standing", "turnover"]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a request would meet now.

    Attributes:
        wait: the least seconds for the rates, behind those that are before it.
        ahead: how many are surely served before it.
        full: whether a permit has to come back first, which no rate tells the time of.
    """

    wait: float
    ahead: int
    full: bool

    @property
    def at_once(self) -> bool:
        """Whether it would be admitted now."""
        return self.wait <= 0 and not self.ahead and not self.full


def turnover(out: Collection[Permit], waiting: int, now: float) -> float:
    """Return about the seconds until one more than those that wait gets a permit that came back.

    Each request under way is taken to last as long again as it has lasted.
    """
    if not out:
        return 0.0
    age = sum(max(0.0, now - permit.at) for permit in out) / len(out)
    return 2 * age * (waiting + 1) / len(out)


def standing(limiter: Limiter, now: float) -> dict[str, Any]:
    """Return how the limits stand; times are seconds from `now`."""
    most = limiter.most
    return {
        "concurrency": None if math.isinf(most) else int(most),
        "rates": [
            {"rate": str(bound.rate), "of": bound.of, "burst": bound.most, "left": left}
            for bound, left in limiter.lefts(now)
        ],
        "told": {
            of: {
                "limit": word.limit,
                "remaining": word.remaining,
                "reset_s": max(0.0, heard + word.reset - now),
            }
            for of, (word, heard) in limiter.words().items()
        },
    }
