"""Whether a request is sent again: by whose word, how often, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from flow_samples import NAMES, Shop, Stage, endpoint, fails_at

import router
from router.attempt import Trace
from router.testing.script import Scripted

if TYPE_CHECKING:
    from router.call import Answer

ONCE = [
    # method, status, how often it is obeyed
    ("GET", 408, 1),
    ("GET", 425, 1),
    ("GET", 421, 1),
    ("POST", 421, 1),
    ("POST", 408, 0),
    ("POST", 425, 0),
]


@pytest.mark.parametrize(("method", "status", "times"), ONCE)
def test_who_asks_for_the_same_again_is_obeyed_once(method: str, status: int, times: int) -> None:
    stage = Stage([status, status, 200], failover=router.Failover(attempts=5))
    assert stage.play(stage.call(method)).status == status
    assert len(stage.port.sent) == 1 + times


THEIRS = [(status, method) for status in (400, 404, 409, 412, 422) for method in ("GET", "POST")]


@pytest.mark.parametrize(("status", "method"), THEIRS)
def test_what_is_the_callers_doing_is_delivered_and_ejects_nobody(status: int, method: str) -> None:
    stage = Stage(lambda _: status)
    for _ in range(12):
        assert stage.play(stage.call(method)).status == status
    assert stage.tried() == ["near"] * 12
    assert stage.health() == dict.fromkeys(NAMES, "healthy")


@pytest.mark.parametrize("word", ["failed", "rejected"])
def test_the_users_word_makes_a_status_repeatable(word: str) -> None:
    failover = router.Failover(statuses=((409, word),))
    stage = Stage([409, 200], failover=failover)
    assert stage.play(stage.call()).status == 200
    assert stage.tried() == ["near", "middle"]
    assert stage.health()["near"] == "healthy"
    stage = Stage([409, 200], failover=failover)
    assert stage.play(stage.call("POST")).status == (200 if word == "rejected" else 409)


def test_the_users_word_makes_a_status_the_callers() -> None:
    stage = Stage(lambda _: 503, failover=router.Failover(statuses=((503, "delivered"),)))
    for _ in range(12):
        assert stage.play(stage.call()).status == 503
    assert stage.tried() == ["near"] * 12


WORDS = [
    # everybody's word, the endpoint's, the request's, what the POST met, is it sent again
    ("safe", None, None, 503, False),
    ("safe", "rejected", None, 503, True),
    ("safe", "always", None, "reset", True),
    ("always", "safe", None, "reset", False),
    ("always", "safe", "always", "reset", True),
    ("always", "always", "safe", 503, False),
    ("rejected", None, "always", 500, True),
]


@pytest.mark.parametrize(("everybody", "endpoints", "request_", "met", "again"), WORDS)
def test_the_requests_word_is_before_the_endpoints_and_that_before_everybodys(
    everybody: Any, endpoints: Any, request_: Any, met: Any, *, again: bool
) -> None:
    first = endpoint("near", repeat=endpoints)
    stage = Stage(
        [met, 200],
        endpoints=[first, endpoint("far")],
        failover=router.Failover(repeat=everybody),
    )
    call = stage.call("POST", options=router.Options(repeat=request_))
    if again:
        assert stage.play(call).status == 200
    elif met == "reset":
        with pytest.raises(router.AttemptsFailedError, match="is not repeated"):
            stage.play(call)
    else:
        assert stage.play(call).status == met
        assert call.stopped is not None
        assert "a POST that the server refused is not repeated" in call.stopped
    assert len(stage.port.sent) == 1 + again


def test_an_empty_budget_makes_no_other_attempt_and_says_so() -> None:
    stage = Stage(fails_at(dict.fromkeys(NAMES, 500)), failover=router.Failover(retry_budget=20))
    call = stage.call()
    assert stage.play(call).status == 500
    assert (len(call.attempts), call.stopped) == (2, "the retry budget is used up")
    told = Trace(tuple(call.attempts), call.stopped)
    assert told.explain().endswith("no other attempt: the retry budget is used up")
    assert told.as_dict()["stopped"] == call.stopped
    stage = Stage(["reset"], failover=router.Failover(retry_budget=1))
    with pytest.raises(router.AttemptsFailedError, match="the retry budget is used up"):
        stage.play(stage.call())


COSTS = [(500, 14), ("reset", 14), (503, 5), (429, 5), ("stale", 0)]


@pytest.mark.parametrize(("step", "cost"), COSTS)
def test_another_attempt_costs(step: Any, cost: int) -> None:
    stage = Stage([step, 200])
    stage.budget._tokens = 400.0
    stage.play(stage.call())
    assert stage.budget.tokens == pytest.approx(400 - cost + 1, abs=0.1)


def test_when_every_endpoint_fails_alike_another_attempt_costs_most() -> None:
    stage = Stage(lambda _: "refused", failover=router.Failover(attempts=4))
    for _ in range(4):
        assert stage.ask(deadline=5.0) == "AttemptsFailedError"
    assert stage.pool.all_fail
    stage.budget._tokens = 250.0
    stage.ask(deadline=5.0)
    assert stage.budget.tokens == pytest.approx(50, abs=10)


def test_in_an_outage_attempts_stop_multiplying() -> None:
    stage = Stage(lambda _: "refused", failover=router.Failover(attempts=5))
    for _ in range(200):
        stage.ask(deadline=2.0)
    assert len(stage.port.sent) <= 1.1 * 200 + 10


STALE = [
    # method, keyed, what is met, attempts, the outcome
    ("GET", False, ["stale", 200], 2, 200),
    ("GET", False, ["stale", "stale", 200], 3, 200),
    ("POST", True, ["stale", 200], 2, 200),
    ("POST", False, ["stale"], 1, None),
]


@pytest.mark.parametrize(("method", "keyed", "script", "attempts", "status"), STALE)
def test_a_connection_that_was_closed_is_replaced_for_nothing_at_the_same_endpoint(
    method: str, *, keyed: bool, script: list[Any], attempts: int, status: int | None
) -> None:
    stage = Stage(script, failover=router.Failover(attempts=1))
    call = stage.call(method, keyed=keyed)
    if status is None:
        with pytest.raises(router.AttemptsFailedError) as caught:
            stage.play(call)
        assert caught.value.maybe_processed
    else:
        assert stage.play(call).status == status
    assert stage.tried() == ["near"] * attempts
    assert stage.budget.tokens == 500
    assert stage.health()["near"] == "healthy"


def test_a_sixth_stale_connection_is_a_failure_like_others() -> None:
    stage = Stage(["stale"] * 6 + [200], failover=router.Failover(attempts=2))
    stage.budget._tokens = 400.0
    assert stage.play(stage.call()).status == 200
    assert stage.tried() == ["near"] * 6 + ["middle"]
    assert stage.budget.tokens == pytest.approx(387, abs=0.1)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_when_time_is_over_it_is_a_deadline_error_whatever_the_method(method: str) -> None:
    stage = Stage(lambda _: Scripted(takes=5.0), failover=router.Failover(attempts=9))
    with pytest.raises(router.DeadlineError, match="deadline of 2 s has passed") as caught:
        stage.play(stage.call(method, options=router.Options(deadline=2.0)))
    assert caught.value.maybe_processed
    assert ("The POST may have been processed" in str(caught.value)) is (method == "POST")
    assert stage.clock() == pytest.approx(1002.0, abs=2e-3)
    assert stage.settled()


BODY = [("GET", 200, 2), ("PUT", 200, 2), ("POST", None, 1)]


@pytest.mark.parametrize(("method", "status", "attempts"), BODY)
def test_a_body_that_breaks_off_fails_over_if_its_caller_reads_at_once(
    method: str, status: int | None, attempts: int
) -> None:
    stage = Stage([Scripted(breaks=True), 200])
    call = stage.call(method, at_once=True)
    if status is None:
        with pytest.raises(router.AttemptsFailedError, match="may have been processed"):
            stage.play(call)
    else:
        assert stage.play(call).status == status
    assert next(a.verdict for a in call.attempts) == "uncertain"
    assert len(call.attempts) == attempts
    assert stage.settled()
    stage = Stage([Scripted(breaks=True)])
    assert stage.play(stage.call(method)).status == 200, "one that is streamed is the caller's"


def test_an_endpoint_whose_bodies_break_off_is_left() -> None:
    def script(request: Any) -> Scripted:
        return Scripted(breaks=request.endpoint.name == "near")

    stage = Stage(script)
    for _ in range(60):
        assert stage.play(stage.call(at_once=True)).status == 200
        stage.clock.advance(0.1)
    assert stage.tried().count("near") <= 12


def countdowns(stage: Stage) -> list[int]:
    return [int(dict(sent.headers)[b"X-Time-Left"]) for sent in stage.port.sent]


def test_the_deadline_header_tells_the_whole_milliseconds_that_are_left() -> None:
    seen: list[str] = []

    def sign(signing: router.Signing) -> list[tuple[str, str]]:
        seen.append(dict(signing.headers)["X-Time-Left"])
        return []

    stage = Stage(
        ["refused", "refused", 200],
        failover=router.Failover(deadline_header="X-Time-Left"),
        takes=0.2504,
        signer=sign,
    )
    stage.play(stage.call(options=router.Options(deadline=2.0)))
    assert countdowns(stage) == [2000, 1749, 1499]
    assert seen == ["2000", "1749", "1499"]


def test_a_refused_token_under_hedging_is_renewed_at_the_same_endpoint() -> None:
    stage = Stage([401, 200], failover=router.Failover(hedge=router.Hedge()))
    stage.desk = replace(stage.desk, tokens=Shop(stage.clock).manager)
    assert stage.play(stage.call()).status == 200
    assert stage.tried() == ["near", "near"]


def test_a_body_that_is_put_aside_slowly_does_not_outlast_the_deadline() -> None:
    stage = Stage(lambda _: 503, failover=router.Failover(backoff=router.Backoff(base=0.01)))

    async def keep(answer: Answer) -> Answer:
        assert answer.flight is not None
        stage.clock.advance(answer.flight.timeouts.get("read"))
        return answer

    stage.port.keep = keep  # type: ignore[method-assign]
    call = stage.call(options=router.Options(deadline=0.6))
    assert stage.play(call).status == 503
    assert stage.clock() - 1000.0 <= 0.6 + 2e-3
    assert len(call.attempts) == 3
