"""EndpointPool: the one owner of endpoint state.

Rule 1: every change happens here, under one lock that is held for arithmetic only.
Rule 2: a choice compares a few prices that are ready (`slate`); evidence is worked in when it
        arrives, and the order of many endpoints off the path of a request (`rerank`).
Rule 3: the pool counts in the `now` of its callers, and what comes without one counts as of the
        last. Only the end of a body, which comes from anywhere, is read from a clock.
Rule 4: a failure is an endpoint's own until it shows that all have it (`domains`).
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from router.balance.affinity import Affinity
from router.balance.choice import RETURNED, Choice, Cooling
from router.balance.constraints import nothing_left
from router.balance.domains import Domains
from router.balance.health import Availability, Standing
from router.balance.host import Host
from router.balance.ranking import off, order
from router.balance.resort import considered
from router.balance.roster import Roster
from router.balance.slate import REFRESH_EVERY, by_tier_and_cost
from router.errors import ConfigError, OptionsError
from router.options import NO_OPTIONS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Collection, Mapping

    from router.balance.decision import Decision, Why
    from router.balance.ranking import Ranked
    from router.balance.slate import Slate
    from router.balance.state import State
    from router.config.settings import Failover
    from router.endpoint import Endpoint
    from router.geo.prior import Prior
    from router.latency.schedule import ProbeView
    from router.options import Options

__all__ = ["Choice", "Cooling", "EndpointPool"]

FAULT_TOLD_EVERY = 60.0
MOST_TROUBLED = 1000
NOBODY: frozenset[str] = frozenset()


class EndpointPool:
    """Chooses endpoints and learns from what became of the choice."""

    def __init__(
        self,
        endpoints: Mapping[str, tuple[Endpoint, Prior]],
        failover: Failover,
        *,
        chance: random.Random,
        note: Callable[[str], None] = lambda _: None,
        allow: Options = NO_OPTIONS,
        clock: Callable[[], float] = time.monotonic,
        busy: Callable[[], float] = time.process_time,
    ) -> None:
        """Take endpoints with their priors.

        Args:
            endpoints: by name.
            failover: when an endpoint is ejected.
            chance: the jitter of ejections.
            note: hears of ejections and returns, and is quick.
            allow: constraints that hold for every request.
            clock: tells when a body ended; all else comes with its instant.
            busy: seconds that this process has computed.
        """
        self._clock = clock
        self._chance = chance
        self._note = note
        self._failover = failover
        self._host = Host(busy)
        self._roster = Roster(self._host)
        self._affinity = Affinity()
        self._domains = Domains()
        self._fault_told = -math.inf
        self.troubled: deque[str] = deque(maxlen=MOST_TROUBLED)
        """Endpoints that went out, came back or asked to be left alone, for who tells others."""
        self._now = 0.0
        self._lock = threading.RLock()  # a forgotten lease may come back while it is held
        self.update(endpoints, failover, allow=allow)

    def reset_after_fork(self) -> None:
        """Take a lock of one's own, and forget what the parent's threads have under way."""
        self._lock = threading.RLock()
        states = self._roster.states.items()
        self._roster.adopt({name: state.copied() for name, state in states}, self._now)

    # -- which endpoints there are

    def update(
        self,
        endpoints: Mapping[str, tuple[Endpoint, Prior]],
        failover: Failover,
        *,
        allow: Options = NO_OPTIONS,
    ) -> None:
        """Take a new set; an endpoint that stays the same keeps what was learnt about it."""
        with self._lock:
            self._failover = failover
            self._domains = Domains()
            self._roster.update(endpoints, allow, self._now)

    def place(self, name: str, prior: Prior) -> None:
        """Take a better prior for an endpoint; its samples stay."""
        with self._lock:
            if (state := self._roster.states.get(name)) is not None:
                state.place(prior)
                state.reprice(self._now, self._roster.typical)

    def set_drained(self, name: str, *, drained: bool) -> None:
        """Send nothing new to an endpoint, or send again.

        Raises:
            ConfigError: no endpoint has that name.
        """
        with self._lock:
            if name not in self._roster.states:
                raise ConfigError(f"no endpoint is named {name}: see rank() for the names")
            self._roster.states[name].drained = drained
            self._roster.touch()

    def check(self, options: Options) -> None:
        """Raise OptionsError where a request names what no endpoint has."""
        if options.constrained:
            unknown = self._roster.vocabulary.unknown(
                regions=options.regions, tags=options.tags, tiers=options.tiers
            )
            for _, problem in unknown:
                raise OptionsError(problem)

    # -- choosing

    def choose(
        self, options: Options, tried: Collection[str], now: float, within: float = math.inf
    ) -> Choice:
        """Take the best endpoint that may serve the request now.

        Args:
            options: the request's constraints and its affinity.
            tried: names of endpoints that the request has been to: they come last.
            now: monotonic seconds.
            within: seconds that are left; who cannot answer in that time is left out.

        Raises:
            Cooling: those that may serve asked to be left alone, or are at their own limits.
            NoEndpointError: the constraints leave none.
            DeadlineError: none is near enough for the time that is left.
        """
        with self._lock:
            self._now = now
            slate = self._roster.everybody
            if options.constrained or now >= slate.fresh_until:
                slate = self._roster.slate(options, now)
            state, why = slate.pick(), slate.why
            if (
                tried
                or state is None
                or options.affinity is not None
                or state.least_rtt > within
                or (state.cap is not None and not state.has_room(options, now))
            ):
                state, why = self._considered(slate, state, options, tried, now=now, within=within)
            if options.affinity is not None:
                self._affinity.pin(options.affinity, state)
            before = frozenset(tried) if tried else NOBODY  # the request goes on, a decision stays
            choice = Choice(state, self, (slate.standing, slate.prices, before, why, within))
            if state.health.cause is not None and self._begins_trial(state, now):
                choice.trial = choice.undecided = True
            if state.cap is not None:
                choice.capped = state.cap, state.cap.take(options, now)
            state.sent(choice, now)
            return choice

    def runner_up(self, *, now: float) -> Endpoint | None:
        """Return where a request would go if the one that it goes to now were gone; None: nowhere.

        Nothing is taken, nothing is learnt.
        """
        with self._lock:
            slate = self._roster.slate(NO_OPTIONS, now)
            best = slate.favourite
            if best is None:
                return None
            state = slate.pick_among((best.endpoint.name,), within=math.inf)
            return None if state is None else state.endpoint

    def explain(self, options: Options, *, now: float, within: float = math.inf) -> Decision:
        """Return what `choose` would decide for a new request; nothing is taken, nothing is learnt.

        Raises:
            Cooling, NoEndpointError, DeadlineError: as `choose`.
        """
        with self._lock:
            slate = self._roster.slate(options, now)
            best = slate.pick()
            state, why = self._considered(slate, best, options, (), now=now, within=within)
            choice = Choice(state, self, (slate.standing, slate.prices, (), why, within))
            choice.sent = now
            choice.trial = state.availability(now) is Availability.TRIAL
            return choice.decision()

    def _considered(
        self,
        slate: Slate,
        best: State | None,
        options: Options,
        tried: Collection[str],
        *,
        now: float,
        within: float,
    ) -> tuple[State, Why]:
        """Choose where more than the price has a say."""
        pinned, roster = None, self._roster
        if options.affinity is not None:
            pinned = roster.states.get(self._affinity.endpoint(options.affinity) or "")
        return considered(
            slate,
            best,
            pinned,
            tried,
            now=now,
            within=within,
            options=options,
            otherwise=lambda drained: nothing_left(options, drained=drained, allow=roster.allow),
        )

    def _begins_trial(self, state: State, now: float) -> bool:
        begins = state.availability(now) is Availability.TRIAL
        if begins:
            state.health.trial = True
            self._roster.touch()
        return begins

    def has_fresh(self, options: Options, *, tried: Collection[str], now: float) -> bool:
        """Return whether a healthy endpoint is left that this request has not tried."""
        with self._lock:
            return any(
                state.endpoint.name not in tried
                and state.availability(now) is Availability.READY
                and state.has_room(options, now)
                for state in self._roster.slate(options, now).members
            )

    def soonest(self, options: Options, *, now: float) -> float:
        """Return the seconds until an endpoint that may serve has not asked to be left alone."""
        with self._lock:
            waits = (
                state.cooling_until - now
                for state in self._roster.slate(options, now).members
                if not state.drained
            )
            return max(0.0, min(waits, default=0.0))

    @property
    def all_fail(self) -> bool:
        """Whether every endpoint failed alike, and none has answered since."""
        return self._domains.common is not None

    def all_cool_until(self, now: float) -> float:
        """Return when the first endpoint may be asked, if all asked to be left alone; else -inf."""
        with self._lock:
            until = math.inf
            for state in self._roster.states.values():
                if state.drained:
                    continue
                if state.cooling_until <= now:
                    return -math.inf
                until = min(until, state.cooling_until)
            return until if until < math.inf else -math.inf

    def cancel(self, choice: Choice) -> None:
        """Do what `Choice.cancel` says."""
        with self._lock:
            if choice.capped is not None:
                (cap, taken), choice.capped = choice.capped, None
                cap.cancel(taken, self._clock())
            self._end_trial(choice)  # nothing was tried, so the next one need not wait
            self.take_back(choice)

    def take_back(self, choice: Choice) -> None:
        """Do what `Choice.give_back` says."""
        with self._lock:
            if choice.held:
                now = self._clock()
                choice.state.ended(choice, now)
                choice.held = RETURNED
                if choice.trial and choice.undecided:
                    choice.state.health.put_off(now)
                    self._end_trial(choice)

    # -- learning

    def heard(self, choice: Choice) -> None:
        """Note that something came back which says neither that it works nor that it does not."""
        with self._lock:
            choice.state.heard(choice)

    def answered(self, choice: Choice, elapsed: float, *, now: float, typical: bool = True) -> None:
        """Take an answer that speaks for the endpoint, `elapsed` seconds after sending.

        `typical` tells whether it says how long requests take: one that was refused does not.
        """
        state = choice.state
        with self._lock:
            if choice.trial:
                self._end_trial(choice)
            was = state.health.cause
            state.answered(choice, elapsed, now=now, typical=typical)
            if self._domains.blames:
                self._domains.answered()
            if was is None and now - state.priced < REFRESH_EVERY and state.can_wait:
                state.restless, state.row = True, None  # so it is priced anew within that time
            else:
                self._learnt(state, was, now)

    def failed(self, choice: Choice, words: str, *, reached: bool, now: float) -> None:
        """Take a failure that counts against the endpoint, unless everybody fails so."""
        state = choice.state
        with self._lock:
            self._end_trial(choice)
            self._host.look()
            was = state.health.cause
            state.failed(
                choice,
                words,
                reached=reached,
                now=now,
                failover=self._failover,
                chance=self._chance,
            )
            self._learnt(state, was, now)
            self._roster.touch()  # so that the next decision tells of the risk
            if self._roster.states.get(state.endpoint.name) is state:
                self._excuse_common(state, words, now)

    def _excuse_common(self, state: State, words: str, now: float) -> None:
        """Absolve everybody, if now everybody failed alike."""
        told = self._domains.common
        population = self._roster.everybody.present()
        alike = self._domains.failed(state.endpoint.name, words, population=population)
        for name, count in alike.items():
            for _ in range(count):
                self._absolve(self._roster.states.get(name), now, everybody=self._domains.everybody)
        if alike and told is None and now - self._fault_told >= FAULT_TOLD_EVERY:
            self._fault_told = now
            self._note(f"every endpoint fails alike, so none is left out for it: {words}")

    def absolve(self, choice: Choice, *, now: float) -> None:
        """Take back a failure that was not the endpoint's own: its request failed everywhere."""
        with self._lock:
            if self._domains.common is None:  # else it was taken back already
                self._absolve(choice.state, now, everybody=False)

    def _absolve(self, state: State | None, now: float, *, everybody: bool) -> None:
        if state is not None:
            was = state.health.cause
            state.absolve(now=now, failover=self._failover, everybody=everybody)
            self._learnt(state, was, now, quietly=True)

    def cool(self, choice: Choice, seconds: float, *, now: float) -> None:
        """Leave the endpoint alone for `seconds`, because it said so."""
        with self._lock:
            choice.state.cool(now + seconds)
            self._roster.touch()
            self.troubled.append(choice.state.endpoint.name)

    def refused(self, choice: Choice) -> int:
        """Note that it asked for fewer requests; return how often before, since its last answer."""
        with self._lock:
            before, choice.state.refusals = choice.state.refusals, choice.state.refusals + 1
            return before

    def probed(self, name: str, *, connect: float, warm: float, now: float) -> None:
        """Take a probe's figures in seconds."""
        with self._lock:
            if (state := self._roster.states.get(name)) is not None:
                was = state.health.cause
                state.probed(connect=connect, warm=warm, now=now)
                self._learnt(state, was, now)

    def probe_failed(self, name: str, words: str, *, reached: bool = False, now: float) -> None:
        """Take a probe's failure; `reached` tells whether the server answered at all."""
        with self._lock:
            if (state := self._roster.states.get(name)) is not None:
                was = state.health.cause
                state.health.probe_failed(
                    words,
                    reached=reached,
                    suspected=state.suspect(now),
                    now=now,
                    failover=self._failover,
                    chance=self._chance,
                )
                self._learnt(state, was, now)

    # -- hearsay

    def standing(self, name: str) -> Standing | None:
        """Return what is known here of an endpoint, for who tells others."""
        with self._lock:
            state = self._roster.states.get(name)
            if state is None:
                return None
            health = state.health
            out = -math.inf if health.cause is None else health.ejected_until
            return Standing(out, state.cooling_until, health.success_at, health.failures)

    def told_out(self, name: str, words: str, *, until: float, now: float) -> None:
        """Leave an endpoint out until then because others do; a probe or a trial ends it."""
        with self._lock:
            if (state := self._roster.states.get(name)) is not None and state.health.cause is None:
                state.health.told(words, until=until, now=now)
                self._learnt(state, None, now)

    def told_back(self, name: str, *, now: float) -> None:
        """Take back an ejection that rests on what others said, and on nothing else."""
        with self._lock:
            if (state := self._roster.states.get(name)) is not None and state.health.hearsay:
                state.health.recover(now)
                self._learnt(state, "unreachable", now)

    def told_cool(self, name: str, *, until: float) -> None:
        """Leave an endpoint alone until then because it asked others to."""
        with self._lock:
            if (state := self._roster.states.get(name)) is not None:
                state.cool(until)
                self._roster.touch()

    def set_skew(self, name: str, skew: float | None) -> None:
        """Take by how many seconds an endpoint's clock is off, or None once it is not."""
        with self._lock:
            state = self._roster.states.get(name)
            if state is not None and state.set_skew(skew, self._now):
                self._note(f"the clock of {name} is {off(skew or 0.0)}")

    def _end_trial(self, choice: Choice) -> None:
        """Free the trial at its verdict, not at the end of a body that may stream for hours."""
        if choice.trial and choice.undecided:
            choice.undecided = False
            choice.state.health.trial = False
            self._roster.touch()

    def _learnt(self, state: State, was: str | None, now: float, *, quietly: bool = False) -> None:
        state.reprice(now, self._roster.typical)
        self._roster.learnt(state)
        health, name = state.health, state.endpoint.name
        if (was is None) is (health.cause is None):
            return
        self._roster.touch()
        self.troubled.append(name)
        if quietly:
            return
        if health.cause is None:
            self._note(f"{name} serves again")
        else:
            left_out = health.ejected_until - now
            self._note(f"{name} is left out for {left_out:.1f} s: {health.trouble}")

    def rerank(self, now: float) -> None:
        """Sort many endpoints anew, off the path of requests; the lock is let go in between."""
        self._roster.rerank(self._lock, now)

    # -- reading

    def ranking(self, now: float) -> tuple[Ranked, ...]:
        """Return all endpoints, best first, as of `now`."""
        with self._lock:
            self._now = now
            slate = self._roster.slate(NO_OPTIONS, now)
            for state in self._roster.states.values():
                state.reprice(now, self._roster.typical)
            rows = [state.ranked(now) for state in self._roster.states.values()]
            favourite = slate.favourite
            allowed = {state.endpoint.name for state in slate.members}
        rows = [row if row.name in allowed else replace(row, allowed=False) for row in rows]
        return order(rows, favourite=None if favourite is None else favourite.endpoint.name)

    @property
    def several(self) -> bool:
        """Whether a request has more than one endpoint to go to."""
        return len(self._roster.states) > 1

    def names(self) -> tuple[str, ...]:
        """Return the names of all endpoints that any request may use."""
        with self._lock:
            return tuple(state.endpoint.name for state in self._roster.everybody.members)

    def endpoint(self, name: str) -> Endpoint | None:
        """Return the endpoint of that name, if there is one."""
        state = self._roster.states.get(name)
        return None if state is None else state.endpoint

    def endpoints(self) -> list[Endpoint]:
        """Return all endpoints, best first."""
        with self._lock:
            return [s.endpoint for s in sorted(self._roster.states.values(), key=by_tier_and_cost)]

    def probe_views(self, now: float) -> dict[str, ProbeView]:
        """Return what the probe schedule has to know of those worth a look, the best first."""
        with self._lock:
            return self._roster.probe_views(now)

    def in_flight(self) -> dict[str, int]:
        """Return how many attempts are under way at each endpoint."""
        with self._lock:
            return {name: state.in_flight for name, state in self._roster.states.items()}
