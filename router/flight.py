"""One attempt on its way: what it holds, and when what happened.

Rule: times are monotonic seconds. What this host could not look at (`lost`) is taken off the
      endpoint's time, and what the caller took to make the request's body; a wait for a connection
      is not the endpoint's answer time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.failover.verdict import Verdict, verdict_of_failure

if TYPE_CHECKING:
    from router.attempt import Attempt
    from router.auth.token import Token
    from router.balance.choice import Choice
    from router.call import Outgoing, Timeouts
    from router.departure import Departure
    from router.failover.verdict import SendFailure
    from router.lease import Lease
    from router.limits.permit import Permit
    from router.racing import Runner

__all__ = ["Flight"]


@dataclass(slots=True)
class Flight:
    """An attempt between the choice of its endpoint and its end.

    Attributes:
        lease: the permit and the in-flight count.
        permit: what it was admitted with, to be settled.
        token: what it proves itself with.
        runner: its part in a race against another attempt at the same request.
        timeouts: what its phases may wait.
        number: 1 for the first that is sent for its request, and so on.
        began: when it began to wait for its permit.
        sent: when it was handed to the wire.
        lost: seconds that this host had lost by then.
        ended: when the head of the answer came, or the failure.
        held_up: seconds that this host and the caller took of it.
        lasted: seconds from sending to the head of the answer, without those that this host lost.
        served: the endpoint's own, from the first write over a connection that stands.
        noted: what the request's trace says of it so far.
    """

    choice: Choice
    lease: Lease
    permit: Permit
    token: Token | None
    runner: Runner | None
    request: Outgoing
    timeouts: Timeouts
    departure: Departure
    number: int
    began: float
    sent: float
    lost: float = 0.0
    ended: float = 0.0
    held_up: float = 0.0
    lasted: float = 0.0
    served: float = 0.0
    noted: Attempt | None = None

    @property
    def outrun(self) -> bool:
        """Whether another attempt at the same request was quicker."""
        return self.runner is not None and self.runner.outrun

    def verdict_of(self, failure: SendFailure) -> Verdict:
        """Judge a failure of this attempt."""
        return Verdict.OUTRUN if self.outrun else verdict_of_failure(failure)

    def head_came(self, now: float, lost: float) -> None:
        """Note the head of the answer, or what came instead; the first time counts."""
        if self.ended:
            return
        self.ended = now
        held_up, body = lost - self.lost, self.request.body
        lasted = max(0.0, now - self.sent - held_up)
        if not body.replayable:
            held_up += body.making
        self.held_up, self.lasted = held_up, lasted
        self.served = max(0.0, now - (self.timeouts.left or self.sent) - held_up)
        if self.runner is not None:
            self.runner.head_came()

    def broke_off(self, now: float, lost: float) -> None:
        """Note that its body broke off: until then it lasted."""
        self.ended = 0.0
        self.head_came(now, lost)

    @property
    def unseen(self) -> float:
        """The share of its time that was not the endpoint's, 0 to 1."""
        if not self.held_up:
            return 0.0
        return min(1.0, self.held_up / max(self.ended - self.sent, 1e-9))

    @property
    def elapsed(self) -> float:
        """Seconds from sending to the head of the answer, without those that were not its own."""
        return max(0.0, self.ended - self.sent - self.held_up)
