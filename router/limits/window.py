"""How many requests may be under way: a number, or one that adapts to what the service takes.

Adaptive is AIMD, as TCP does it: an answer while the window is in use widens it by one over its
size, a refusal (429 or 503) narrows it to seven tenths.

Rule 1: it is never more than what is configured, and never less than one.
Rule 2: many refusals at once are one event: who was admitted before the window was narrowed says
        nothing of the narrower one.
Rule 3: a window that is not in use does not widen: nobody knows if more would be taken.
"""

from __future__ import annotations

import math

__all__ = ["Window"]

FIRST = 20.0
NARROWER = 0.7
IN_USE = 0.5


class Window:
    """The adaptive number; only the limiter touches it."""

    __slots__ = ("_ceiling", "_narrowed_at", "size")

    def __init__(self, ceiling: int | None) -> None:
        self._ceiling = math.inf if ceiling is None else float(ceiling)
        self.size = FIRST if ceiling is None else self._ceiling
        self._narrowed_at = -math.inf

    def served(self, in_use: int) -> None:
        """Take an answer that came while so many were under way."""
        if in_use >= IN_USE * self.size:
            self.size = min(self._ceiling, self.size + 1 / self.size)

    def refused(self, admitted: float, now: float) -> None:
        """Take a refusal of a request that was admitted then."""
        if admitted >= self._narrowed_at:
            self.size = max(1.0, NARROWER * self.size)
            self._narrowed_at = now
