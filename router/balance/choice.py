"""What the pool hands out for one attempt: a Choice, or the news that everybody is Cooling.

Rule: a Choice gives back what it took (in-flight count, trial) exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.balance.pool import EndpointPool
    from router.balance.ranking import Ranked
    from router.balance.state import State
    from router.endpoint import Endpoint

__all__ = ["Choice", "Cooling"]


class Cooling(Exception):  # noqa: N818 - a fact for the flow, not an error of ours
    """Every endpoint that may serve asked to be left alone until `until` (monotonic seconds)."""

    def __init__(self, until: float) -> None:
        super().__init__(until)
        self.until = until


@dataclass(slots=True)
class Choice:
    """An endpoint taken for one attempt.

    Attributes:
        again: whether this request was there before.
        trial: whether this attempt is the one that decides if the endpoint comes back.
        state, pool, held, undecided: the pool's own; only the pool touches them.
    """

    ranked: Ranked
    ranking: tuple[Ranked, ...]
    again: bool
    trial: bool
    state: State = field(repr=False)
    pool: EndpointPool = field(repr=False)
    held: bool = True
    undecided: bool = True

    @property
    def endpoint(self) -> Endpoint:
        """Where the attempt goes."""
        return self.state.endpoint

    def give_back(self) -> None:
        """Return the in-flight count and the trial; a second call does nothing."""
        self.pool.take_back(self)
