"""Where to go when no candidate is left: the last resort, by a look at everybody.

Rule: fresh before tried, working before ejected, near before far; who asked to be left alone is
      left alone, and who is drained gets nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.balance.choice import Cooling
from router.balance.health import Availability
from router.errors import DeadlineError, NoEndpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from router.balance.state import State

__all__ = ["last_resort"]

SHUT = frozenset({Availability.COOLING, Availability.DRAINED})


def last_resort(
    members: Sequence[State],
    tried: Collection[str],
    *,
    now: float,
    within: float,
    otherwise: Callable[[bool], str],
) -> State:
    """Return the best of all that may be asked at all.

    Args:
        members: whom the constraints allow.
        tried: names of endpoints that the request has been to.
        now: monotonic seconds.
        within: seconds that are left for an answer.
        otherwise: says why there is nobody, given whether all are drained.

    Raises:
        Cooling: those that may serve asked to be left alone.
        NoEndpointError: there is none, or all are drained.
        DeadlineError: none is near enough for the seconds that are left.
    """
    open_ = [state for state in members if state.availability(now) not in SHUT]
    near = [state for state in open_ if state.least_rtt <= within]
    if near:
        return min(near, key=lambda state: _class_and_price(state, tried, now))
    if open_:
        quickest = min(state.least_rtt for state in open_)
        raise DeadlineError(
            f"the nearest endpoint needs {quickest * 1e3:.0f} ms there and back, "
            f"and {within * 1e3:.0f} ms are left: nothing was sent"
        )
    cooling = [s.cooling_until for s in members if s.availability(now) is Availability.COOLING]
    if cooling:
        raise Cooling(min(cooling))
    raise NoEndpointError(otherwise(bool(members)))


def _class_and_price(state: State, tried: Collection[str], now: float) -> tuple[int, int, float]:
    ejected = state.availability(now) is Availability.EJECTED
    again = state.endpoint.name in tried
    return 2 * ejected + again, state.endpoint.tier, state.price
