"""EndpointPool: the one owner of endpoint state.

Rule 1: every change happens here, under one lock that is held for arithmetic only.
Rule 2: readers get an immutable ranking, made anew when evidence arrives, not on each request.
Rule 3: the pool reads no clock: it counts in the `now` of its callers, and what comes without one
        is ranked as of the last.
"""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING

from router.balance.choice import Choice, Cooling
from router.balance.constraints import Vocabulary, allows, nothing_left
from router.balance.ranking import off, order
from router.balance.state import Availability, State
from router.errors import ConfigError, NoEndpointError
from router.latency.schedule import ProbeView

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Collection, Mapping

    from router.balance.ranking import Ranked
    from router.config.settings import Failover
    from router.endpoint import Endpoint
    from router.geo.prior import Prior
    from router.options import Options

__all__ = ["Choice", "Cooling", "EndpointPool"]

RERANK_EVERY = 0.05
SKEW_TOLD_EVERY = 60.0


class EndpointPool:
    """Chooses endpoints and learns from what became of the choice."""

    def __init__(
        self,
        endpoints: Mapping[str, tuple[Endpoint, Prior]],
        failover: Failover,
        *,
        chance: random.Random,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take endpoints with their priors; `note` hears of ejections and returns, and is quick."""
        self._failover = failover
        self._chance = chance
        self._note = note
        self._states: dict[str, State] = {}
        self.reset_after_fork()
        self._ranking: tuple[Ranked, ...] = ()
        self._ranked_at = 0.0
        self._vocabulary = Vocabulary(())
        self.update(endpoints, failover)

    def reset_after_fork(self) -> None:
        """Take a lock of one's own, and forget what the parent's threads have under way."""
        self._lock = threading.RLock()  # a forgotten lease may come back while it is held
        self._states = {name: _without_attempts(s) for name, s in self._states.items()}

    # -- which endpoints there are

    def update(self, endpoints: Mapping[str, tuple[Endpoint, Prior]], failover: Failover) -> None:
        """Take a new set; an endpoint that stays the same keeps what was learnt about it."""
        with self._lock:
            self._failover = failover
            self._states = {
                name: self._kept(endpoint, prior) for name, (endpoint, prior) in endpoints.items()
            }
            self._vocabulary = Vocabulary(s.endpoint for s in self._states.values())
            self._rerank(self._ranked_at)

    def _kept(self, endpoint: Endpoint, prior: Prior) -> State:
        old = self._states.get(endpoint.name)
        if old is None:
            return State(endpoint, prior)
        if (old.endpoint.url, old.endpoint.address) != (endpoint.url, endpoint.address):
            return State(endpoint, prior, drained=old.drained)  # drained is an order, not knowledge
        old.endpoint = endpoint
        old.place(prior)
        return old

    def place(self, name: str, prior: Prior) -> None:
        """Take a better prior for an endpoint; its samples stay."""
        with self._lock:
            if (state := self._states.get(name)) is not None:
                state.place(prior)
                self._rerank(self._ranked_at)

    def set_drained(self, name: str, *, drained: bool) -> None:
        """Send nothing new to an endpoint, or send again.

        Raises:
            ConfigError: no endpoint has that name.
        """
        with self._lock:
            if name not in self._states:
                raise ConfigError(f"no endpoint is named {name}: see rank() for the names")
            self._states[name].drained = drained
            self._rerank(self._ranked_at)

    def check(self, options: Options) -> None:
        """Raise OptionsError where a request names what no endpoint has."""
        if options.constrained:
            self._vocabulary.check(options)

    # -- choosing

    def choose(self, options: Options, *, tried: Collection[str], now: float) -> Choice:
        """Take the best endpoint that may serve the request now.

        Raises:
            Cooling: those that may serve asked to be left alone.
            NoEndpointError: the constraints leave none.
        """
        with self._lock:
            ranked = self._pick(options, tried, now)
            state = self._states[ranked.name]
            trial = state.availability(now) is Availability.TRIAL
            state.in_flight += 1
            state.trial = state.trial or trial
            again = ranked.name in tried
            return Choice(ranked, self._ranking, again, trial, state, self)

    def has_fresh(self, options: Options, *, tried: Collection[str], now: float) -> bool:
        """Return whether a healthy endpoint is left that this request has not tried."""
        with self._lock:
            return any(
                ranked.name not in tried
                and allows(options, ranked.endpoint)
                and self._states[ranked.name].availability(now) is Availability.READY
                for ranked in self._ranking
            )

    def soonest(self, options: Options, *, now: float) -> float:
        """Return the seconds until an endpoint that may serve has not asked to be left alone."""
        with self._lock:
            waits = (
                state.cooling_until - now
                for state in self._states.values()
                if not state.drained and allows(options, state.endpoint)
            )
            return max(0.0, min(waits, default=0.0))

    def _pick(self, options: Options, tried: Collection[str], now: float) -> Ranked:
        best: Ranked | None = None
        best_class = 4
        cooling: list[float] = []
        allowed = False
        for ranked in self._ranking:
            if not allows(options, ranked.endpoint):
                continue
            allowed = True
            state = self._states[ranked.name]
            available = state.availability(now)
            if available is Availability.COOLING:
                cooling.append(state.cooling_until)
            if available in {Availability.COOLING, Availability.DRAINED}:
                continue
            ready = available in {Availability.READY, Availability.TRIAL}
            rank = (0 if ready else 2) + (ranked.name in tried)
            if rank < best_class:
                best, best_class = ranked, rank
            if rank == 0:
                break
        if best is not None:
            return best
        if cooling:
            raise Cooling(min(cooling))
        raise NoEndpointError(nothing_left(options, drained=allowed))

    def take_back(self, choice: Choice) -> None:
        """Do what `Choice.give_back` says."""
        with self._lock:
            if choice.held:
                choice.held = False
                choice.state.in_flight -= 1
                _end_trial(choice)

    # -- learning

    def answered(self, choice: Choice, elapsed: float, *, now: float) -> None:
        """Take an answer that speaks for the endpoint, `elapsed` seconds after sending."""
        state = choice.state
        with self._lock:
            _end_trial(choice)
            was = state.cause
            state.succeeded(elapsed, now=now)
            if was is not None or now - self._ranked_at >= RERANK_EVERY:
                self._learnt(state, was, now)

    def failed(self, choice: Choice, words: str, *, reached: bool, now: float) -> None:
        """Take a failure that counts against the endpoint."""
        state = choice.state
        with self._lock:
            _end_trial(choice)
            was = state.cause
            state.failed(
                words,
                reached=reached,
                trial=choice.trial,
                now=now,
                failover=self._failover,
                chance=self._chance,
            )
            self._learnt(state, was, now)

    def cool(self, choice: Choice, seconds: float, *, now: float) -> None:
        """Leave the endpoint alone for `seconds`, because it said so."""
        with self._lock:
            choice.state.cool(now + seconds)
            self._rerank(now)

    def probed(self, name: str, *, connect: float, warm: float, now: float) -> None:
        """Take a probe's figures in seconds."""
        with self._lock:
            if (state := self._states.get(name)) is not None:
                was = state.cause
                state.probed(connect=connect, warm=warm)
                self._learnt(state, was, now)

    def probe_failed(self, name: str, words: str, *, reached: bool = False, now: float) -> None:
        """Take a probe's failure; `reached` tells whether the server answered at all."""
        with self._lock:
            if (state := self._states.get(name)) is not None:
                was = state.cause
                state.probe_failed(
                    words, reached=reached, now=now, failover=self._failover, chance=self._chance
                )
                self._learnt(state, was, now)

    def set_skew(self, name: str, skew: float | None) -> None:
        """Take by how many seconds an endpoint's clock is off, or None once it is not."""
        with self._lock:
            if (state := self._states.get(name)) is not None:
                rare = self._ranked_at - state.skew_told >= SKEW_TOLD_EVERY
                if state.skew is None and skew is not None and rare:
                    state.skew_told = self._ranked_at
                    self._note(f"the clock of {name} is {off(skew)}")
                state.skew = skew
                self._rerank(self._ranked_at)

    def _learnt(self, state: State, was: str | None, now: float) -> None:
        self._rerank(now)
        name = state.endpoint.name
        if was is None and state.cause is not None:
            left_out = state.ejected_until - now
            self._note(f"{name} is left out for {left_out:.1f} s: {state.trouble}")
        elif was is not None and state.cause is None:
            self._note(f"{name} serves again")

    # -- reading

    def ranking(self, now: float) -> tuple[Ranked, ...]:
        """Return all endpoints, best first, as of `now`."""
        with self._lock:
            self._rerank(now)
            return self._ranking

    def in_flight(self) -> dict[str, int]:
        """Return how many attempts are under way at each endpoint."""
        with self._lock:
            return {name: state.in_flight for name, state in self._states.items()}

    def probe_views(self) -> dict[str, tuple[Endpoint, ProbeView]]:
        """Return what the probe schedule has to know, best endpoint first."""
        with self._lock:
            ranking = self._ranking
            best = ranking[0].cost if ranking else 0.0
            return {ranked.name: (ranked.endpoint, self._view(ranked, best)) for ranked in ranking}

    def _view(self, ranked: Ranked, best: float) -> ProbeView:
        state = self._states[ranked.name]
        return ProbeView(
            samples=state.estimate.samples,
            cost=ranked.cost,
            sd=state.estimate.sd,
            best=best,
            down=state.cause is not None or state.probe_failures > 0,
            population=len(self._states),
        )

    def _rerank(self, now: float) -> None:
        extras = [state.extra_service(now) for state in self._states.values()]
        total = sum(weight for _, weight in extras)
        typical = sum(extra * weight for extra, weight in extras) / total if total > 0 else 0.0
        current = self._ranking[0].name if self._ranking else None
        rows = (state.ranked(typical, now) for state in self._states.values())
        self._ranking = order(rows, current=current)
        self._ranked_at = now


def _end_trial(choice: Choice) -> None:
    """Free the trial at its verdict, not at the end of a body that may stream for hours."""
    if choice.trial and choice.undecided:
        choice.undecided = False
        choice.state.trial = False


def _without_attempts(state: State) -> State:
    """Return a copy: what the parent's Choices still give back falls on the original."""
    own = copy.copy(state)
    own.in_flight, own.trial = 0, False
    return own
