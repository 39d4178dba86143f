"""What the pool hands out for one attempt: a Choice, or the news that everybody is Cooling.

Rule 1: a Choice gives back what it took (in-flight count, trial) exactly once.
Rule 2: it keeps what was decided by, as references; words are made when somebody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.balance.decision import Decision

if TYPE_CHECKING:
    from collections.abc import Collection

    from router.balance.decision import Why
    from router.balance.pool import EndpointPool
    from router.balance.slate import Slate
    from router.balance.state import State
    from router.endpoint import Endpoint

__all__ = ["Choice", "Cooling"]


class Cooling(Exception):  # noqa: N818 - a fact for the flow, not an error of ours
    """Every endpoint that may serve asked to be left alone until `until` (monotonic seconds)."""

    def __init__(self, until: float) -> None:
        super().__init__(until)
        self.until = until


class Choice:
    """An endpoint taken for one attempt.

    Attributes:
        trial: whether this attempt is the one that decides if the endpoint comes back.
        price: seconds that the attempt was expected to cost.
        in_flight: attempts under way there, this one included.
        sent, predicted: when it was sent, and seconds after which its answer was expected.
        standing, prices, tried, why: what was decided by, see `decision`.
        answered, state, pool, held, undecided: the pool's own; only the pool touches them.
    """

    __slots__ = (
        "answered",
        "held",
        "in_flight",
        "pool",
        "predicted",
        "price",
        "prices",
        "sent",
        "standing",
        "state",
        "trial",
        "tried",
        "undecided",
        "why",
    )
    in_flight: int
    predicted: float
    sent: float

    def __init__(
        self,
        state: State,
        pool: EndpointPool,
        slate: Slate,
        tried: Collection[str],
        why: Why,
    ) -> None:
        self.state = state
        self.pool = pool
        self.standing = slate.standing
        self.prices = slate.prices
        self.tried = frozenset(tried)  # the request goes on to other endpoints, a decision stays
        self.why = why
        self.price = state.price
        self.answered = self.trial = False
        self.undecided = self.held = True

    @property
    def endpoint(self) -> Endpoint:
        """Where the attempt goes."""
        return self.state.endpoint

    @property
    def again(self) -> bool:
        """Whether this request was there before."""
        return self.state.endpoint.name in self.tried

    def decision(self) -> Decision:
        """Return what was decided by, for explanations."""
        state, rows = self.state, self.standing.rows
        if all(row.endpoint is not state.endpoint for row in rows):
            rows = (*rows, state.row or state.ranked(self.sent))
        return Decision(
            state.endpoint.name,
            self.price,
            rows=rows,
            prices=self.prices,
            outside=self.standing.outside,
            tried=self.tried,
            why=self.why,
            trial=self.trial,
        )

    def give_back(self) -> None:
        """Return the in-flight count and the trial; a second call does nothing."""
        self.pool.take_back(self)
