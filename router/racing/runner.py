"""What an attempt has of the race that it is in: Runner, and Lead for the first of two.

Rule: an attempt knows its own part and not the other one; it tells when its request left and when
      its head came, and is ended by what it was given to be ended by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from router.failover.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from router.call import Timeouts
    from router.limits.permit import Permit
    from router.outcome import Outcome

__all__ = ["Attempting", "Lead", "Runner", "Spare", "is_good", "tried"]

Spare: TypeAlias = "Callable[[], Permit | None]"
"""Pays for a second attempt and returns its permit; None: there is to be none."""


def nothing() -> None:
    """Do nothing."""


class Attempting(Protocol):
    """Makes an attempt's coroutine."""

    def __call__(
        self, runner: Runner, permit: Permit | None = None
    ) -> Coroutine[Any, Any, Outcome]:
        """`permit` was taken for it already."""
        ...


class Runner:
    """One attempt's part in a race; as it is here, that of the second one.

    Attributes:
        leads: whether it is the first.
        outrun: whether the other attempt was quicker.
        timeouts: what ends it.
        gone: notes that it was given up; it may go on for a while.
    """

    __slots__ = ("gone", "outrun", "timeouts")

    leads = False

    def __init__(self) -> None:
        self.outrun = False
        self.timeouts: Timeouts | None = None
        self.gone: Callable[[], None] = nothing

    def left(self, late_after: float | None) -> None:
        """Note that the request left; its answer is late after so many seconds."""

    def head_came(self) -> None:
        """Note that the head of the answer is there: it is not late, however long its body is."""

    def take_off(self, timeouts: Timeouts, gone: Callable[[], None]) -> None:
        """Take what ends the attempt, and what notes that; it may have been ended meanwhile."""
        self.timeouts, self.gone = timeouts, gone
        if self.outrun:
            timeouts.abandon()

    def through(self) -> None:
        """Forget the attempt: it has an outcome, whose lease has to go with its last holder."""
        self.gone = nothing

    def end(self) -> None:
        """End the attempt: the other one was quicker."""
        self.outrun = True
        if self.timeouts is not None:
            self.timeouts.abandon()


class Lead(Runner):
    """The part of the first attempt: it has a timer."""

    __slots__ = ("_came", "_late")

    leads = True

    def __init__(self, late: Callable[[float], None], came: Callable[[], None] = nothing) -> None:
        """`late` arms the timer, `came` disarms it."""
        super().__init__()
        self._late = late
        self._came = came

    def left(self, late_after: float | None) -> None:
        if late_after is not None:
            self._late(late_after)

    def head_came(self) -> None:
        self._came()


def is_good(outcome: Outcome) -> bool:
    """Return whether an outcome ends a race."""
    return outcome.verdict is Verdict.DELIVERED


def tried(outcome: Outcome | None) -> Outcome | None:
    """Return the outcome of a second attempt, unless it found nobody to ask."""
    return None if outcome is None or outcome.verdict is Verdict.COOLING else outcome
