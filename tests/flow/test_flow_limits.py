"""Limits in the story of a request: endpoints' own, what answers say, what requests cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from flow_samples import NAMES, Stage, endpoint

import router
from router.limits.usage import tokens_used
from router.testing.script import Scripted

if TYPE_CHECKING:
    from router.balance.choice import Choice

Own = dict[str, dict[str, Any]]

TOKENS = router.Bound(router.Rate(60, 60.0), of="tokens", burst=30)


def stage_of(script: Any, own: Own, limits: router.Limits | None = None) -> Stage:
    """Return a stage whose endpoints of these names have limits of their own."""
    endpoints = [
        endpoint(name, limits=router.EndpointLimits(**own[name])) if name in own else endpoint(name)
        for name in NAMES
    ]
    return Stage(script, endpoints=endpoints, limits=limits)


# -- endpoints' own limits


def test_an_endpoint_at_its_rate_is_passed_over_and_not_waited_for() -> None:
    stage = stage_of(lambda _: 200, {"near": {"rate": router.Bound(router.Rate(1, 10.0), burst=2)}})
    assert [stage.ask() for _ in range(5)] == [200] * 5
    assert stage.tried().count("near") == 2
    assert stage.port.slept == []
    stage.clock.advance(10.0)
    assert stage.ask() == 200
    assert stage.tried()[-1] == "near"


def test_an_endpoint_with_all_that_it_takes_under_way_is_passed_over() -> None:
    stage = stage_of(lambda _: 200, {"near": {"concurrency": 1}})
    first = stage.pool.choose(router.Options(), tried=(), now=stage.clock())
    assert first.endpoint.name == "near"
    second = stage.pool.choose(router.Options(), tried=(), now=stage.clock())
    assert second.endpoint.name != "near"
    assert "not at their own limit" in second.decision().reason
    first.give_back()
    third = stage.pool.choose(router.Options(), tried=(), now=stage.clock())
    assert third.endpoint.name == "near"


def test_a_choice_that_is_cancelled_costs_nothing_of_the_endpoint_s_rate() -> None:
    stage = stage_of(lambda _: 200, {"near": {"rate": router.Bound(router.Rate(1, 10.0), burst=1)}})

    def chosen() -> Choice:
        return stage.pool.choose(router.Options(), tried=(), now=stage.clock())

    cancelled = chosen()
    cancelled.cancel()
    cancelled.cancel()
    sent = chosen()
    sent.give_back()
    assert [cancelled.endpoint.name, sent.endpoint.name] == ["near", "near"]
    assert chosen().endpoint.name != "near"


def test_a_conversation_leaves_an_endpoint_that_is_full() -> None:
    stage = stage_of(lambda _: 200, {"near": {"concurrency": 1}})
    options = router.Options(affinity="talk")
    first = stage.pool.choose(options, tried=(), now=stage.clock())
    assert first.endpoint.name == "near"
    assert stage.pool.choose(options, tried=(), now=stage.clock()).endpoint.name != "near"


def test_where_all_are_at_their_limit_the_request_waits_for_the_first() -> None:
    own: Own = {name: {"rate": router.Bound(router.Rate(1, 2.0), burst=1)} for name in NAMES}
    stage = stage_of(lambda _: 200, own)
    assert [stage.ask() for _ in NAMES] == [200] * len(NAMES)
    assert stage.ask() == 200
    assert 1.5 < sum(stage.port.slept) < 2.5
    assert stage.settled()


def test_who_has_no_time_for_that_hears_how_long_it_would_be() -> None:
    own: Own = {name: {"rate": router.Bound(router.Rate(1, 60.0), burst=1)} for name in NAMES}
    stage = stage_of(lambda _: 200, own)
    for _ in NAMES:
        stage.ask()
    with pytest.raises(router.LimitError, match="its own limit") as caught:
        stage.play(stage.call(options=router.Options(deadline=1.0)))
    assert 59 < (caught.value.retry_after or 0) <= 60
    assert len(stage.port.sent) == len(NAMES)
    assert stage.settled()


def test_what_was_not_sent_costs_nothing_at_the_account_s_limit() -> None:
    own: Own = {name: {"rate": router.Bound(router.Rate(1, 60.0), burst=1)} for name in NAMES}
    limits = router.Limits(rate=router.Bound(router.Rate(1, 60.0), burst=10))
    stage = stage_of(lambda _: 200, own, limits)
    for _ in range(20):
        stage.ask(deadline=0.5)
    ((_, left),) = stage.limiter.lefts(stage.clock())
    assert left == pytest.approx(10 - len(NAMES), abs=0.2)


def test_a_cost_that_no_endpoint_ever_takes_is_the_caller_s_error() -> None:
    own: Own = {name: {"rate": router.Bound(router.Rate(9, 1.0), burst=2)} for name in NAMES}
    stage = stage_of(lambda _: 200, own)
    assert stage.ask(cost=5.0) == "OptionsError"
    assert stage.settled()


# -- what answers say


def saying(fields: dict[str, str], status: int = 200) -> Scripted:
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    return Scripted(status=status, headers=headers)


USED_UP = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20s"}


def test_who_says_that_nothing_is_left_is_left_alone_until_its_reset() -> None:
    stage = Stage(lambda r: saying(USED_UP) if r.endpoint.name == "near" else 200)
    assert [stage.ask() for _ in range(5)] == [200] * 5
    assert stage.tried().count("near") == 1
    stage.clock.advance(20.0)
    assert stage.ask() == 200
    assert stage.tried()[-1] == "near"


def test_where_all_say_so_nobody_is_admitted_before_the_first_reset() -> None:
    stage = Stage(lambda _: saying(USED_UP))
    assert [stage.ask(deadline=1.0) for _ in NAMES] == [200] * len(NAMES)
    assert stage.ask(deadline=1.0) == "RetryLaterError"
    stage.clock.advance(20.0)
    assert stage.ask(deadline=1.0) == 200


def test_what_a_limit_of_ours_counts_holds_the_limit_back_and_no_endpoint() -> None:
    limits = router.Limits(rate=router.Rate(1000, 1.0))
    fields = {"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "20s"}
    stage = Stage(lambda _: saying(fields), limits=limits)
    assert stage.ask() == 200
    stage.port._script = lambda _: 200
    assert stage.ask() == 200
    assert stage.ask(deadline=1.0) == "LimitError"
    assert set(stage.health().values()) == {"healthy"}
    stage.clock.advance(20.0)
    assert stage.ask(deadline=1.0) == 200


@pytest.mark.parametrize("limits", [router.Limits(learn=False), router.Limits()])
def test_the_user_may_have_nothing_learnt(limits: router.Limits) -> None:
    stage = Stage(lambda _: saying(USED_UP), limits=limits)
    assert stage.ask() == 200
    learnt = "cooling" in stage.health().values()
    assert learnt == limits.learn


def test_a_429_without_retry_after_is_obeyed_by_what_it_says_of_its_limits() -> None:
    used_up = saying(USED_UP, 429)
    stage = Stage(lambda r: used_up if r.endpoint.name == "near" else 200)
    assert stage.ask() == 200
    stage.clock.advance(19.0)
    assert stage.health()["near"] == "cooling"
    stage.clock.advance(1.5)
    assert stage.health()["near"] == "healthy"


def test_refusals_narrow_an_adaptive_window() -> None:
    limits = router.Limits(concurrency=10, adaptive=True)
    stage = Stage(lambda r: 503 if r.endpoint.name == "near" else 200, limits=limits)
    assert stage.ask() == 200
    assert stage.limiter.most == 7


# -- what requests cost


def usage(tokens: int) -> Scripted:
    body = json.dumps({"usage": {"prompt_tokens": tokens, "completion_tokens": 0}}).encode()
    return Scripted(status=200, body=body)


def left(stage: Stage) -> float:
    ((_, tokens),) = stage.limiter.lefts(stage.clock())
    return tokens


def billed(stage: Stage, used: Any) -> None:
    object.__setattr__(stage.desk, "used", used)


def test_what_an_answer_says_was_used_is_what_the_request_costs() -> None:
    stage = Stage(lambda _: usage(8), limits=router.Limits(rate=TOKENS))
    billed(stage, tokens_used)
    options = router.Options(cost={"tokens": 30})
    stage.play(stage.call(options=options, at_once=True))
    assert left(stage) == pytest.approx(22, abs=0.1)


def test_a_hook_that_fails_leaves_the_answer_and_the_cost_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def hook(_: object) -> float:
        raise RuntimeError("hunter2")

    stage = Stage(lambda _: usage(8), limits=router.Limits(rate=TOKENS))
    billed(stage, hook)
    options = router.Options(cost={"tokens": 30})
    assert stage.play(stage.call(options=options, at_once=True)).status == 200
    assert left(stage) == pytest.approx(0, abs=0.1)
    assert "RuntimeError" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_request_whose_turn_comes_by_its_priority_is_sent_first() -> None:
    stage = Stage(lambda _: 200, limits=router.Limits(rate=router.Rate(1, 1.0)))
    assert stage.ask() == 200
    waiting = stage.limiter.admit(stage.clock())
    assert stage.ask(priority=3, deadline=1.5) == 200
    assert stage.ask(deadline=1.5) == "LimitError"
    waiting.leave()  # type: ignore[union-attr]
