"""Boot time and wall clock, each moved by hand."""

from __future__ import annotations

__all__ = ["FakeTime"]


class FakeTime:
    """A host that has been up for 1000 s at 2027-01-15T08:00:00Z."""

    def __init__(self) -> None:
        self.boot = 1000.0
        self.wall = 1_800_000_000.0

    def pass_by(self, seconds: float) -> None:
        self.boot += seconds
        self.wall += seconds
