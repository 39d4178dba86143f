"""The endpoints' own clocks as `router clock` shows them, told by the Dates of their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.clock.dates import skew

if TYPE_CHECKING:
    from router.balance.ranking import Ranked
    from router.clock.keeper import Keeper

__all__ = ["EndpointClock", "endpoint_clock"]


@dataclass(frozen=True, slots=True)
class EndpointClock:
    """One endpoint's clock; seconds, and None where it is not known.

    Attributes:
        name: the endpoint.
        dated: whether its answers told its time.
        error: how far its clock is ahead of UTC, by the best estimate.
        bound: how far that may be wrong.
        skew: the same as `error` where it is proven that the clock is off.
        reason: why nothing is known.
    """

    name: str
    dated: bool
    error: float | None = None
    bound: float | None = None
    skew: float | None = None
    reason: str = ""


def endpoint_clock(ranked: Ranked, keeper: Keeper) -> EndpointClock:
    """Return what is known of the clock of an endpoint that was probed."""
    theirs, ours = keeper.theirs(ranked.name), keeper.clock.interval()
    if theirs is None:
        reason = ranked.trouble or "no answer with a Date"
        return EndpointClock(ranked.name, dated=False, reason=reason)
    if ours is None:
        reason = "contradicted by other endpoints, and nothing else tells the time"
        return EndpointClock(ranked.name, dated=True, reason=reason)
    return EndpointClock(
        ranked.name,
        dated=True,
        error=(theirs[0] + theirs[1] - ours[0] - ours[1]) / 2,
        bound=(theirs[1] - theirs[0] + ours[1] - ours[0]) / 2,
        skew=skew(theirs, ours),
    )
