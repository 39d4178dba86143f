"""The pool under any order of events, and under eight threads at once."""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import TYPE_CHECKING

from balance_samples import START, endpoint, placed, pool_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from router.balance.constraints import allows
from router.balance.pool import Choice, Cooling, EndpointPool
from router.config.settings import Failover
from router.errors import NoEndpointError
from router.options import Options

if TYPE_CHECKING:
    from router.endpoint import Endpoint

ENDPOINTS = (
    endpoint("a", tags=("eu",)),
    endpoint("b", tags=("eu", "gpu"), tier=2),
    endpoint("c", weight=3.0),
    endpoint("d", tags=("gpu",)),
)
NAMES = st.sampled_from("abcd")
OPTIONS = st.builds(
    Options,
    regions=st.none() | st.sets(NAMES, max_size=3),
    tags=st.none() | st.sets(st.sampled_from(["eu", "gpu"])),
    tiers=st.none() | st.sets(st.integers(1, 2)),
)


class PoolMachine(RuleBasedStateMachine):
    """Requests come, answer, fail, are cancelled; probes, drains and reloads happen in between."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.pool = pool_of(*ENDPOINTS)
        self.here: dict[str, Endpoint] = {e.name: e for e in ENDPOINTS}
        self.held: list[Choice] = []
        self.shut: dict[str, float] = {}
        self.drained: set[str] = set()

    def open(self, options: Options) -> set[str]:
        """Return who may be asked: allowed, not drained, not cooling."""
        return {
            name
            for name, e in self.here.items()
            if allows(options, e)
            and name not in self.drained
            and self.shut.get(name, 0) <= self.now
        }

    @rule(options=OPTIONS, tried=st.sets(NAMES))
    def choose(self, options: Options, tried: set[str]) -> None:
        candidates = self.open(options)
        try:
            choice = self.pool.choose(options, tried=tried, now=self.now)
        except (Cooling, NoEndpointError):
            assert not candidates, f"{candidates} could serve"
        else:
            assert choice.endpoint.name in candidates
            assert choice.again == (choice.endpoint.name in tried)
            fresh = self.pool.has_fresh(options, tried=tried, now=self.now)
            assert not (fresh and choice.again), "somebody untried was well"
            self.held.append(choice)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), ends=st.sampled_from(["answer", "failure", "lost", "cancelled"]))
    def end(self, data: st.DataObject, ends: str) -> None:
        choice = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        if ends == "answer":
            self.pool.answered(choice, data.draw(st.floats(0, 10)), now=self.now)
        elif ends != "cancelled":
            self.pool.failed(choice, "failed", reached=ends == "failure", now=self.now)
        for _ in range(data.draw(st.integers(1, 2))):
            choice.give_back()

    @precondition(lambda self: self.held)
    @rule(data=st.data(), seconds=st.floats(0, 60))
    def cool(self, data: st.DataObject, seconds: float) -> None:
        choice = data.draw(st.sampled_from(self.held))
        self.pool.cool(choice, seconds, now=self.now)
        name = choice.endpoint.name
        if name in self.here:
            self.shut[name] = max(self.shut.get(name, 0), self.now + seconds)

    @rule(name=NAMES, drained=st.booleans())
    def drain(self, name: str, *, drained: bool) -> None:
        if name in self.here:
            self.pool.set_drained(name, drained=drained)
            (self.drained.add if drained else self.drained.discard)(name)

    @rule(name=NAMES, rtt=st.floats(1e-5, 2) | st.none())
    def probe(self, name: str, rtt: float | None) -> None:
        if rtt is None:
            self.pool.probe_failed(name, "refused", now=self.now)
        else:
            self.pool.probed(name, connect=rtt, warm=rtt * 2, now=self.now)

    @rule(seconds=st.floats(0, 400))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(
        lambda self: not self.held
    )  # who is gone is counted by nobody, see test_balance_pool
    @rule(gone=NAMES)
    def reload(self, gone: str) -> None:
        self.pool.update(placed(*(e for e in ENDPOINTS if e.name != gone)), Failover())
        self.here = {e.name: e for e in ENDPOINTS if e.name != gone}
        self.shut = {name: until for name, until in self.shut.items() if name in self.here}
        self.drained &= self.here.keys()

    @invariant()
    def in_flight_is_what_is_held(self) -> None:
        held = Counter(choice.endpoint.name for choice in self.held)
        assert self.pool.in_flight() == {name: held[name] for name in self.here}

    @invariant()
    def at_most_one_trial_is_under_way(self) -> None:
        trials = Counter(c.endpoint.name for c in self.held if c.trial and c.undecided)
        assert all(count == 1 for count in trials.values())

    @invariant()
    def the_ranking_holds_everybody(self) -> None:
        ranking = self.pool.ranking(self.now)
        assert {ranked.name for ranked in ranking} == self.here.keys()
        assert all(ranked.cost > 0 for ranked in ranking)

    def teardown(self) -> None:
        for choice in self.held:
            choice.give_back()
        assert set(self.pool.in_flight().values()) == {0}


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


THREADS, ROUNDS = 8, 1500


def work(pool: EndpointPool, seed: int, seen: list[Counter[str]]) -> None:
    """Send requests that answer, fail, are asked to wait, or are cancelled."""
    chance, ends = random.Random(seed), Counter[str]()
    for step in range(ROUNDS):
        now = START + step / 100
        try:
            choice = pool.choose(Options(), tried=(), now=now)
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


def test_eight_threads_lose_no_count() -> None:
    pool = pool_of("a", "b", "c")
    seen: list[Counter[str]] = []
    threads = [threading.Thread(target=work, args=(pool, n, seen)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = sum(seen, Counter[str]())
    assert sum(total.values()) == THREADS * ROUNDS
    assert pool.in_flight() == {"a": 0, "b": 0, "c": 0}
    states = pool._states.values()
    assert sum(state.answers for state in states) == total["answered"] > 0
    assert sum(state.errors for state in states) == total["failed"] > 0
