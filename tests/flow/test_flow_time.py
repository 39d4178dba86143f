"""The time in the story of a request: refused, corrected and told."""

from __future__ import annotations

import random
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest
from fake_time import FakeTime

import router
from router.attempt import Trace
from router.balance.pool import EndpointPool
from router.call import Answer, Body, Call, Once, Outgoing
from router.clock import Clock, Stamper
from router.clock.keeper import Keeper
from router.clock.select import Selection
from router.desk import Desk
from router.failover.budget import RetryBudget
from router.failover.hedging import Hedging
from router.failover.verdict import KNOWN
from router.flow import route
from router.geo.prior import Prior
from router.limits.limiter import Limiter
from router.ports import run
from router.testing import FakeClock, ScriptedPort

BINANCE = b'{"code":-1021,"msg":"Timestamp was 1000ms ahead of the server\'s time."}'
AWS = b"<Error><Code>RequestTimeTooSkewed</Code></Error>"


class Exchange:
    """An endpoint that refuses a time more than a second ahead of its own, or five behind it."""

    def __init__(self, *, ahead: float, synchronised: bool = True, **settings: Any) -> None:
        self.fake = FakeTime()
        self.ahead = ahead
        self.status, self.body = 400, BINANCE
        self.dated = True
        clock = Clock(host=self.fake.host(), settle_within=0, note=lambda _: None)
        if synchronised:
            theta = self.fake.wall - self.fake.boot
            said = Selection(theta=theta, bound=0.01, taken=self.fake.boot, used=("a",))
            clock.update(said, self.fake.boot)
        made = router.ClockSettings(servers=(), header="X-Timestamp", **settings)
        keeper = Keeper(
            clock,
            host=self.fake.host(),
            stamper=Stamper(made, note=lambda _: None),
            skew_errors=made.skew_errors,
        )
        self.monotonic = FakeClock()
        self.port = ScriptedPort(self.judge, clock=self.monotonic)
        failover = router.Failover(attempts=3)
        endpoint = router.Endpoint(url="https://only.example", name="only")
        pool = EndpointPool(
            {"only": (endpoint, Prior(0.01, 0.2, None, "by decree"))},
            failover,
            chance=random.Random(1),
            busy=lambda: 0.0,
        )
        budget = RetryBudget(failover.retry_budget)
        self.desk = Desk(
            pool=pool,
            limiter=Limiter(router.Limits()),
            tokens=None,
            keeper=keeper,
            failover=failover,
            chance=random.Random(1),
            budget=budget,
            hedging=Hedging(router.Hedge(), budget),
            verdicts=KNOWN,
        )

    def judge(self, request: Outgoing) -> Any:
        stamp = dict(request.headers).get(b"X-Timestamp")
        self.fake.pass_by(0.02)
        here = self.fake.wall + self.ahead
        date = formatdate(int(here), usegmt=True).encode()
        headers = [(b"Date", date)] if self.dated else []
        if stamp is not None and not -5 < int(stamp) / 1000 - here < 1:
            return self.status, headers, self.body
        return 200, headers

    def post(self, stream: Any = b"", *, replayable: bool = True) -> tuple[Answer, Call]:
        call = Call(
            method="POST",
            path=b"/order",
            headers=[],
            body=Body(stream, replayable=replayable),
            timeouts={},
            extensions={},
            started=self.monotonic(),
            deadline=self.monotonic() + 10,
            repeat="safe",
        )
        answer, lease = run(route(call, self.desk, self.port))
        if lease is not None:
            lease.give_back()
        return answer, call


@pytest.mark.parametrize("ahead", [-2.0, -3600.0, 6.0, 3600.0])
@pytest.mark.parametrize(("status", "body"), [(400, BINANCE), (403, AWS)])
def test_a_refused_time_is_corrected_and_the_request_sent_once_more(
    ahead: float, status: int, body: bytes
) -> None:
    exchange = Exchange(ahead=ahead)
    exchange.status, exchange.body = status, body
    answer, call = exchange.post()
    assert answer.status == 200
    assert [attempt.verdict for attempt in call.attempts] == ["wrong time", "delivered"]
    assert exchange.port.slept == []
    story = Trace(tuple(call.attempts)).explain()
    assert f"only: {status}, the time was refused" in story
    assert "the endpoint's own clock" in story
    _, later = exchange.post()
    assert [attempt.verdict for attempt in later.attempts] == ["delivered"]  # it was remembered
    (ranked,) = exchange.desk.pool.ranking(exchange.monotonic())
    assert ranked.health == "healthy"


