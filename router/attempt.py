"""What happened to one request, for its caller to read: Attempt and Trace.

Rule: a trace is made of references while the request runs, and of words only when somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.balance.ranking import Ranked

__all__ = ["Attempt", "Trace"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one endpoint.

    Attributes:
        endpoint: its name.
        verdict: the outcome in one word, see `failover.verdict`.
        status: the HTTP status, or None where no answer came.
        error: what went wrong in words, or None.
        waited: seconds spent waiting for the permit, the token and the backoff before sending.
        elapsed: seconds from sending to the response headers or the failure.
        maybe_processed: whether the server may have acted although no answer came.
        chosen: its place in the ranking at that moment, and `ranking` its rivals.
        stamp: the timestamp header as sent, or None.
    """

    endpoint: str
    verdict: str
    status: int | None
    error: str | None
    waited: float
    elapsed: float
    maybe_processed: bool
    chosen: Ranked
    ranking: Sequence[Ranked]
    stamp: str | None = None

    @property
    def result(self) -> str:
        """The status, or what went wrong in words."""
        return str(self.status) if self.error is None else self.error

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.result} after {self.elapsed * 1e3:.1f} ms"


@dataclass(frozen=True, slots=True)
class Trace:
    """Rides in `response.extensions["router"]`."""

    attempts: tuple[Attempt, ...]

    @property
    def endpoint(self) -> str:
        """The name of the endpoint whose answer this is."""
        return next(a.endpoint for a in reversed(self.attempts) if a.status is not None)

    def explain(self) -> str:
        """Return the story of the request: what was tried, why there, and against whom."""
        lines = []
        tried: dict[str, str] = {}
        for number, attempt in enumerate(self.attempts, 1):
            lines.append(f"attempt {number}: {attempt}")
            lines.append(f"  why {attempt.endpoint}: {attempt.chosen.reason}")
            lines += [
                f"  not {rival.name}: {tried.get(rival.name) or rival.reason}"
                for rival in _rivals(attempt)
            ]
            tried[attempt.endpoint] = f"tried before in this request: {attempt.result}"
            if attempt.stamp is not None:
                lines.append(f"  stamped {attempt.stamp}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain data for a log or JSON."""
        return {
            "endpoint": self.endpoint,
            "attempts": [
                {
                    "endpoint": attempt.endpoint,
                    "verdict": attempt.verdict,
                    "status": attempt.status,
                    "error": attempt.error,
                    "waited_ms": attempt.waited * 1e3,
                    "elapsed_ms": attempt.elapsed * 1e3,
                    "maybe_processed": attempt.maybe_processed,
                    "reason": attempt.chosen.reason,
                    "stamp": attempt.stamp,
                }
                for attempt in self.attempts
            ],
        }


MOST_RIVALS = 8


def _rivals(attempt: Attempt) -> list[Ranked]:
    others = [rival for rival in attempt.ranking if rival.name != attempt.endpoint]
    return others[:MOST_RIVALS]
