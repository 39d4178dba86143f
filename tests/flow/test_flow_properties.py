"""Whatever servers do, and whatever a caller wants: what holds for every request."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from flow_samples import NAMES, Shop, Stage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import router
from router.call import Body, Once
from router.testing.script import Scripted

if TYPE_CHECKING:
    from router.call import Call, Outgoing
    from router.options import Repeat

GRAIN = 2e-3
"""Seconds by which the last look at a socket may pass the deadline."""
FREE = 1 + 1 + 1 + 2  # a 401, a wrong time, a 428, and two stale connections
UNSEEN = {401, 421, 425, 428, 429, 503, 529}
FAILURES = ("refused", "reset", "timeout", "stale", "invalid")
AGAIN = (b"Retry-After", b"retry-after-ms")

statuses = st.sampled_from([200, 200, 204, 400, 401, 404, 408, 409, 412, 421, 425, 428, 429])
troubles = st.sampled_from([500, 502, 503, 504, 522, 529])
HEDGE = router.Hedge(after=0.5, at_most=1.0)

waits = st.one_of(
    st.just(()),
    st.tuples(st.tuples(st.sampled_from(AGAIN), st.sampled_from([b"0", b"1", b"7", b"90", b"x"]))),
)
times = st.sampled_from([0.0, 0.001, 0.01, 0.01, 0.05, 0.1, 0.1, 0.3, 0.3, 2.0, 11.0])


@st.composite
def steps(draw: st.DrawFn) -> Scripted:
    failure = draw(st.sampled_from([None, None, None, *FAILURES]))
    status = draw(statuses | troubles)
    unseen = status in UNSEEN if failure is None else failure in {"refused", "stale", "invalid"}
    return Scripted(
        status=status,
        headers=draw(waits),
        failure=failure,
        takes=draw(times),
        breaks=failure is None and draw(st.sampled_from([False, False, False, True])),
        executed=not unseen,
    )


@dataclass(frozen=True)
class Asked:
    """One request of an example, and what its attempts meet; then all is well again."""

    method: str
    keyed: bool
    at_once: bool
    replayable: bool
    options: router.Options
    script: list[Scripted] = field(default_factory=list)


options = st.builds(
    router.Options,
    repeat=st.none() | st.sampled_from(["safe", "rejected", "always"]),
    hedge=st.none() | st.booleans(),
    deadline=st.none() | st.sampled_from([0.005, 0.1, 1.0, 20.0, 30.0]),
    regions=st.none() | st.sets(st.sampled_from(NAMES), min_size=1),
    conversation_began=st.none() | st.sampled_from([0.0, 4e9]),
)
asked = st.builds(
    Asked,
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]),
    keyed=st.booleans(),
    at_once=st.booleans(),
    replayable=st.booleans(),
    options=options,
    script=st.lists(steps(), max_size=9),
)
failovers = st.builds(
    router.Failover,
    attempts=st.integers(1, 6),
    repeat=st.sampled_from(["safe", "rejected", "always"]),
    statuses=st.sampled_from([(), ((409, "failed"),), ((429, "delivered"), (503, "failed"))]),
    retry_budget=st.sampled_from([1, 20, 500]),
    hedge=st.sampled_from([None, HEDGE, HEDGE]),
    deadline_header=st.none() | st.just("X-Time-Left"),
    attempt_timeout=st.sampled_from([0.05, 1.0, 10.0, 10.0]),
    backoff=st.just(router.Backoff(base=0.1, cap=1.0)),
)
limitses = st.sampled_from(
    [
        router.Limits(),
        router.Limits(concurrency=1),
        router.Limits(rate=router.Rate(5, 1.0), burst=2),
        router.Limits(concurrency=2, rate=router.Rate(100, 1.0)),
    ]
)


class Play:
    """One example: requests one after the other, at the same endpoints."""

    def __init__(self, failover: router.Failover, limits: router.Limits) -> None:
        self.script: list[Scripted] = []
        self.stage = Stage(self.step, failover=failover, limits=limits)
        self.shop = Shop(self.stage.clock)
        object.__setattr__(self.stage.desk, "tokens", self.shop.manager)
        for method in ("GET", "POST", "PUT"):
            self.stage.teach(method)

    def step(self, _: Outgoing) -> Scripted:
        return self.script.pop(0) if self.script else Scripted()

    def make(self, asked: Asked) -> Call:
        body = Body([b"x"], replayable=True)
        if not asked.replayable:
            body = Body(Once([b"x"], until=1e9, now=self.stage.clock), replayable=False)
        return self.stage.call(
            asked.method,
            keyed=asked.keyed,
            at_once=asked.at_once,
            body=body,
            options=asked.options,
        )

    def ask(self, asked: Asked) -> None:
        stage, call = self.stage, self.make(asked)
        self.script = list(asked.script)
        executed, began = len(stage.port.executed), stage.clock()
        error = None
        try:
            answer = stage.play(call)
        except router.RouterError as raised:
            error = raised
        else:
            assert 200 <= answer.status < 600
        self.check_time(call, stage.clock() - began)
        self.check_attempts(call, error)
        self.check_executed(asked, len(stage.port.executed) - executed)
        assert stage.settled()
        assert stage.limiter.waiting == 0
        assert 0 <= stage.budget.tokens <= stage.failover.retry_budget

    @staticmethod
    def check_time(call: Call, elapsed: float) -> None:
        assert elapsed <= call.deadline - call.started + GRAIN

    def check_attempts(self, call: Call, error: router.RouterError | None) -> None:
        assert len(call.attempts) <= self.stage.failover.attempts + FREE
        if error is not None:
            assert len(error.attempts) == len(call.attempts)
            told = any(a.verdict in {"uncertain", "stale connection"} for a in call.attempts)
            assert error.maybe_processed is told

    def check_executed(self, asked: Asked, count: int) -> None:
        repeat = asked.options.repeat or self.stage.failover.repeat
        if asked.method in {"POST", "PATCH"} and not asked.keyed and repeat != "always":
            assert count <= 1, "it may be executed once"


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(failover=failovers, limits=limitses, requests=st.lists(asked, min_size=1, max_size=4))
@pytest.mark.untraced
def test_for_every_request_whatever_servers_do(
    failover: router.Failover, limits: router.Limits, requests: list[Asked]
) -> None:
    play = Play(failover, limits)
    for request in requests:
        play.ask(request)


late = st.builds(
    Scripted,
    status=st.sampled_from([200, 200, 500, 503]),
    failure=st.sampled_from([None, None, "reset"]),
    takes=st.sampled_from([0.01, 0.1, 0.3]),
    breaks=st.booleans(),
)
raced = st.builds(
    Asked,
    method=st.sampled_from(["GET", "POST"]),
    keyed=st.booleans(),
    at_once=st.booleans(),
    replayable=st.sampled_from([True, True, False]),
    options=st.builds(router.Options, hedge=st.sampled_from([None, True])),
    script=st.lists(late, min_size=2, max_size=4),
)


@settings(max_examples=200, deadline=None)
@given(repeat=st.sampled_from(["safe", "rejected"]), requests=st.lists(raced, max_size=4))
@pytest.mark.untraced
def test_for_every_request_whose_answer_is_late(repeat: Repeat, requests: list[Asked]) -> None:
    play = Play(router.Failover(repeat=repeat, hedge=HEDGE), router.Limits())
    for request in requests:
        script = [step for step in request.script if step.status != 503 or step.failure]
        play.ask(replace(request, script=script))


def test_the_random_scripts_do_reach_a_second_attempt_beside_the_first() -> None:
    play = Play(router.Failover(hedge=HEDGE), router.Limits())
    late: list[Any] = [Scripted(takes=2.0), Scripted(takes=0.01)]
    play.script = late
    call = play.make(Asked("GET", False, True, True, router.Options()))
    assert play.stage.play(call).status == 200
    assert [(a.endpoint, a.verdict, a.hedge) for a in call.attempts] == [
        ("near", "outrun", False),
        ("middle", "delivered", True),
    ]
    assert play.stage.clock() == pytest.approx(1000.03, abs=0.02)
