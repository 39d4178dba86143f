"""The few endpoints that one kind of request can choose from, kept ready.

A Slate belongs to one set of constraints. It knows all endpoints that these allow (`members`), and
keeps those at hand that a choice will be made from (`first`, and `second` for when those are full).

Rule 1: a choice looks at a handful of prices. What costs time in proportion to the endpoints, their
        sorting, is done now and then; where they are many, off the path of a request.
Rule 2: tiers come before cost. `first` are the best of the lowest tier that has anybody who can
        serve, `second` those of the next; what the first tier is too crowded for spills over.
Rule 3: the favourite keeps its place unless another is better by more than 5 ms (among endpoints
        that are near, a quarter), 5 % and five deviations of both estimates, in what lasts. What
        passes (a queue, late answers) moves requests at once, and leaves the favourite its place.
Rule 4: who was never asked is thought to serve as others do. Where it would cost a quarter more at
        most, one request finds out; else a slow favourite would be kept for ever.
Rule 5: where more than half are ejected, ejections are not believed (panic): who is ejected may be
        asked again, at the price of somebody who is probably broken.
"""

from __future__ import annotations

import math
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from router.balance.decision import Why
from router.balance.health import Availability

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from router.balance.ranking import Ranked
    from router.balance.state import State

__all__ = ["FEW", "REFRESH_EVERY", "Slate", "by_tier_and_cost"]

AT_HAND = 8
IN_RESERVE = 4
OUT_SHOWN = 4
FEW = 64
"""So many endpoints are sorted on the path of a request."""
SORT_EVERY = 0.05  # seconds
REFRESH_EVERY = 0.005  # seconds
LEAST_GAIN = 0.005  # seconds
LEAST_SHARE = 0.05
NEAR_SHARE = 0.25
CURIOUS = 1.25
LASTING_SURE = 5.0
PASSING_SURE = 1.5
PRICE = attrgetter("price")
LASTING = attrgetter("lasting")
TIER = attrgetter("endpoint.tier")


def by_tier_and_cost(state: State) -> tuple[int, float]:
    """Return what a slate is sorted by."""
    return state.endpoint.tier, state.cost


class Standing(NamedTuple):
    """How the candidates stood, and a few of those who were out; for explanations.

    Attributes:
        rows: the first candidates in their order, then others.
        outside: names of endpoints that constraints exclude, each with the constraint.
    """

    rows: tuple[Ranked, ...]
    outside: Mapping[str, str]


