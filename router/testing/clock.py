"""A clock that moves when it is told to."""

from __future__ import annotations

__all__ = ["FakeClock"]


class FakeClock:
    """Call it for the time in seconds; `advance` it to let time pass."""

    __slots__ = ("time",)

    def __init__(self, time: float = 1000.0) -> None:
        self.time = time

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.time += seconds
