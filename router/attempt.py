"""What happened to one request, for its caller to read: Attempt and Trace.

Rule: a trace is made of references while the request runs, and of words only when somebody asks.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

from router.balance.written import written
from router.clock.reading import UNBOUNDED
from router.failover.verdict import Verdict
from router.limits.permit import UNLIMITED
from router.options import parse_cost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.balance.decision import Decision
    from router.balance.ranking import Ranked
    from router.call import Header
    from router.limits.permit import Permit
from router.clock.reading import Stamp

__all__ = ["Attempt", "Trace"]

NS_IN_MS = 1e6
WORTH_TELLING = 0.01
SOURCES = {
    "ntp": "NTP",
    "kernel": "this host's clock, kept by a daemon",
    "http": "the Dates of answers",
    "wall": "this host's clock",
    "server": "the endpoint's own clock",
}


class Decided(Protocol):
    """What can tell why an endpoint was chosen."""

    def decision(self) -> Decision:
        """Return it."""
        ...


@dataclass(slots=True)
class Attempt:
    """One try at one endpoint; nothing in it changes once its request is over.

    Attributes:
        endpoint: its name.
        verdict: the outcome in one word, see `failover.verdict`.
        status: the HTTP status, or None where no answer came.
        error: what went wrong in words, or None.
        waited: seconds spent waiting for the permit, the token and the backoff before sending.
        elapsed: seconds from sending to the response headers or the failure.
        maybe_processed: whether the server may have acted although no answer came.
        decided: tells why it was chosen, see `decision`.
        header: the timestamp's name and value as sent, or None.
        clock: the time at which its headers left, with its bound, where they were stamped.
        hedge: whether it was made because the answer of another one was late.
        number: 1 for the first that was sent for its request, and so on.
    """

    endpoint: str
    verdict: str
    status: int | None
    error: str | None
    waited: float
    elapsed: float
    maybe_processed: bool
    decided: Decided = field(repr=False, compare=False)
    header: Header | None = None
    clock: Stamp | None = None
    hedge: bool = False
    number: int = 1

    @property
    def decision(self) -> Decision:
        """Why it was chosen, and against whom; made when it is asked for."""
        return self.decided.decision()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy what was decided, without those who decided."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return Attempt, tuple({**values, "decided": self.decision}.values())

    @property
    def chosen(self) -> Ranked:
        """The endpoint as it stood."""
        return self.decision.chosen.row

    @property
    def ranking(self) -> tuple[Ranked, ...]:
        """It and its rivals as they stood."""
        return tuple(candidate.row for candidate in self.decision.candidates)

    @property
    def stamp(self) -> str | None:
        """The timestamp as sent, or None."""
        return None if self.header is None else self.header[1].decode("ascii")

    @property
    def stamped(self) -> str | None:
        """The timestamp in words: its value, its bound and where it comes from."""
        if self.stamp is None or self.clock is None:
            return None
        bound = self.bound_ms
        sure = "nobody knows how right" if bound is None else f"right to {bound:.0f} ms"
        return f"{self.stamp}, {sure} ({SOURCES[self.clock.source]})"

    @property
    def bound_ms(self) -> float | None:
        """By how many milliseconds the timestamp may be off, where that is known."""
        if self.clock is None or self.clock.bound_ns == UNBOUNDED:
            return None
        return self.clock.bound_ns / NS_IN_MS

    @property
    def result(self) -> str:
        """The status, or what went wrong in words."""
        if self.error is not None:
            return self.error
        return f"{self.status}, the time was refused" if self.time_refused else str(self.status)

    @property
    def time_refused(self) -> bool:
        """Whether the endpoint said that the request's timestamp was wrong."""
        return self.verdict == Verdict.SKEWED.value

    @staticmethod
    def story(attempts: Sequence[Attempt]) -> str:
        """Return the story of a request in lines of text."""
        lines = []
        tried: dict[str, str] = {}
        for attempt in attempts:
            number = attempt.number
            hedge = " (the other one was late)" if attempt.hedge else ""
            lines.append(f"attempt {number}{hedge}: {attempt}")
            if attempt.waited >= WORTH_TELLING:
                waits = "for the limiter, the token or the backoff"
                lines.append(f"  sent after {attempt.waited:.2f} s of waiting {waits}")
            lines.append(f"  why {attempt.endpoint}: {attempt.decision.reason}")
            lines += [f"  {line}" for line in written(attempt.decision, tried)]
            tried[attempt.endpoint] = f"tried before in this request: {attempt.result}"
            if attempt.stamped is not None:
                lines.append(f"  stamped {attempt.stamped}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.result} after {self.elapsed * 1e3:.1f} ms"


@dataclass(slots=True)
class Trace:
    """Rides in `response.extensions["router"]`."""

    attempts: tuple[Attempt, ...]
    stopped: str | None = None
    """Why no further attempt was made, where the last answer was not good."""
    permit: Permit = field(default=UNLIMITED, repr=False, compare=False)
    """What its answer's attempt was admitted with; a copy or a pickled one has none."""

    def settle(self, cost: float | Mapping[str, float]) -> None:
        """Say what the request cost in the end, as `Options.cost`: the limiter gets the rest back.

        It may be said while the body is read or later. What was not used comes back once, as far
        as it was not refilled meanwhile; what was used beyond the cost is taken then.

        Raises:
            OptionsError: the cost is not of that form.
        """
        requests, costs = parse_cost(cost, least=-1.0)
        self.permit.settle(time.monotonic(), cost=requests, costs=costs)

    @property
    def endpoint(self) -> str:
        """The name of the endpoint whose answer this is."""
        answered = [a for a in self.attempts if a.status is not None]
        good = [a for a in answered if a.verdict == Verdict.DELIVERED.value]
        return (good or answered)[-1].endpoint

    def explain(self) -> str:
        """Return the story of the request: what was tried, why there, and against whom."""
        story = Attempt.story(self.attempts)
        return story if self.stopped is None else f"{story}\nno other attempt: {self.stopped}"

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain data for a log or JSON."""
        return {
            "endpoint": self.endpoint,
            "stopped": self.stopped,
            "attempts": [
                {
                    "verdict": attempt.verdict,
                    "status": attempt.status,
                    "error": attempt.error,
                    "waited_ms": attempt.waited * 1e3,
                    "elapsed_ms": attempt.elapsed * 1e3,
                    "maybe_processed": attempt.maybe_processed,
                    "hedge": attempt.hedge,
                    **attempt.decision.as_dict(),
                    "stamp": attempt.stamp,
                    "stamp_bound_ms": attempt.bound_ms,
                }
                for attempt in self.attempts
            ],
        }
