"""Where to go when more than the price has a say, and where when no candidate is left.

Rule 1: a conversation stays where it was, if that is well; else the cheapest candidate that is
        fresh and near enough; else the best of all, by a look at everybody.
Rule 2: who is at a limit of its own is passed over; if all are, the request waits for the first.
Rule 3: fresh before tried, working before ejected, near before far; who asked to be left alone is
        left alone, and who is drained gets nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from router.balance.choice import Cooling
from router.balance.decision import Why
from router.balance.health import Availability
from router.errors import DeadlineError, NoEndpointError, OptionsError
from router.options import NO_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from router.balance.slate import Slate
    from router.balance.state import State
    from router.options import Options

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
    options: Options,
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
        options: the request's, for what it costs: who is at its own limit is passed over.
        otherwise: says why there is nobody, given whether all are drained.

    Raises:
        Cooling, NoEndpointError, DeadlineError: nobody may be asked.
    """

    def has_room(state: State) -> bool:
        return state.has_room(options, now)

    kept = pinned is not None and slate.keeps(pinned, tried, now=now, within=within)
    if pinned is not None and kept and has_room(pinned):
        return pinned, Why.PINNED
    passed = False
    if best is not None and best.least_rtt <= within and best.endpoint.name not in tried:
        passed = not has_room(best)
        if not passed:
            return best, slate.why
    fresh = slate.pick_among(tried, within=within, has_room=has_room)
    if fresh is not None:
        why = Why.FRESH if tried else Why.LEAST
        return fresh, Why.ROOM if passed else why
    return last_resort(
        slate.members, tried, now=now, within=within, options=options, otherwise=otherwise
    ), Why.RESORT


def last_resort(
    members: Sequence[State],
    tried: Collection[str],
    *,
    now: float,
    within: float,
    options: Options = NO_OPTIONS,
    otherwise: Callable[[bool], str],
) -> State:
    """Return the best of all that may be asked at all; arguments and errors as `considered`."""
    open_ = [state for state in members if state.availability(now) not in SHUT]
    near = [state for state in open_ if state.least_rtt <= within]
    if near:
        roomy = [state for state in near if state.has_room(options, now)]
        if not roomy:
            raise _full(near, options, now)
        return min(roomy, key=lambda state: _class_and_price(state, tried, now))
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


def _full(states: Sequence[State], options: Options, now: float) -> Exception:
    """Return what says that all of these are at their own limits, and until when."""
    waits = [s.cap.wait(options, s.in_flight, now) for s in states if s.cap is not None]
    wait = min(waits)
    if math.isinf(wait):
        return OptionsError("cost: no endpoint takes so much at once: see limits under endpoints")
    return Cooling(now + wait, full=True)


def _class_and_price(state: State, tried: Collection[str], now: float) -> tuple[int, int, float]:
    ejected = state.availability(now) is Availability.EJECTED
    again = state.endpoint.name in tried
    return 2 * ejected + again, state.endpoint.tier, state.price
