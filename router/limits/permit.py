"""What the limiter hands out: a permit, a place in its queue, or a refusal.

Rule: permit and place go back by `give_back` and `leave`; twice is harmless, and neither blocks.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from router.errors import LimitError, OptionsError, RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.errors import RouterError
    from router.limits.limiter import Limiter

__all__ = [
    "UNLIMITED",
    "Permit",
    "Ticket",
    "left_alone",
    "resolve",
    "too_dear",
    "too_late",
    "too_many",
]


class Permit:
    """The right to one request; give it back when the response's body is closed.

    Attributes:
        charges: what it has taken of each rate.
        receipts: what the quotas of these rates gave for it.
        at: when it was granted, in monotonic seconds.
        heard: whether an answer to its request came, so that the service has counted it.
    """

    __slots__ = ("_limiter", "at", "charges", "heard", "receipts")

    def __init__(
        self,
        limiter: Limiter | None,
        charges: tuple[float, ...] = (),
        receipts: tuple[float, ...] = (),
        at: float = 0.0,
    ) -> None:
        self._limiter = limiter
        self.charges = charges
        self.receipts = receipts
        self.at = at
        self.heard = False

    def give_back(self) -> None:
        """Make room for the next in the queue; a second time does nothing."""
        if self._limiter is not None:
            self._limiter.returned(self)

    def settle(
        self, now: float, *, cost: float | None = None, costs: Iterable[tuple[str, float]] = ()
    ) -> None:
        """Let the request have cost so much in the end; it may have been given back before.

        Args:
            now: monotonic seconds.
            cost: in requests; None: as it was.
            costs: by what other rates count; what is not named stays as it was.
        """
        if self._limiter is not None and self.charges:
            self._limiter.settle(self, now, cost, costs)

    def cancel(self, now: float) -> None:
        """Take nothing of any rate: the request was not sent."""
        if self._limiter is not None and self.charges:
            self._limiter.settle(self, now, 0.0, [(of, 0.0) for of in self._limiter.counted])

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy as a permit of nothing: what was taken cannot be given back twice."""
        return Permit, (None,)


UNLIMITED = Permit(None)
"""The permit of a limiter without a limit; there is nothing to give back."""


class Ticket:
    """A place in the queue: `poll`, then wait on `nudge` for at most `wait` seconds, and again.

    Attributes:
        charges: what its request costs at each rate.
        priority, key: by what it is ordered, see `line`.
        permit: granted, and not yet fetched.
        nudge: resolved when it is worth polling; a poll in vain puts a new one in its place.
        knows_when: whether its holder was told a wait, and so polls without a nudge.
        guesses: whether that wait only says when to look again.
    """

    __slots__ = (
        "_limiter",
        "charges",
        "guesses",
        "key",
        "knows_when",
        "nudge",
        "nudged",
        "permit",
        "priority",
    )

    def __init__(
        self, limiter: Limiter, charges: tuple[float, ...], *, key: float, priority: int = 0
    ) -> None:
        self._limiter = limiter
        self.charges = charges
        self.key = key
        self.priority = priority
        self.permit: Permit | None = None
        self.nudge: Future[None] = Future()
        self.nudged = False
        self.knows_when = False
        self.guesses = False

    @property
    def cost(self) -> float:
        """What it costs at the first rate."""
        return self.charges[0] if self.charges else 1.0

    def poll(self, now: float) -> Permit | None:
        """Return the permit if it was granted, or can be granted now."""
        return self._limiter.poll(self, now)

    def wait(self, now: float) -> float | None:
        """Return the seconds after which to poll though no nudge came; None: only after a nudge."""
        return self._limiter.wait(self, now)

    def refusal(self, wait: float | None, left: float, now: float) -> RouterError:
        """Return why it was in vain; see `Limiter.refusal`."""
        return self._limiter.refusal(wait, left, now)

    def leave(self) -> None:
        """Give up the place in the queue, and the permit if it was granted meanwhile."""
        self._limiter.take_back(self)

    def take_nudge(self, *, surely: bool = False) -> list[Future[None]]:
        """Return the future to resolve, unless that is on its way already.

        `surely`: though it was told a wait, since that may be shorter now.
        """
        if surely:
            self.knows_when = self.guesses = False
        if self.nudged:
            return []
        self.nudged = True
        return [self.nudge]

    def renew_nudge(self) -> None:
        """Put a new future in the place of one that is resolved, or cancelled by its waiter."""
        if self.nudged or self.nudge.cancelled():
            self.nudge = Future()
            self.nudged = False


def resolve(nudges: Iterable[Future[None]]) -> None:
    """Wake who waits on them; a waiter that gave up has cancelled its own."""
    for nudge in nudges:
        if nudge.set_running_or_notify_cancel():
            nudge.set_result(None)


def too_dear(cost: float, most: float, of: str = "requests") -> OptionsError:
    """Return the error of a request that no wait would ever admit."""
    return OptionsError(
        f"cost: {cost:g} {of} can never be admitted where the burst is {most:g}: lower the cost, "
        "or raise the burst (beside its rate in limits.rate; limits.burst of a single one)"
        if cost > most
        else f"cost: {cost:g} {of} is no cost: give more than 0"
    )


def left_alone(wait: float) -> RetryLaterError:
    """Return the error of a request that comes while every endpoint wants to be left alone."""
    return RetryLaterError(
        f"every endpoint asked to be left alone for {wait:.3g} s more, "
        "which is past the request's deadline",
        retry_after=wait,
    )


def too_many(waiting: int, wait: float, *, guessed: bool = False) -> LimitError:
    """Return the error of a request that finds the queue full."""
    return LimitError(
        f"{waiting} requests wait for the limiter already (limits.queue): "
        f"one more would wait {'about ' if guessed else ''}{wait:.3g} s",
        retry_after=wait,
    )


def too_late(wait: float | None, left: float) -> LimitError:
    """Return the error of a request whose turn does not come in the `left` seconds it has."""
    if wait is None:
        return LimitError("no permit was given back before the request's deadline")
    return LimitError(
        f"the limiter admits this request in {wait:.3g} s, but its deadline is in "
        f"{max(0.0, left):.3g} s",
        retry_after=wait,
    )
