"""Attempts that do what a test says, and what is seen of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from router.call import Answer
from router.failover.verdict import Verdict
from router.lease import Lease
from router.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BAD", "GOOD", "Held", "Seen", "outcome"]

GOOD, BAD = Verdict.DELIVERED, Verdict.FAILED


class Held:
    """A permit, or what else an attempt holds."""

    def __init__(self) -> None:
        self.out = 1

    def give_back(self) -> None:
        self.out = 0

    def cancel(self, _: float) -> None:
        assert self.out, "it is taken back while it is out"


@dataclass
class Flying:
    """What of a Flight a race needs."""

    lease: Lease


@dataclass
class Seen:
    """What became of the answers of a race."""

    discarded: list[Outcome] = field(default_factory=list)
    permits: list[Held] = field(default_factory=list)

    def permit(self) -> Any:
        held = Held()
        self.permits.append(held)
        return held

    def discard(self, unwanted: Outcome) -> None:
        self.discarded.append(unwanted)
        if unwanted.flight is not None:
            unwanted.flight.lease.give_back()

    async def discard_later(self, unwanted: Outcome) -> None:
        self.discard(unwanted)

    def out(self) -> Iterator[Held]:
        return (held for held in self.permits if held.out)


def outcome(verdict: Verdict, permit: Any = None) -> Outcome:
    answer = Answer(200, [], None, {}, b"")
    flight: Any = Flying(Lease(*[permit] * (permit is not None)))
    return Outcome(verdict, answer=answer, flight=flight)
