"""The story of one request over a scripted port: what is tried, where, and what comes out."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
from flow_samples import Shop, Stage, fails_at

import router
from router.call import Body, Once, Outgoing, Timeouts
from router.testing import FakeClock

ANSWERS = [
    # method, repeat, script, tried, status
    ("GET", "rejected", [200], ["near"], 200),
    ("GET", "rejected", [404], ["near"], 404),
    ("POST", "rejected", [409], ["near"], 409),
    ("GET", "rejected", [500, 200], ["near", "middle"], 200),
    ("POST", "rejected", [500], ["near"], 500),
    ("POST", "always", [500, 200], ["near", "middle"], 200),
    ("POST", "rejected", [503, 200], ["near", "middle"], 200),
    ("POST", "rejected", [429, 200], ["near", "middle"], 200),
    ("POST", "rejected", [421, 200], ["near", "middle"], 200),
    ("POST", "safe", [503], ["near"], 503),
    ("POST", "safe", ["refused", 200], ["near", "middle"], 200),
    ("GET", "safe", ["reset", 200], ["near", "middle"], 200),
    ("POST", "always", ["reset", 200], ["near", "middle"], 200),
    ("GET", "rejected", [503, 503, 503], ["near", "middle", "far"], 503),
    ("GET", "rejected", [408, 425, 200], ["near", "middle", "far"], 200),
    ("GET", "rejected", [503, "refused", "refused"], ["near", "middle", "far"], 503),
    ("GET", "rejected", [401], ["near"], 401),
]


@pytest.mark.parametrize(("method", "repeat", "script", "tried", "status"), ANSWERS)
def test_an_answer(
    method: str, repeat: str, script: list[Any], tried: list[str], status: int
) -> None:
    stage = Stage(list(script), failover=router.Failover(attempts=3, repeat=repeat))  # type: ignore[arg-type]
    answer = stage.play(stage.call(method))
    assert (answer.status, stage.tried()) == (status, tried)
    assert stage.port.slept == []
    assert stage.settled()


FAILURES = [
    # method, script, tried, may it have been processed
    ("GET", ["refused", "refused", "refused"], ["near", "middle", "far"], False),
    ("POST", ["reset"], ["near"], True),
    ("POST", ["refused", "reset"], ["near", "middle"], True),
    ("POST", [503, "reset"], ["near", "middle"], True),
    ("GET", ["invalid"], ["near"], False),
]


@pytest.mark.parametrize(("method", "script", "tried", "maybe"), FAILURES)
def test_a_failure(method: str, script: list[Any], tried: list[str], *, maybe: bool) -> None:
    stage = Stage(list(script))
    with pytest.raises(router.AttemptsFailedError) as caught:
        stage.play(stage.call(method))
    assert stage.tried() == tried
    assert caught.value.maybe_processed is maybe
    assert ("may have been processed" in str(caught.value)) is maybe
    assert [attempt.endpoint for attempt in caught.value.attempts] == tried
    assert stage.settled()


def test_an_idempotency_key_makes_a_post_repeatable() -> None:
    stage = Stage(["reset", 200])
    assert stage.play(stage.call("POST", keyed=True)).status == 200


def test_a_body_that_was_begun_is_not_sent_again() -> None:
    now = FakeClock()
    begun, fresh = (Once([b"x"], until=2000.0, now=now) for _ in range(2))
    list(begun)
    stage = Stage([503, 200])
    assert stage.play(stage.call("PUT", body=Body(begun, replayable=False))).status == 503
    stage = Stage(["refused", 200])
    assert stage.play(stage.call("PUT", body=Body(fresh, replayable=False))).status == 200


def test_when_all_were_tried_the_wait_doubles_with_full_jitter() -> None:
    backoff = router.Backoff(base=1.0, factor=2.0, cap=30.0)
    stage = Stage(["refused"] * 5, names=("only",), failover=router.Failover(backoff=backoff))
    with pytest.raises(router.AttemptsFailedError, match="no answer in 5 attempts"):
        stage.play(stage.call())
    assert len(stage.port.slept) == 4
    assert all(0 <= slept <= 2.0**n for n, slept in enumerate(stage.port.slept))
    assert sum(stage.port.slept) > 1.0


def test_no_wait_crosses_the_deadline() -> None:
    backoff = router.Backoff(base=100.0, cap=100.0)
    stage = Stage(["refused"] * 9, names=("only",), failover=router.Failover(backoff=backoff))
    start = stage.clock()
    with pytest.raises(router.AttemptsFailedError):
        stage.play(stage.call(options=router.Options(deadline=2.0)))
    assert stage.clock() - start <= 2.0


def test_an_attempts_timeouts_are_clipped_to_what_is_left() -> None:
    budgets: list[float] = []
    steps: list[Any] = ["refused", 200]

    def script(request: Outgoing) -> Any:
        budgets.append(request.timeouts.get("read"))
        return steps.pop(0)

    stage = Stage(script, takes=0.5)
    stage.play(stage.call(options=router.Options(deadline=2.0)))
    assert budgets == pytest.approx([2.0, 1.5])


def test_phases_share_one_budget_until_the_head_is_there() -> None:
    clock = FakeClock()
    timeouts = Timeouts({"read": 5.0, "write": None}, clock() + 2.0, pause=10.0, now=clock)
    assert timeouts.get("connect") == pytest.approx(2.0)
    clock.advance(1.5)
    assert timeouts.get("read") == pytest.approx(0.5)
    clock.advance(9.0)
    assert 0 < timeouts.get("read") < 0.01
    timeouts.until_head = None
    assert (timeouts.get("read"), timeouts.get("write")) == (5.0, 10.0)


def test_the_deadline_is_an_error_of_this_host() -> None:
    stage = Stage(["refused", "refused", 200], takes=1.5)
    with pytest.raises(router.DeadlineError, match="deadline of 2 s") as caught:
        stage.play(stage.call(options=router.Options(deadline=2.0)))
    assert caught.value.blame == "host"
    assert len(caught.value.attempts) == 2


def test_retry_after_keeps_everybody_away_from_the_endpoint() -> None:
    stage = Stage([(503, [(b"Retry-After", b"20")]), 200, 200, 200])
    stage.play(stage.call())
    stage.play(stage.call())
    assert stage.tried() == ["near", "middle", "middle"]
    assert stage.health()["near"] == "cooling"
    stage.clock.advance(21.0)
    assert stage.health()["near"] == "healthy"
    assert stage.ask(regions="near") == 200
    assert stage.port.slept == []


def test_a_server_that_says_when_is_waited_for_within_the_deadline() -> None:
    stage = Stage([(429, [(b"retry-after", b"3")]), 200], names=("only",))
    assert stage.play(stage.call()).status == 200
    assert sum(stage.port.slept) == pytest.approx(3.0, abs=1.1)


def test_a_server_that_says_too_late_gives_its_answer_then_a_typed_error() -> None:
    stage = Stage([(429, [(b"retry-after", b"300")])], names=("only",))
    assert stage.play(stage.call()).status == 429
    assert stage.port.slept == []
    with pytest.raises(router.RetryLaterError) as caught:
        stage.play(stage.call())
    assert caught.value.retry_after == pytest.approx(300.0, abs=1.0)
    assert len(stage.port.sent) == 1


def authorizations(stage: Stage) -> list[bytes]:
    return [dict(sent.headers)[b"Authorization"] for sent in stage.port.sent]


def with_tokens(script: list[Any]) -> tuple[Stage, Shop]:
    stage = Stage(script)
    shop = Shop(stage.clock)
    stage.desk = replace(stage.desk, tokens=shop.manager)
    return stage, shop


def test_a_refused_token_is_renewed_once_and_the_request_repeated_at_the_same_endpoint() -> None:
    stage, shop = with_tokens([401, 200])
    assert stage.play(stage.call("POST")).status == 200
    assert authorizations(stage) == [b"Bearer token-1", b"Bearer token-2"]
    assert stage.tried() == ["near", "near"]
    assert shop.sold == 2


def test_a_second_401_is_the_callers() -> None:
    stage, shop = with_tokens([401, 401])
    assert stage.play(stage.call("POST")).status == 401
    assert shop.sold == 2
    assert {ranked.health for ranked in stage.pool.ranking(stage.clock())} == {"healthy"}


def test_while_the_token_server_is_silent_no_endpoint_is_held_and_none_suspected() -> None:
    stage, shop = with_tokens([])
    shop.manager._spawn = lambda coroutine: (coroutine.close(), Future())[1]
    with pytest.raises(router.DeadlineError, match="no access token came"):
        stage.play(stage.call(options=router.Options(deadline=20.0)))
    assert not any(stage.pool.in_flight().values())
    states = stage.pool._roster.states.values()
    assert not any(state.belief or state.suspect(stage.clock()) for state in states)
    assert not any(state.load.ahead for state in states if state.load is not None)


def test_each_attempt_has_its_own_host_and_the_callers_headers() -> None:
    stage = Stage(["refused", 200])
    stage.play(stage.call())
    assert [dict(sent.headers)[b"Host"] for sent in stage.port.sent] == [
        b"near.example",
        b"middle.example",
    ]
    assert all(dict(sent.headers)[b"X-Own"] == b"1" for sent in stage.port.sent)
    assert {sent.target for sent in stage.port.sent} == {b"/v1/things"}


@pytest.mark.parametrize(
    ("base", "path", "target"),
    [("/v1", b"", b"/v1"), ("", b"", b"/"), ("", b"?a=b", b"/?a=b"), ("/v1", b"?a=b", b"/v1?a=b")],
)
def test_a_target_is_never_empty(base: str, path: bytes, target: bytes) -> None:
    call = Stage([]).call()
    call.path = path
    timeouts = Timeouts({}, 1.0, pause=1.0, now=FakeClock())
    endpoint = router.Endpoint(url=f"https://a.test{base}")
    assert call.addressed_to(endpoint, [], timeouts).target == target


def test_an_endpoint_that_fails_is_left_after_a_failure_or_two_and_asked_again_later() -> None:
    fails = {"near": "refused"}
    stage = Stage(fails_at(fails), takes=0.1)
    assert [stage.ask() for _ in range(20)] == [200] * 20
    assert stage.tried().count("near") <= 2
    fails.clear()
    stage.clock.advance(60.0)
    assert stage.ask(regions="near") == 200


def test_five_failures_in_a_row_take_an_endpoint_out() -> None:
    stage = Stage(fails_at({"near": "refused"}))
    for _ in range(5):
        assert stage.ask(regions="near", deadline=0.015) == "DeadlineError"
        assert stage.ask(regions="middle") == 200
    assert stage.health() == {"near": "ejected", "middle": "healthy", "far": "healthy"}


def test_the_limiters_refusal_comes_before_anything_is_sent() -> None:
    stage = Stage([200], limits=router.Limits(concurrency=1))
    held = stage.limiter.admit(stage.clock())
    with pytest.raises(router.LimitError):
        stage.play(stage.call(options=router.Options(deadline=0.5)))
    assert stage.port.sent == []
    held.give_back()  # type: ignore[union-attr]


def test_options_that_name_nothing_are_refused() -> None:
    stage = Stage([])
    with pytest.raises(router.OptionsError, match="did you mean near"):
        stage.play(stage.call(options=router.Options(regions="naer")))
