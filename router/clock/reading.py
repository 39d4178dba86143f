"""What a clock says at one moment: Reading, and the Stamp that a caller gets.

Rule: a Stamp is two references, the instant and the Reading that was in force; its figures are
      computed when somebody asks for them. That is what makes `now()` cheap.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["UNBOUNDED", "Reading", "Rung", "Stamp", "Status"]

Status = Literal["synchronised", "degraded", "holdover", "unsynchronised"]
Rung = Literal["ntp", "kernel", "http", "wall", "server"]

UNBOUNDED = 2**63 - 1
"""The `bound_ns` of a stamp about which nothing is known: 292 years, above any limit."""


class Reading(NamedTuple):
    """What holds for a moment: UTC is boot time plus `theta_ns`, right to `bound_ns`."""

    theta_ns: int
    bound_ns: int
    status: Status
    source: Rung


class Stamp(tuple[int, Reading]):
    """A moment of UTC, how far it may be off, and why that is believed.

    Made of boot time in nanoseconds and the Reading in force; later stamps compare greater.
    """

    __slots__ = ()

    @property
    def ns(self) -> int:
        """The best estimate of UTC in Unix nanoseconds."""
        return self[0] + self[1].theta_ns

    @property
    def bound_ns(self) -> int:
        """How many nanoseconds UTC can be from it; UNBOUNDED where nobody knows."""
        return self[1].bound_ns

    @property
    def status(self) -> Status:
        """How well the clock is kept.

        `synchronised`: four NTP servers or more agree. `degraded`: fewer do, or a lower rung of the
        ladder serves. `holdover`: the last round brought no majority. `unsynchronised`: the bound
        is above `max_error`.
        """
        return self[1].status

    @property
    def source(self) -> Rung:
        """The rung of the ladder: ntp, kernel, http or wall; or server, an endpoint's own clock."""
        return self[1].source

    @property
    def earliest_ns(self) -> int:
        """A time that is surely not in the future; the estimate itself if UNBOUNDED."""
        return self.ns if self.bound_ns == UNBOUNDED else self.ns - self.bound_ns

    @property
    def latest_ns(self) -> int:
        """A time that is surely not in the past; the estimate itself if UNBOUNDED."""
        return self.ns if self.bound_ns == UNBOUNDED else self.ns + self.bound_ns

    def __repr__(self) -> str:
        return (
            f"Stamp(ns={self.ns}, bound_ns={self.bound_ns}, "
            f"status={self.status!r}, source={self.source!r})"
        )
