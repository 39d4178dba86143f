"""The wait for a permit, told once for both ports.

Rule: a place in the queue is left on every way out that brings no permit: the deadline, an error,
a cancelled task, an interrupted thread.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

    from router.limits.permit import Permit, Ticket

__all__ = ["Port", "in_turn"]

T = TypeVar("T")

LONGEST_NAP = 3600.0  # a lock of the system takes no infinite timeout


class Port(Protocol):
    """What `in_turn` needs of the port that does the waiting."""

    def now(self) -> float:
        """Return monotonic seconds."""
        ...

    async def wait(self, future: Future[T], timeout: float) -> T:
        """Return the future's result, or raise TimeoutError after `timeout` seconds."""
        ...


async def in_turn(ticket: Ticket, port: Port, deadline: float) -> Permit:
    """Return a permit when it is the turn of who holds this place in the queue.

    Raises:
        LimitError: the turn comes after `deadline`, a monotonic time.
        RetryLaterError: every endpoint asked to be left alone until after the deadline.
    """
    try:
        while (permit := ticket.poll(port.now())) is None:
            await _nap(ticket, port, deadline)
    except BaseException:
        ticket.leave()
        raise
    return permit


async def _nap(ticket: Ticket, port: Port, deadline: float) -> None:
    """Wait until it is worth polling again."""
    now = port.now()
    wait, left = ticket.wait(now), deadline - now
    if left <= 0 or (wait is not None and wait > left and not ticket.guesses):
        raise ticket.refusal(None if ticket.guesses else wait, left, now)
    with contextlib.suppress(TimeoutError):
        await port.wait(ticket.nudge, min(left if wait is None else wait, LONGEST_NAP))
