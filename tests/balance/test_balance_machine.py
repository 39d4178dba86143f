"""The pool under any order of events, and under eight threads at once."""

from __future__ import annotations

import json
import math
import random
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from balance_samples import FAILOVER, START, endpoint, placed, pool_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from router.balance.constraints import why_not
from router.balance.decision import Why
from router.balance.pool import Choice, Cooling, EndpointPool
from router.errors import DeadlineError, NoEndpointError
from router.options import NO_OPTIONS, Options
from router.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Collection

    from router.balance.state import State
    from router.endpoint import Endpoint

ENDPOINTS = (
    endpoint("a", tags=("eu",)),
    endpoint("b", tags=("eu", "gpu"), tier=2),
    endpoint("c", weight=3.0),
    endpoint("d", tags=("gpu",)),
    endpoint("e", tags=("eu",), tier=3),
)
NAMES = st.sampled_from("abcde")
OPTIONS = st.builds(
    Options,
    regions=st.none() | st.sets(NAMES, max_size=3),
    tags=st.none() | st.sets(st.sampled_from(["eu", "gpu"])),
    tiers=st.none() | st.sets(st.integers(1, 3)),
    affinity=st.none() | st.sampled_from(["chat", "talk"]),
)
ALLOW = st.sampled_from([NO_OPTIONS, NO_OPTIONS, Options(tags="eu"), Options(tiers=[1, 2])])
ENDS = st.sampled_from(["answer", "failure", "lost", "absolved", "cancelled"])


