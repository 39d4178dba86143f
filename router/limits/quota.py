"""Where the tokens of a rate come from: from this process alone, or from a share of a fleet's.

A `Quota` answers at once and never waits. `Local` is the one of a process by itself. One that is
leased from a store spends what it was given, and is refilled in the background; when something
came, it tells the limiter (`Limiter.replenished`).

Rule 1: a quota is called under the limiter's lock, and takes no lock of its own beyond arithmetic.
Rule 2: `take` takes all or nothing. With its receipt up to what was taken may be given back, once.
Rule 3: what is given back is as if it had never been taken: a rate's bound holds for what was used,
        counted from when it was taken. So what has drained away since then does not come back.
Rule 4: what was used beyond what was taken holds others up for an hour at most, or for one period
        of the rate if that is longer: the figure may be an answer's, and absurd.

How rule 3 is kept: a GCRA drains in order. What was taken when the TAT was `due` has drained by
then, however little of it was used; of the part that is left at `now`, refunds of what was taken
before are taken off, since that makes it drain earlier. The receipt is `due` plus all such refunds
until then. A refund of what was taken last has nobody behind it, and is as if nothing had been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from router.limits.gcra import NEVER_SPENT, Gcra

if TYPE_CHECKING:
    from router.rates import Bound

__all__ = ["Local", "Quota", "Slots"]


LONGEST_DEBT = 3600.0


class Slots(Protocol):
    """The fleet's part of a limit on requests under way; the rules are those of a quota."""

    def take(self, now: float, *, waiting: int = 1) -> float:
        """Take one and return 0, or return the seconds after which to look again.

        `waiting`: how many requests want one. `Limiter.replenished` may be called earlier.
        """
        ...

    def give_back(self) -> None:
        """Return one. It may be called by a finalizer, whatever its thread is at."""
        ...


class Quota(Protocol):
    """The tokens of one rate; costs are in what the rate counts, times in monotonic seconds."""

    @property
    def most(self) -> float:
        """The largest cost that may ever be taken at once."""
        ...

    def left(self, now: float) -> float:
        """Return what could be taken at once."""
        ...

    def wait(self, cost: float, now: float) -> float:
        """Return the seconds until `cost` may be there, 0: now; it may be more than `most`.

        It is asked again after that time, and earlier when `Limiter.replenished` was called.
        """
        ...

    def take(self, cost: float, now: float) -> float | None:
        """Take all of `cost` and return a receipt, or None, and take nothing."""
        ...

    def give_back(self, cost: float, receipt: float, now: float) -> float:
        """Take back what a receipt's holder did not use; return how much of it came back.

        It is called at most once with a receipt.
        """
        ...

    def spend(self, cost: float, now: float) -> None:
        """Take what was used beyond what was taken; others wait for it."""
        ...


class Local:
    """A GCRA of this process alone. The limiter's fast path reads and writes its attributes.

    Attributes:
        tat: its theoretical arrival time, in monotonic seconds.
        refunded: seconds of the TAT that came back so far from before others.
    """

    __slots__ = ("_gcra", "_longest", "allowance", "interval", "most", "refunded", "tat")

    def __init__(self, bound: Bound) -> None:
        self._gcra = Gcra(bound.rate, bound.most)
        self.interval = self._gcra.interval
        self.allowance = self._gcra.allowance
        self.most = float(bound.most)
        self._longest = self.allowance + max(LONGEST_DEBT, bound.rate.seconds)
        self.tat = NEVER_SPENT
        self.refunded = 0.0

    def left(self, now: float) -> float:
        """Return what could be taken at once."""
        return max(0.0, (self.allowance - max(0.0, self.tat - now)) / self.interval)

    def wait(self, cost: float, now: float) -> float:
        """Return the seconds until `cost` may be taken."""
        return self._gcra.wait(self.tat, now, cost)

    def take(self, cost: float, now: float) -> float | None:
        """Take `cost`, if all of it is there."""
        begins = max(self.tat, now)
        if begins + (cost - self.most) * self.interval - now > 0:  # as `Gcra.wait` reckons
            return None
        self.tat = begins + cost * self.interval
        return self.tat + self.refunded

    def give_back(self, cost: float, receipt: float, now: float) -> float:
        """Take back what has not drained away since (rule 3)."""
        seconds = min(cost * self.interval, receipt - self.refunded - now)
        if seconds <= 0:
            return 0.0
        if receipt != self.tat + self.refunded:  # else nobody is behind it
            self.refunded += seconds
        self.tat -= seconds
        return seconds / self.interval

    def spend(self, cost: float, now: float) -> None:
        """Take what is not there (rule 4)."""
        most = max(self.tat, now + self._longest)
        self.tat = min(self._gcra.spend(self.tat, now, cost), most)
