"""How much a process is likely to spend soon, by what it spent of late.

Rule: pure; the memory fades by time alone, so that a process that fell silent leases nothing.
"""

from __future__ import annotations

import math

__all__ = ["Demand"]

MEMORY = 0.3
"""Seconds: long against the gaps of steady traffic, short against how long traffic lasts."""
NOTHING = 0.1


class Demand:
    """Units a second, as an exponential average."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._at = 0.0

    def spent(self, cost: float, now: float) -> None:
        """Take note of units that were spent."""
        gap = now - self._at
        if gap > 0:
            self._sum *= math.exp(-gap / MEMORY)
            self._at = now
        self._sum += cost

    def rate(self, now: float) -> float:
        """Return units a second; 0 when there was nothing for long."""
        left = self._sum * math.exp(min(0.0, self._at - now) / MEMORY)
        return left / MEMORY if left > NOTHING else 0.0
