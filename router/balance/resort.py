"""Where to go when more than the price has a say, and where when no candidate is left.

Rule 1: a conversation stays where it was, if that is well; else the cheapest candidate that is
        fresh and near enough; else the best of all, by a look at everybody.
Rule 2: fresh before tried, working before ejected, near before far; who asked to be left alone is
        left alone, and who is drained gets nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.balance.choice import Cooling
from router.balance.decision import Why
from router.balance.health import Availability
from router.errors import DeadlineError, NoEndpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from router.balance.slate import Slate
    from router.balance.state import State

__all__ = ["considered"]

SHUT = frozenset({Availability.COOLING, Availability.DRAINED})


def considered(
    slate: Slate,
    best: State | None,
    pinned: State | None,
    tried: Collection[str],
    *,
    now: float,
    within: float,
    otherwise: Callable[[bool], str],
) -> tuple[State, Why]:
    """Return where the request goes, and what decided.

    Args:
        slate: whom the constraints allow.
        best: the cheapest candidate, if there is one.
        pinned: where the conversation was, if it was anywhere.
        tried: names of endpoints that the request has been to.
        now: monotonic seconds.
        within: seconds that are left for an answer.
        otherwise: says why there is nobody, given whether all are drained.

    Raises:
        Cooling, NoEndpointError, DeadlineError: nobody may be asked.
    """
    if pinned is not None and slate.keeps(pinned, tried, now=now, within=within):
        return pinned, Why.PINNED
    if best is not None and best.least_rtt <= within and best.endpoint.name not in tried:
        return best, slate.why
    fresh = slate.pick_among(tried, within=within)
    if fresh is not None:
        return fresh, Why.FRESH if tried else Why.LEAST
    return last_resort(
        slate.members, tried, now=now, within=within, otherwise=otherwise
    ), Why.RESORT


def last_resort(
    members: Sequence[State],
    tried: Collection[str],
    *,
    now: float,
    within: float,
    otherwise: Callable[[bool], str],
) -> State:
    """Return the best of all that may be asked at all; arguments and errors as `considered`."""
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