class PoolMachine(RuleBasedStateMachine):
    """Requests come, answer, fail, are cancelled; probes, drains and reloads happen in between."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.clock = FakeClock(START)
        self.pool = pool_of(*ENDPOINTS, clock=self.clock)
        self.here: dict[str, Endpoint] = {e.name: e for e in ENDPOINTS}
        self.allow = NO_OPTIONS
        self.held: list[Choice] = []
        self.shut: dict[str, float] = {}
        self.drained: set[str] = set()
        self.pins: dict[str, str] = {}

    @property
    def states(self) -> dict[str, State]:
        return self.pool._roster.states

    def is_current(self, choice: Choice) -> bool:
        """Return whether its endpoint is still there, and not another one of that name."""
        return self.states.get(choice.endpoint.name) is choice.state

    def open(self, options: Options) -> set[str]:
        """Return who may be asked: allowed, not drained, not cooling."""
        return {
            name
            for name, e in self.here.items()
            if why_not(options, e) is None
            and why_not(self.allow, e) is None
            and name not in self.drained
            and self.shut.get(name, 0) <= self.now
        }

    # -- requests

    @rule(
        options=OPTIONS,
        tried=st.sets(NAMES),
        within=st.just(math.inf) | st.floats(0.001, 3),
        count=st.sampled_from([1, 1, 1, 30]),
    )
    def choose(self, options: Options, tried: set[str], within: float, count: int) -> None:
        for _ in range(count):
            self.choose_one(options, tried, within)

    def choose_one(self, options: Options, tried: Collection[str], within: float) -> None:
        candidates = self.open(options)
        try:
            choice = self.pool.choose(options, tried=tried, now=self.now, within=within)
        except (Cooling, NoEndpointError):
            assert not candidates, f"{candidates} could serve"
            return
        except DeadlineError:
            assert candidates
            assert all(self.states[name].least_rtt > within for name in candidates)
            return
        self.held.append(choice)
        self.check_choice(choice, candidates, within)
        self.check_affinity(choice, options.affinity)
        fresh = self.pool.has_fresh(options, tried=tried, now=self.now)
        assert not (fresh and choice.again and within == math.inf), "somebody untried was well"

    def check_choice(self, choice: Choice, candidates: set[str], within: float) -> None:
        name = choice.endpoint.name
        assert name in candidates
        assert choice.state.least_rtt <= within
        assert choice.price > 0
        data = json.loads(json.dumps(choice.decision().as_dict(), allow_nan=False))
        assert data["endpoint"] == choice.decision().chosen.name == name
        assert name not in data["outside"]

    def check_affinity(self, choice: Choice, key: str | None) -> None:
        pinned = choice.decision().why is Why.PINNED
        if key is None:
            assert not pinned
        else:
            assert self.pins.get(key) == choice.endpoint.name or not pinned
            self.pins[key] = choice.endpoint.name

    @precondition(lambda self: self.held)
    @rule(data=st.data(), ends=ENDS)
    def end(self, data: st.DataObject, ends: str) -> None:
        choice = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        if ends == "answer":
            self.pool.answered(choice, data.draw(st.floats(0, 10)), now=self.now)
        elif ends != "cancelled":
            words = data.draw(st.sampled_from(["refused", "reset"]))
            self.pool.failed(choice, words, reached=ends == "failure", now=self.now)
        if ends == "absolved":
            self.pool.absolve(choice, now=self.now)
        for _ in range(data.draw(st.integers(1, 2))):
            choice.give_back()

    @rule(names=st.sets(NAMES, min_size=1), reached=st.booleans())
    def outage(self, names: set[str], *, reached: bool) -> None:
        """Have each fail in a way of its own, for as long as it takes."""
        for name in names & self.open(NO_OPTIONS):
            for _ in range(FAILOVER.eject_after):
                choice = self.pool.choose(Options(regions=name), tried=(), now=self.now)
                self.pool.failed(choice, f"{name} fails", reached=reached, now=self.now)
                choice.give_back()
            assert self.states[name].health.cause is not None

    @precondition(lambda self: self.held)
    @rule(data=st.data(), seconds=st.floats(0, 60))
    def cool(self, data: st.DataObject, seconds: float) -> None:
        choice = data.draw(st.sampled_from(self.held))
        self.pool.cool(choice, seconds, now=self.now)
        if self.is_current(choice):
            name = choice.endpoint.name
            self.shut[name] = max(self.shut.get(name, 0), self.now + seconds)

    # -- everything else

    @rule(name=NAMES, drained=st.booleans())
    def drain(self, name: str, *, drained: bool) -> None:
        if name in self.here:
            self.pool.set_drained(name, drained=drained)
            (self.drained.add if drained else self.drained.discard)(name)

    @rule(name=NAMES, rtt=st.floats(1e-5, 2) | st.none(), times=st.sampled_from([1, 3]))
    def probe(self, name: str, rtt: float | None, times: int) -> None:
        for _ in range(times):
            if rtt is None:
                self.pool.probe_failed(name, "refused", now=self.now)
            else:
                self.pool.probed(name, connect=rtt, warm=rtt * 2, now=self.now)

    @rule(seconds=st.sampled_from([0.01, 1.0, 7.0, 20.0]) | st.floats(0, 400))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.clock.advance(seconds)

    @rule(gone=NAMES, allow=ALLOW)
    def reload(self, gone: str, allow: Options) -> None:
        self.allow = allow
        self.pool.update(placed(*(e for e in ENDPOINTS if e.name != gone)), FAILOVER, allow=allow)
        self.here = {e.name: e for e in ENDPOINTS if e.name != gone}
        self.shut = {name: until for name, until in self.shut.items() if name in self.here}
        self.drained &= self.here.keys()

    @rule()
    def fork(self) -> None:
        self.pool.reset_after_fork()

    @invariant()
    def in_flight_is_what_is_held(self) -> None:
        held = Counter(c.endpoint.name for c in self.held if self.is_current(c))
        assert self.pool.in_flight() == {name: held[name] for name in self.here}

    @invariant()
    def at_most_one_trial_is_under_way(self) -> None:
        trials = Counter(c.state for c in self.held if c.trial and c.undecided)
        assert all(count == 1 for count in trials.values())
        for state in self.states.values():
            assert state.health.trial == (trials[state] == 1)

    @invariant()
    def prices_are_what_a_request_costs_and_the_board_shows_them(self) -> None:
        for slate in self.pool._roster:
            assert not {*slate.first} & {*slate.second}
            assert all(state.price > 0 for state in slate.members)
        everybody = self.pool._roster.everybody
        assert everybody._board == [state.price for state in everybody.first]

    @invariant()
    def the_ranking_holds_everybody(self) -> None:
        ranking = self.pool.ranking(self.now)
        assert {ranked.name for ranked in ranking} == self.here.keys()
        assert all(ranked.cost > 0 for ranked in ranking)

    def teardown(self) -> None:
        for choice in self.held:
            choice.give_back()
        assert set(self.pool.in_flight().values()) <= {0}


TestPoolMachine = pytest.mark.untraced(PoolMachine.TestCase)
TestPoolMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


THREADS, ROUNDS = 8, 1500


def work(pool: EndpointPool, seed: int, seen: list[Counter[str]]) -> None:
    """Send requests that answer, fail, are asked to wait, or are cancelled."""
    chance, ends = random.Random(seed), Counter[str]()
    for step in range(ROUNDS):
        now = START + step / 100
        options = Options(tags=chance.choice([None, "eu"]), affinity=chance.choice([None, "chat"]))
        try:
            choice = pool.choose(options, tried=(), now=now)
        except Cooling:
            ends["cooling"] += 1
            continue
        end = chance.choice(["answered", "answered", "failed", "cancelled", "cooled"])
        if end == "answered":
            pool.answered(choice, 0.01, now=now)
        elif end == "failed":
            pool.failed(choice, "failed", reached=True, now=now)
        elif end == "cooled":
            pool.cool(choice, 0.001, now=now)
        choice.give_back()
        ends[end] += 1
    seen.append(ends)


@pytest.mark.untraced
def test_eight_threads_lose_no_count() -> None:
    pool = pool_of(endpoint("a", tags=("eu",)), endpoint("b", tags=("eu",)), "c")
    seen: list[Counter[str]] = []
    threads = [threading.Thread(target=work, args=(pool, n, seen)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = sum(seen, Counter[str]())
    assert sum(total.values()) == THREADS * ROUNDS
    assert pool.in_flight() == {"a": 0, "b": 0, "c": 0}
    states = pool._roster.states.values()
    assert sum(state.answers for state in states) == total["answered"] > 0
    assert sum(state.errors for state in states) == total["failed"] > 0
    assert not any(state.health.trial for state in states)
    assert not any(state.load.ahead for state in states if state.load is not None)


@pytest.mark.untraced
def test_many_endpoints_are_sorted_while_eight_threads_choose() -> None:
    many = [endpoint(f"e{n:03}", tags=("eu",) * (n % 2)) for n in range(200)]
    pool, seen = pool_of(*many), list[Counter[str]]()
    threads = [threading.Thread(target=work, args=(pool, n, seen)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        pool.rerank(START)
    for thread in threads:
        thread.join()
    assert len(seen) == THREADS
    assert not any(pool.in_flight().values())