def test_a_host_whose_clock_is_wrong_learns_the_time_by_being_refused() -> None:
    exchange = Exchange(ahead=0.0, synchronised=False)
    exchange.desk.keeper.clock.now()
    exchange.fake.wall += 7200.0  # this host's wall clock was two hours behind all along
    answer, call = exchange.post()
    assert answer.status == 200
    assert len(call.attempts) == 2
    assert exchange.desk.keeper.clock.now().source == "http"


def test_a_second_refusal_is_the_callers_answer_with_its_body() -> None:
    exchange = Exchange(ahead=-2.0)
    refusal = (400, [(b"Date", b"Fri, 15 Jan 2027 08:00:00 GMT")], BINANCE)
    exchange.port = ScriptedPort([refusal, refusal], clock=exchange.monotonic)
    answer, call = exchange.post()
    assert (answer.status, answer.content, len(call.attempts)) == (400, BINANCE, 2)


def test_without_a_date_the_request_is_sent_once_more_with_our_own_time() -> None:
    exchange = Exchange(ahead=-2.0)
    exchange.dated = False
    answer, call = exchange.post()
    assert (answer.status, answer.content, len(call.attempts)) == (400, BINANCE, 2)
    assert "400, the time was refused" in Trace(tuple(call.attempts)).explain()


def test_a_body_that_was_read_is_not_sent_again() -> None:
    exchange = Exchange(ahead=-2.0)
    once = Once(iter([b"a"]), until=100.0, now=exchange.monotonic)
    once.started = True
    answer, call = exchange.post(once, replayable=False)
    assert (answer.status, len(call.attempts)) == (400, 1)


def test_omit_sends_without_a_stamp_and_says_so() -> None:
    exchange = Exchange(ahead=0.0, synchronised=False, when_unsure="omit")
    answer, call = exchange.post()
    assert answer.status == 200
    assert call.attempts[0].stamp is None
    assert call.attempts[0].stamped is None


def test_refuse_sends_nothing_and_waits_a_second_for_a_source_at_first() -> None:
    exchange = Exchange(ahead=0.0, synchronised=False, when_unsure="refuse")
    for waited in (1.0, 1.0):  # the second request does not wait again
        with pytest.raises(router.ClockError, match="when_unsure"):
            exchange.post()
        assert sum(exchange.port.slept) == pytest.approx(waited, abs=0.02)
    assert exchange.port.sent == []
    assert exchange.desk.limiter.in_use == 0


def test_refuse_serves_an_endpoint_that_refused_our_time_by_its_own_clock() -> None:
    exchange = Exchange(ahead=-30.0, when_unsure="refuse")  # one Date is right to half a second
    for _ in range(5):
        answer, _ = exchange.post()
        assert answer.status == 200


def test_a_false_refusal_leaves_a_right_time_as_it_was() -> None:
    exchange = Exchange(ahead=0.0)
    refusal = (400, [(b"Date", b"Fri, 15 Jan 2027 08:00:00 GMT")], BINANCE)
    exchange.port = ScriptedPort([refusal, 200, 200], clock=exchange.monotonic)
    _, call = exchange.post()
    assert [attempt.verdict for attempt in call.attempts] == ["wrong time", "delivered"]
    _, later = exchange.post()
    assert later.attempts[0].clock is not None
    assert later.attempts[0].clock.source == "ntp"


def test_a_signer_without_a_header_is_under_the_same_policy() -> None:
    exchange = Exchange(ahead=-9.0)
    signed: list[int] = []

    def sign(signing: router.Signing) -> list[tuple[str, str]]:
        signed.append(signing.stamp.ns)
        return [("X-Timestamp", str(signing.stamp.ns // 10**6))]

    made = router.ClockSettings(servers=())
    exchange.desk.keeper.stamper = Stamper(made)
    exchange.desk = replace(exchange.desk, signer=sign)
    answer, call = exchange.post()
    assert (answer.status, len(call.attempts), len(signed)) == (200, 2, 2)
    exchange.desk.keeper.stamper = Stamper(replace(made, when_unsure="refuse", max_error=1e-6))
    exchange.desk.keeper.retain(())
    with pytest.raises(router.ClockError):
        exchange.post()
    assert len(signed) == 2


@pytest.mark.parametrize(
    ("synchronised", "words"),
    [(True, "right to 10 ms (NTP)"), (False, "nobody knows how right (this host's clock)")],
)
def test_the_trace_tells_the_stamp_its_bound_and_its_source(
    *, synchronised: bool, words: str
) -> None:
    _, call = Exchange(ahead=0.0, synchronised=synchronised).post()
    trace = Trace(tuple(call.attempts))
    assert f"stamped 1800000000000, {words}" in trace.explain()
    bound = trace.as_dict()["attempts"][0]["stamp_bound_ms"]
    assert bound == (pytest.approx(10.0, abs=0.1) if synchronised else None)
