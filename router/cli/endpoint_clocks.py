"""The endpoints' own clocks as `router clock` shows them, told by the Dates of their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from router.balance.ranking import off
from router.clock.dates import skew

if TYPE_CHECKING:
    from router.balance.ranking import Ranked
    from router.clock.keeper import Keeper
    from router.clock.select import Interval

__all__ = ["EndpointClock", "endpoint_clock"]


@dataclass(frozen=True, slots=True)
class EndpointClock:
    """One endpoint's clock; seconds, and None where it is not known.

    Attributes:
        name: the endpoint.
        theta: the least and greatest UTC minus boot time by the Dates of its answers.
        error: how far its clock is ahead of UTC, by the best estimate.
        bound: how far that may be wrong.
        skew: the same as `error` where it is proven that the clock is off.
        reason: how far it is off, or why nothing is known; empty where there is nothing to add.
    """

    name: str
    theta: Interval | None = None
    error: float | None = None
    bound: float | None = None
    skew: float | None = None
    reason: str = ""

    @property
    def verdict(self) -> Literal["agrees", "off", "unknown"]:
        """What is to be thought of it."""
        if self.error is None:
            return "unknown"
        return "agrees" if self.skew is None else "off"


def endpoint_clock(ranked: Ranked, keeper: Keeper) -> EndpointClock:
    """Return what is known of the clock of an endpoint that was probed."""
    theirs, ours = keeper.theirs(ranked.name), keeper.clock.interval()
    if theirs is None:
        reason = ranked.trouble or "no answer with a Date"
        return EndpointClock(ranked.name, reason=reason)
    if ours is None:
        reason = "contradicted by other endpoints, and nothing else tells the time"
        return EndpointClock(ranked.name, theirs, reason=reason)
    proven = skew(theirs, ours)
    return EndpointClock(
        ranked.name,
        theirs,
        error=(theirs[0] + theirs[1] - ours[0] - ours[1]) / 2,
        bound=(theirs[1] - theirs[0] + ours[1] - ours[0]) / 2,
        skew=proven,
        reason="" if proven is None else f"its own clock is {off(proven)}",
    )
