"""What was seen of one fault: its figures, and how long the way back took.

Rule: attempts are those that came to a server, or those that the client tells of where no server
      could see them; executions are counted at the servers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faultlab.load import percentile, total

if TYPE_CHECKING:
    from collections import Counter

    from faultlab.load import Done

__all__ = ["HOME", "Life", "share_of_home"]

HOME = "a"


@dataclass
class Life:
    """What was seen of one fault and one method; `back`: seconds until all was as before."""

    fault: str
    method: str
    done: list[Done] = field(repr=False)
    attempts: int
    at_home: int
    executions: Counter[str] = field(repr=False)
    back: float = math.nan

    @property
    def count(self) -> int:
        """How many requests were sent."""
        return len(self.done)

    @property
    def good(self) -> int:
        """How many were answered."""
        return sum(one.good for one in self.done)

    @property
    def errors(self) -> int:
        """How many were not."""
        return self.count - self.good

    @property
    def duplicates(self) -> int:
        """How many were executed more than once."""
        return sum(times > 1 for times in self.executions.values())

    @property
    def tries(self) -> int:
        """How many attempts were made: those that came to a server, or those that are told of."""
        return max(self.attempts, total(self.done))

    @property
    def amplification(self) -> float:
        """Attempts a request."""
        return self.tries / self.count if self.count else math.nan

    @property
    def p99(self) -> float:
        """The 99th percentile of the seconds of a request."""
        return percentile((one.took for one in self.done), 0.99)

    @property
    def tries_at_home(self) -> int:
        """How often A was tried, as it saw it or as the client tells."""
        return max(self.at_home, sum(one.tries.count(HOME) for one in self.done))


def share_of_home(done: list[Done]) -> float:
    """Return the share of requests that A answered."""
    return sum(one.region == HOME for one in done) / len(done) if done else 0.0