class Slate:
    """Candidates for requests with the same constraints; only the pool touches it."""

    __slots__ = (
        "_board",
        "_changes_at",
        "_margin",
        "_names",
        "_outside",
        "_sorted_at",
        "_tiers",
        "curious",
        "favourite",
        "first",
        "fresh_until",
        "members",
        "panic",
        "prices",
        "second",
        "standing",
        "why",
    )

    def __init__(
        self,
        members: Iterable[State],
        outside: Mapping[str, str] | None = None,
        *,
        shows_prices: bool = False,
    ) -> None:
        """Take who is allowed, and some of those who are not.

        Args:
            members: the endpoints that the constraints allow.
            outside: names of some that are excluded, each with the constraint, for explanations.
            shows_prices: whether its candidates keep their prices on its board, which is quicker
                than to ask each; of a pool's slates only one may.
        """
        self._board: list[float] | None = [] if shows_prices else None
        self.members = tuple(members)
        self._names = frozenset(state.endpoint.name for state in self.members)
        self._outside = {} if outside is None else outside
        self.why = Why.LEAST
        self.first: tuple[State, ...] = ()
        self.second: tuple[State, ...] = ()
        self.favourite: State | None = None
        self.panic = False
        self.standing = Standing((), self._outside)
        self.prices: list[float] = []
        self.fresh_until = -math.inf
        self._changes_at = -math.inf
        self._sorted_at = -math.inf
        self._margin = 0.0
        self.curious: State | None = None
        self._tiers: list[list[State]] = []

    @property
    def is_small(self) -> bool:
        """Whether it is sorted on the path of a request."""
        return len(self.members) <= FEW

    def touch(self) -> None:
        """Say that somebody's availability changed."""
        self._changes_at = self.fresh_until = -math.inf

    def is_due(self, now: float) -> bool:
        """Return whether it is to be sorted now, on the path of a request."""
        return self.is_small and now - self._sorted_at >= SORT_EVERY

    def refresh(self, now: float, typical: float) -> None:
        """Bring the candidates and their prices up to `now`."""
        self.fresh_until = now + REFRESH_EVERY
        if self.is_due(now):
            self.sort(now, typical)
        elif now >= self._changes_at:
            self._line_up(now, typical)
        else:
            self._reprice(now, typical)

    def _reprice(self, now: float, typical: float) -> None:
        for state in self.first:
            if state.restless:
                state.reprice(now, typical)

    def sort(self, now: float, typical: float) -> None:
        """Price and sort all members, and take the best as candidates."""
        for state in self.members:
            if state.restless or state.drifting or state.typical != typical:
                state.reprice(now, typical)
        self.adopt(sorted(self.members, key=by_tier_and_cost), now, typical)

    def adopt(self, order: Sequence[State], now: float, typical: float) -> None:
        """Take this order of the members."""
        if not self.is_small:
            self.panic = _most_are_out(order, now)
        self._sorted_at = now
        self._tiers = [list(tier) for _, tier in groupby(order, key=TIER)]
        self._line_up(now, typical)

    def _write_rows(self, now: float) -> None:
        """Keep how the candidates stand, and a few of those who are out, for explanations."""
        at_hand = self.first + self.second
        out = [s for tier in self._tiers for s in tier[: 2 * AT_HAND] if s not in at_hand]
        states = (*at_hand, *out[:OUT_SHOWN])
        rows = tuple(_row(state, now) for state in states)
        self.standing = Standing(rows, self._outside)

    def _line_up(self, now: float, typical: float) -> None:
        """Choose the candidates among the sorted members."""
        self._changes_at = math.inf
        self.panic = self._is_panic(now)
        lines: list[list[State]] = []
        for tier in self._tiers:
            line = self._servers(tier, AT_HAND if not lines else IN_RESERVE, now)
            if line and not (lines and self._is_hopeless(line, now)):
                lines.append(line)
            if len(lines) == 2:  # noqa: PLR2004 - first and second
                break
        for state in (state for line in lines for state in line):
            if state.restless or state.health.cause is not None:
                state.reprice(now, typical)
        self._seat(tuple(lines[0]) if lines else ())
        self.second = tuple(lines[1]) if len(lines) > 1 else ()
        self._favour()
        self._write_rows(now)

    def _seat(self, first: tuple[State, ...]) -> None:
        """Take these as the first candidates; where prices are shown, each has its seat there."""
        if self._board is not None:
            for state in self.first:
                state.board = None
            self._board = [state.price for state in first]
            for seat, state in enumerate(first):
                state.board, state.seat = self._board, seat
        self.first = first

    def _servers(self, tier: Sequence[State], most: int, now: float) -> list[State]:
        """Return the best of a tier that can serve, and note when somebody else may."""
        found: list[State] = []
        for state in tier:
            if self.serves(state, now):
                found.append(state)
                if len(found) == most:
                    break
            else:
                self._changes_at = min(self._changes_at, state.changes_at(now))
        return found

    def _is_hopeless(self, line: Sequence[State], now: float) -> bool:
        """Return whether a tier is in a panic too, so that it is no relief for another."""
        return self.panic and all(s.availability(now) is Availability.EJECTED for s in line)

    def serves(self, state: State, now: float) -> bool:
        """Return whether a request may be sent there now."""
        available = state.availability(now)
        if available is Availability.READY or available is Availability.TRIAL:
            return True
        return available is Availability.EJECTED and self.panic and not state.health.proved_down

    def _is_panic(self, now: float) -> bool:
        if not self.is_small:
            return self.panic  # as of the last sort
        return _most_are_out(self.members, now)

    # -- choosing

    def pick(self) -> State | None:
        """Return the cheapest candidate, or None if there is none at all."""
        first = self.first
        if not first:
            return None
        if self.curious is not None:
            return self._curiosity(self.curious)
        board = self._board
        self.prices = prices = [*map(PRICE, first)] if board is None else board.copy()
        least = min(prices)
        best = first[prices.index(least)]
        self.why = Why.LEAST
        favourite = self.favourite
        if best is not favourite and favourite is not None:
            best = self._loyal(best, favourite, least)
        if self.second and (best.doubtful or best.crowded):
            return self._spilt(best)
        return best

    def _loyal(self, best: State, favourite: State, least: float) -> State:
        """Return the favourite, if another's lower price is no reason to leave it."""
        if favourite.price - least <= self._margin and favourite.in_flight < favourite.limit:
            self.why = Why.KEPT
            return favourite
        unknown = not (favourite.asked or favourite.in_flight or favourite.risk)
        if unknown and favourite.price <= CURIOUS * least:
            self.why = Why.CURIOUS  # it came back, and its price is what others' answers suggest
            return favourite
        return best

    def _curiosity(self, state: State) -> State:
        """Ask who was never asked, once."""
        self.curious = None
        self.prices = [*map(PRICE, self.first)]
        self.why = Why.CURIOUS
        return state

    def _spilt(self, best: State) -> State:
        """Return who of the next tier takes over what is too much for the first."""
        well = [state for state in self.second if not (state.doubtful or state.crowded)]
        if not well:
            return best
        self.why = Why.SPILT
        return min(well, key=PRICE)

    def pick_among(
        self,
        tried: Collection[str],
        *,
        within: float,
        has_room: Callable[[State], bool] = lambda _: True,
    ) -> State | None:
        """Return the cheapest candidate with room, not tried, that can answer in that time."""
        for line in (self.first, self.second):
            left = [s for s in line if s.endpoint.name not in tried and s.least_rtt <= within]
            left = [s for s in left if has_room(s)]
            if left:
                return min(left, key=PRICE)
        return None

    def keeps(self, pinned: State, tried: Collection[str], *, now: float, within: float) -> bool:
        """Return whether a conversation may stay where it was."""
        return (
            pinned.endpoint.name not in tried
            and pinned.least_rtt <= within
            and pinned.endpoint.name in self._names
            and pinned.availability(now) is Availability.READY
            and not (pinned.doubtful or pinned.crowded)
        )

    def present(self) -> int:
        """Return how many members are not drained, or that there are more than a few."""
        return sum(not state.drained for state in self.members[:FEW])

    def _favour(self) -> None:
        """Keep the favourite, unless it is gone or another is better by more than the margin."""
        best = min(self.first, key=LASTING, default=None)
        if best is None:
            return
        favourite = self.favourite
        if favourite is None or favourite.guessed or favourite not in self.first:
            favourite = best
        noise = math.hypot(best.lasting_noise, favourite.lasting_noise)
        if favourite.lasting - best.lasting > _margin(favourite, LASTING_SURE * noise):
            favourite = best
        self.favourite = favourite
        self._margin = _margin(favourite, PASSING_SURE * favourite.passing_noise)
        self.curious = self._never_asked(favourite)

    def _never_asked(self, favourite: State) -> State | None:
        """Return who was never asked, and would hardly cost more than the favourite does."""
        if not favourite.asked:
            return None
        most = CURIOUS * favourite.lasting
        return next(
            (
                s
                for s in self.first
                if not (s.asked or s.in_flight or s.doubtful) and s.cost <= most
            ),
            None,
        )


def _most_are_out(states: Iterable[State], now: float) -> bool:
    present = [state for state in states if not state.drained]
    ejected = sum(s.health.availability(now) is Availability.EJECTED for s in present)
    return 2 * ejected > len(present)


def _margin(favourite: State, noise: float) -> float:
    """Return by how much another's price has to be lower."""
    least = min(LEAST_GAIN * favourite.share, NEAR_SHARE * favourite.lasting)
    return max(least, LEAST_SHARE * favourite.lasting, noise)


def _row(state: State, now: float) -> Ranked:
    """Return how a state stands; time alone may have changed whether it may be asked."""
    row = state.row
    if row is None or row.health != state.availability(now).value:
        return state.ranked(now)
    return row
