"""One attempt on its way: what it holds, and when what happened.

Rule: times are monotonic seconds. What this host could not look at (`lost`) is taken off the
      endpoint's time, and what the caller took to make the request's body; a wait for a connection
      is not the endpoint's answer time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.failover.verdict import Verdict, verdict_of_failure
from router.limits.permit import UNLIMITED, Permit

if TYPE_CHECKING:
    from router.attempt import Attempt
    from router.auth.token import Token
    from router.balance.choice import Choice
    from router.call import Outgoing, Timeouts
    from router.departure import Departure
    from router.failover.verdict import SendFailure
    from router.lease import Lease
    from router.racing import Runner

__all__ = ["Flight"]


@dataclass(slots=True)
class Flight:
    """An attempt between the choice of its endpoint and its end.

    Attributes:
        lease: the permit and the in-flight count.
        token: what it proves itself with.
        runner: its part in a race against another attempt at the same request.
        number: 1 for the first that is sent for its request, and so on.
        began: when it began to wait for its permit.
        sent: when it was handed to the wire.
        lost: seconds that this host had lost by then.
        ended: when the head of the answer came, or the failure.
        held_up: seconds that this host and the caller took of it.
        noted: what the request's trace says of it so far.
        permit: what it was admitted with, to be settled.
    """

    choice: Choice
    lease: Lease
    token: Token | None
    runner: Runner | None
    request: Outgoing
    departure: Departure
    number: int
    began: float
    sent: float
    lost: float
    ended: float = 0.0
    held_up: float = 0.0
    noted: Attempt | None = None
    permit: Permit = UNLIMITED

    @property
    def timeouts(self) -> Timeouts:
        """What its phases may wait."""
        return self.request.timeouts

    @property
    def outrun(self) -> bool:
        """Whether another attempt at the same request was quicker."""
        return self.runner is not None and self.runner.outrun

    def verdict_of(self, failure: SendFailure) -> Verdict:
        """Judge a failure of this attempt."""
        return Verdict.OUTRUN if self.outrun else verdict_of_failure(failure)

    def head_came(self, now: float, lost: float) -> None:
        """Note the head of the answer, or what came instead; the first time counts."""
        if not self.ended:
            self.broke_off(now, lost)
            if self.runner is not None:
                self.runner.head_came()

    def broke_off(self, now: float, lost: float) -> None:
        """Note that its body broke off: until then it lasted."""
        self.ended = now
        body = self.request.body
        self.held_up = lost - self.lost
        if not body.replayable:
            self.held_up += body.making

    @property
    def unseen(self) -> float:
        """The share of its time that was not the endpoint's, 0 to 1."""
        if not self.held_up:
            return 0.0
        return min(1.0, self.held_up / max(self.ended - self.sent, 1e-9))

    @property
    def waited(self) -> float:
        """Seconds from its beginning to its sending."""
        return self.sent - self.began

    @property
    def elapsed(self) -> float:
        """Seconds from sending to the head of the answer, without those that were not its own."""
        return max(0.0, self.ended - self.sent - self.held_up)

    @property
    def lasted(self) -> float:
        """The same with the time that the caller took to make the request's body."""
        body = self.request.body
        return self.elapsed if body.replayable else self.elapsed + body.making

    @property
    def served(self) -> float:
        """The same from the first write over a connection that stands."""
        return max(0.0, self.ended - (self.timeouts.left or self.sent) - self.held_up)
