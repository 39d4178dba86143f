"""What the pool hands out for one attempt: a Choice, or the news that everybody is Cooling.

Rule 1: a Choice gives back what it took (in-flight count, trial) exactly once.
Rule 2: it keeps what was decided by, as references; words are made when somebody asks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from router.balance.decision import Decision, Why

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from router.balance.pool import EndpointPool
    from router.balance.ranking import Ranked
    from router.balance.slate import Standing
    from router.balance.state import State
    from router.endpoint import Endpoint
    from router.limits.cap import Cap
    from router.limits.permit import Permit

    Basis = tuple[Standing, Sequence[float], Collection[str], Why, float]
    """How candidates stood, what the first of them cost, who was tried, what decided, and how many
    seconds were left."""

__all__ = ["ANSWERED", "HELD", "RETURNED", "Choice", "Cooling"]

RETURNED, HELD, ANSWERED = 0, 1, 2
"""What `held` says: an answered one is held until its body ends."""


COMPARED = frozenset({Why.LEAST, Why.KEPT, Why.CURIOUS, Why.SPILT})
"""What decides among those whose rows are kept."""


class Cooling(Exception):  # noqa: N818 - a fact for the flow, not an error of ours
    """Every endpoint that may serve asked to be left alone until `until` (monotonic seconds).

    `full`: nobody asked, but all are at the limits that they have of their own.
    """

    def __init__(self, until: float, *, full: bool = False) -> None:
        super().__init__(until)
        self.until = until
        self.full = full


class Choice:
    """An endpoint taken for one attempt.

    Attributes:
        endpoint: where the attempt goes.
        trial: whether this attempt is the one that decides if the endpoint comes back.
        price: seconds that the attempt was expected to cost.
        in_flight: attempts under way there, this one included.
        sent, predicted: when it was sent, and seconds after which its answer was expected; among
            these is the time of a new connection, as long as the request may have to wait for one.
        busy: seconds that this process had computed when it was sent.
        basis: what was decided by, see `decision`.
        state, pool, held, undecided, capped: the pool's own; only the pool touches them.
    """

    __slots__ = (
        "basis",
        "busy",
        "capped",
        "endpoint",
        "held",
        "in_flight",
        "pool",
        "predicted",
        "price",
        "sent",
        "state",
        "trial",
        "undecided",
    )
    busy: float
    predicted: float
    sent: float
    undecided: bool

    def __init__(self, state: State, pool: EndpointPool, basis: Basis) -> None:
        self.state = state
        self.endpoint: Endpoint = state.endpoint
        self.pool = pool
        self.basis = basis
        self.price = state.price
        self.in_flight = 0
        self.trial = False
        self.capped: tuple[Cap, Permit] | None = None
        self.held = HELD

    @property
    def again(self) -> bool:
        """Whether this request was there before."""
        return self.endpoint.name in self.basis[2]

    def decision(self) -> Decision:
        """Return what was decided by, for explanations."""
        state = self.state
        standing, prices, tried, why, within = self.basis
        rows = tuple(self._as_decided(row) for row in standing.rows)
        if all(row.endpoint is not state.endpoint for row in rows):
            rows = (*rows, self._as_decided(state.row or state.ranked(self.sent)))
        return Decision(
            state.endpoint.name,
            self.price,
            rows=rows,
            prices=prices,
            outside=standing.outside,
            tried=tried,
            why=why,
            trial=self.trial,
            within=within,
        )

    def decided(self) -> Choice | Decision:
        """Return what can tell the decision whenever it is asked: itself, if that is all the same.

        The row of one that was not among those compared is as of now.
        """
        if self.basis[3] in COMPARED:
            return self
        return self.decision()

    def _as_decided(self, row: Ranked) -> Ranked:
        """Return the row of the chosen one with what was under way when it was chosen."""
        if row.endpoint is not self.endpoint or not self.in_flight:
            return row
        return replace(row, in_flight=self.in_flight - 1)

    def departed(self, now: float) -> None:
        """Note that the request has a connection and is written now."""
        self.predicted -= self.state.setup
        self.sent, self.busy = now, self.state.host.busy

    def give_back(self) -> None:
        """Return the in-flight count and the trial; a second call does nothing."""
        self.pool.take_back(self)

    def cancel(self) -> None:
        """Give it back because nothing will be sent: it costs nothing of the endpoint's limits."""
        self.pool.cancel(self)
