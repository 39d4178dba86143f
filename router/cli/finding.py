"""What `router clock` has found out in one round, and its JSON.

Rule 1: a Finding is a value; nobody is asked here. `inquiry` asks, `clock_table` tells people.
Rule 2: a positive difference means that the clock which its line is about is ahead: for servers and
        rungs that is this machine's wall clock, for endpoints it is the endpoint's.
Rule 3: seconds throughout; None, in JSON null, where nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.cli.clock_words import summary
from router.clock.reading import UNBOUNDED
from router.clock.stamp import write

if TYPE_CHECKING:
    from router.cli.endpoint_clocks import EndpointClock
    from router.cli.rungs import RungRow
    from router.clock.reading import Stamp
    from router.clock.report import SourceReport

__all__ = ["Finding"]

NS = 1e9


@dataclass(frozen=True, slots=True)
class Finding:
    """All that is known after a round.

    Attributes:
        stamp: what a request would carry now.
        max_error: how far a stamp may be wrong.
        servers: the NTP servers, in their order.
        rungs: the ladder, best rung first.
        endpoints: their clocks, in their order; None where they were not asked.
    """

    stamp: Stamp
    max_error: float
    servers: tuple[SourceReport, ...]
    rungs: tuple[RungRow, ...]
    endpoints: tuple[EndpointClock, ...] | None

    @property
    def bound(self) -> float | None:
        """How far the stamp may be wrong."""
        return None if self.stamp.bound_ns == UNBOUNDED else self.stamp.bound_ns / NS

    @property
    def sure(self) -> bool:
        """Whether that is within what is allowed."""
        return self.bound is not None and self.bound <= self.max_error

    @property
    def serving(self) -> RungRow:
        """The rung that stamps follow."""
        return next(rung for rung in self.rungs if rung.serves)

    @property
    def used(self) -> int:
        """How many servers agree with the time that is believed."""
        return sum(server.verdict == "used" for server in self.servers)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "summary": summary(self),
            "time": write(self.stamp.ns, "rfc3339"),
            "status": self.stamp.status,
            "source": self.stamp.source,
            "bound_s": _rounded(self.bound),
            "max_error_s": self.max_error,
            "within_max_error": self.sure,
            "wall_error_s": _rounded(self.serving.wall_error),
            "servers": [_server(server) for server in self.servers],
            "rungs": [_rung(rung) for rung in self.rungs],
            "endpoints": [_endpoint(endpoint) for endpoint in self.endpoints or ()],
        }


def _server(server: SourceReport) -> dict[str, Any]:
    return {
        "server": server.server,
        "verdict": server.verdict,
        "reason": server.reason,
        "wall_error_s": _rounded(None if server.offset is None else -server.offset),
        "delay_s": _rounded(server.delay),
        "bound_s": _rounded(server.bound),
        "stratum": server.stratum,
        "age_s": _rounded(server.age),
    }


def _rung(row: RungRow) -> dict[str, Any]:
    return {
        "rung": row.rung,
        "serves": row.serves,
        "reason": row.reason,
        "wall_error_s": _rounded(row.wall_error),
        "bound_s": _rounded(row.bound),
    }


def _endpoint(endpoint: EndpointClock) -> dict[str, Any]:
    return {
        "name": endpoint.name,
        "verdict": endpoint.verdict,
        "reason": endpoint.reason,
        "error_s": _rounded(endpoint.error),
        "bound_s": _rounded(endpoint.bound),
        "skew_s": _rounded(endpoint.skew),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
