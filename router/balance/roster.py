"""Which endpoints there are, and a slate for each set of constraints that requests come with.

Rule 1: what the configuration allows holds for every request, and a request can only narrow it.
Rule 2: slates are made when first asked for, and a bounded number is kept.
Rule 3: few endpoints are sorted when a request comes; many by somebody off the path of requests
        (`rerank`), piece by piece.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from router.balance.constraints import why_not
from router.balance.host import IDLE
from router.balance.slate import FEW, Slate, by_tier_and_cost
from router.balance.state import State
from router.balance.way import Way
from router.latency.schedule import ProbeView
from router.options import NO_OPTIONS
from router.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from router.balance.host import Host
    from router.endpoint import Endpoint
    from router.geo.prior import Prior
    from router.options import Options

__all__ = ["Roster"]

MOST_SLATES = 256
MOST_OUTSIDE = 8
AT_ONCE = 200


class Roster:
    """States by name, and slates of them; only the pool touches it."""

    __slots__ = (
        "_ailing",
        "_asked",
        "_by_constraints",
        "_host",
        "allow",
        "everybody",
        "states",
        "typical",
        "vocabulary",
    )

    def __init__(self, host: Host = IDLE) -> None:
        self._host = host
        self.states: dict[str, State] = {}
        self.allow: Options = NO_OPTIONS
        self.typical = 0.0
        """Seconds of service beyond what probes see, where an endpoint was never asked."""
        self.adopt({}, 0.0)

    def update(
        self, endpoints: Mapping[str, tuple[Endpoint, Prior]], allow: Options, now: float
    ) -> None:
        """Take a new set; an endpoint that stays the same keeps what was learnt about it."""
        self.allow = allow
        self.adopt(
            {n: self._kept(endpoint, prior, now) for n, (endpoint, prior) in endpoints.items()},
            now,
        )

    def _kept(self, endpoint: Endpoint, prior: Prior, now: float) -> State:
        old = self.states.get(endpoint.name)
        if old is None:
            return State(endpoint, Way(prior), self._host)
        if (old.endpoint.url, old.endpoint.address) != (endpoint.url, endpoint.address):
            # Drained is an order, not knowledge.
            return State(endpoint, Way(prior), self._host, drained=old.drained)
        old.take(endpoint)
        old.place(prior)
        old.reprice(now, self.typical)
        return old

    def adopt(self, states: dict[str, State], now: float) -> None:
        """Take these states in place of all others."""
        self.states = states
        self._asked = {name: state for name, state in states.items() if state.asked}
        self._ailing = {name: state for name, state in states.items() if state.health.down}
        self.vocabulary = Vocabulary(state.endpoint for state in states.values())
        self.everybody = self._made(NO_OPTIONS, shows_prices=True)
        self.everybody.sort(now, self.typical)
        self._by_constraints: dict[object, Slate] = {}

    def __iter__(self) -> Iterator[Slate]:
        yield self.everybody
        yield from self._by_constraints.values()

    def slate(self, options: Options, now: float) -> Slate:
        """Return the slate of a request's constraints, as of `now`."""
        slate = self.everybody if not options.constrained else self._narrowed(options, now)
        if now >= slate.fresh_until:
            self._host.look()
            if slate.is_due(now):
                self.settle_typical(now)
            slate.refresh(now, self.typical)
        return slate

    def _narrowed(self, options: Options, now: float) -> Slate:
        slate = self._by_constraints.get(options.constraints)
        if slate is None:
            if len(self._by_constraints) >= MOST_SLATES:
                self._by_constraints.clear()
            slate = self._made(options)
            slate.sort(now, self.typical)
            self._by_constraints[options.constraints] = slate
        return slate

    def _made(self, options: Options, *, shows_prices: bool = False) -> Slate:
        """Return a slate of those that both the configuration and the request allow."""
        members: list[State] = []
        outside: dict[str, str] = {}
        for state in self.states.values():
            why = self._why_not(options, state.endpoint)
            if why is None:
                members.append(state)
            elif len(outside) < MOST_OUTSIDE:
                outside[state.endpoint.name] = why
        return Slate(members, outside, shows_prices=shows_prices)

    def _why_not(self, options: Options, endpoint: Endpoint) -> str | None:
        why = why_not(options, endpoint)
        if why is None and (why := why_not(self.allow, endpoint)) is not None:
            why = f"{why}, by the configuration"
        return why

    def settle_typical(self, now: float) -> None:
        """Work out what service costs beyond probes where traffic has seen it of late."""
        seen = [state.service(now) for state in self._asked.values()]
        total = sum(weight for _, weight in seen)
        mean = sum(seconds * weight for seconds, weight in seen) / total if total > 0 else 0.0
        self.typical = max(0.0, mean)

    def learnt(self, state: State) -> None:
        """Note what became of an endpoint, for `settle_typical` and `watched`."""
        name = state.endpoint.name
        if state.asked and name not in self._asked and self.states.get(name) is state:
            self._asked[name] = state
        if state.health.down and self.states.get(name) is state:
            self._ailing[name] = state
        elif self._ailing.get(name) is state:
            del self._ailing[name]

    def watched(self) -> list[State]:
        """Return the endpoints that are worth a probe of their own, the best first."""
        if self.everybody.is_small:
            return sorted(self.everybody.members, key=by_tier_and_cost)
        few = dict.fromkeys(self.everybody.first + self.everybody.second)
        for group in (self._asked, self._ailing):
            few |= dict.fromkeys(islice(group.values(), FEW))
        return sorted(few, key=by_tier_and_cost)

    def touch(self) -> None:
        """Say that somebody's availability changed."""
        for slate in self:
            slate.touch()

    def probe_views(self, now: float) -> dict[str, ProbeView]:
        """Return what the probe schedule has to know of those worth a look, the best first."""
        self._host.look()
        best = self.everybody.favourite
        cost = best.cost if best is not None else 0.0
        return {state.endpoint.name: self._view(state, cost, now) for state in self.watched()}

    def _view(self, state: State, best: float, now: float) -> ProbeView:
        estimate = state.way.estimate
        return ProbeView(
            samples=estimate.samples,
            cost=state.cost,
            sd=estimate.sd,
            best=best,
            down=state.health.down,
            suspect=state.suspect(now),
            lapsed=state.lapsed(now, best),
            population=len(self.states),
        )

    def rerank(self, lock: AbstractContextManager[object], now: float) -> None:
        """Price and sort the slates of many, holding the lock for a few states at a time."""
        with lock:
            slates = [slate for slate in self if not slate.is_small]
            if not slates:
                return
            self.settle_typical(now)
            states = list(self.states.values())
        for start in range(0, len(states), AT_ONCE):
            with lock:
                for state in states[start : start + AT_ONCE]:
                    state.reprice(now, self.typical)
        for slate in slates:
            in_order = sorted(slate.members, key=by_tier_and_cost)  # a look that needs no lock
            with lock:
                slate.adopt(in_order, now, self.typical)
