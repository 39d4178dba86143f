"""LiteLLM's latency strategy: the lowest average of the last 10.

Rule 1: one that was never used counts as 0 and so comes first; equals are drawn from by chance.
Rule 2: a timeout counts as an answer after 1000 s; other failures do not count as answers.
Rule 3: after more than half of at least 5 requests of this minute failed, a region is left
        alone for 5 s.

Read for it: BerriAI/litellm, `router_strategy/lowest_latency.py` as it is since pull request 25548
(before it, the first nine answers ever were kept for good), `router_utils/cooldown_handlers.py`.
"""

from __future__ import annotations

from collections import Counter, deque
from statistics import fmean
from typing import TYPE_CHECKING

from traffic.peer import Peer
from traffic.port import NO_ANSWER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from traffic.world import World

__all__ = ["LastTen"]


class LastTen(Peer):
    """The lowest average of the last ten, with cooldown."""

    KEPT = 10
    PENALTY = 1000.0
    FAILING = 0.5
    LEAST = 5
    COOLDOWN = 5.0
    MINUTE = 60.0

    def __init__(self, world: World, client: int) -> None:
        super().__init__(world, client)
        self._last = {name: deque[float](maxlen=self.KEPT) for name in self.names}
        self._minute = -1.0
        self._ends: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._cooling = dict.fromkeys(self.names, 0.0)

    def best(self, names: Sequence[str], now: float) -> str:  # noqa: ARG002
        """Return the one with the lowest average."""
        averages = {name: fmean(self._last[name] or (0.0,)) for name in names}
        lowest = min(averages.values())
        return self.chance.choice([name for name in names if averages[name] == lowest])

    def usable(self, name: str, now: float) -> bool:
        """Return whether it is not cooling down."""
        return now >= self._cooling[name]

    def ended(self, name: str, elapsed: float, failure: str | None, now: float) -> None:
        """Count it, and cool the region down if too many failed."""
        if now // self.MINUTE != self._minute:
            self._minute = now // self.MINUTE
            self._ends.clear()
            self._failures.clear()
        self._ends[name] += 1
        if failure is None or failure == NO_ANSWER:
            self._last[name].append(elapsed if failure is None else self.PENALTY)
        if failure is not None:
            self._failures[name] += 1
            ends, share = self._ends[name], self._failures[name] / self._ends[name]
            if ends >= self.LEAST and share > self.FAILING:
                self._cooling[name] = now + self.COOLDOWN
