"""A second attempt beside the first: when, for which requests, where, and at whose cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flow_samples import NAMES, Shop, Stage, endpoint

import router
from router.again import may_hedge
from router.attempt import Trace
from router.call import Body, Once
from router.testing.script import Scripted

HEDGE = router.Hedge(after=0.5, at_most=1.0)
ON = router.Failover(hedge=HEDGE)
SLOW = Scripted(takes=2.0)
QUICK = Scripted(takes=0.01)


def stage_of(script: Any, *, taught: bool = True, **more: Any) -> Stage:
    stage = Stage(script, **{"failover": ON, **more})
    for method in ("GET", "POST", "PUT") if taught else ():
        stage.teach(method)
    return stage


def story(call: Any) -> list[tuple[str, str, bool]]:
    return [(a.endpoint, a.verdict, a.hedge) for a in call.attempts]


RACES: list[tuple[list[Any], int, list[tuple[str, str, bool]]]] = [
    # what both meet, the status, the story
    ([QUICK], 200, [("near", "delivered", False)]),
    ([SLOW, QUICK], 200, [("near", "outrun", False), ("middle", "delivered", True)]),
    (
        [SLOW, Scripted(status=503, takes=0.01)],
        200,
        [("near", "delivered", False), ("middle", "rejected", True)],
    ),
    (
        [Scripted(status=500, takes=0.2), Scripted(takes=0.5)],
        200,
        [("near", "failed", False), ("middle", "delivered", True)],
    ),
    (
        [Scripted(failure="reset", takes=0.2), Scripted(status=500, takes=0.5), 200],
        200,
        [("near", "uncertain", False), ("middle", "failed", True), ("far", "delivered", False)],
    ),
    ([Scripted(takes=0.2), Scripted(takes=3.0)], 200, [("near", "delivered", False)]),
]


@pytest.mark.parametrize(("script", "status", "told"), RACES)
def test_a_race(script: list[Any], status: int, told: list[tuple[str, str, bool]]) -> None:
    stage = stage_of(list(script))
    call = stage.call()
    assert stage.play(call).status == status
    assert [step for step in story(call) if step[1] != "outrun" or not step[2]] == told
    assert stage.settled()


def test_a_race_that_is_won_is_told_in_the_trace() -> None:
    stage = stage_of([SLOW, QUICK])
    call = stage.call()
    stage.play(call)
    trace = Trace(tuple(call.attempts))
    assert trace.endpoint == "middle"
    assert "(the other one was late): middle" in trace.explain()
    assert [a["hedge"] for a in trace.as_dict()["attempts"]] == [False, True]


def test_the_second_begins_when_the_answer_is_late_for_that_endpoint() -> None:
    stage = stage_of([SLOW, QUICK])
    call = stage.call()
    stage.play(call)
    assert stage.clock() - 1000.0 == pytest.approx(2 * 0.01 + 0.01, abs=0.01)


def test_nothing_is_hedged_before_enough_is_known() -> None:
    stage = stage_of([SLOW], taught=False)
    assert stage.play(stage.call()).status == 200
    assert stage.clock() == 1002.0


def test_it_is_learnt_from_traffic() -> None:
    stage = stage_of(lambda _: QUICK, taught=False)
    for _ in range(64):
        assert stage.ask() == 200
    stage.port._script = [SLOW, QUICK]
    call = stage.call()
    stage.play(call)
    assert story(call)[-1] == ("middle", "delivered", True)


MAY = [
    # method, keyed, replayable, options, may it be hedged
    ("GET", False, True, {}, True),
    ("HEAD", False, True, {}, True),
    ("PUT", False, True, {}, True),
    ("POST", True, True, {}, True),
    ("POST", False, True, {}, False),
    ("PATCH", False, True, {"hedge": True}, False),
    ("POST", False, True, {"hedge": True, "repeat": "always"}, False),
    ("PUT", False, False, {}, False),
    ("GET", False, True, {"hedge": False}, False),
]


@pytest.mark.parametrize(("method", "keyed", "replayable", "options", "may"), MAY)
def test_only_what_may_be_sent_twice_is_hedged(
    method: str, *, keyed: bool, replayable: bool, options: dict[str, Any], may: bool
) -> None:
    stage = stage_of([SLOW, QUICK])
    body = Body([b"x"], replayable=True)
    if not replayable:
        body = Body(Once([b"x"], until=1e9, now=stage.clock), replayable=False)
    call = stage.call(method, keyed=keyed, body=body, options=router.Options(**options))
    assert may_hedge(call, stage.desk) is may
    if method in {"GET", "PUT", "POST"}:
        assert stage.play(call).status == 200
        assert len(stage.port.sent) == 1 + may


def test_a_request_may_ask_for_it_where_it_is_off() -> None:
    stage = Stage([SLOW, QUICK], failover=router.Failover())
    stage.teach()
    assert not may_hedge(stage.call(), stage.desk)
    stage.play(stage.call(options=router.Options(hedge=True)))
    assert stage.tried() == ["near", "middle"]


@pytest.mark.parametrize(("attempts", "sent"), [(1, 1), (2, 2)])
def test_both_attempts_count(attempts: int, sent: int) -> None:
    failover = router.Failover(hedge=HEDGE, attempts=attempts)
    stage = stage_of(lambda _: Scripted(status=500, takes=1.0), failover=failover)
    assert stage.play(stage.call()).status == 500
    assert len(stage.port.sent) == sent


def test_a_key_is_the_same_on_both() -> None:
    stage = stage_of([SLOW, QUICK])
    stage.play(stage.call("POST", keyed=True, headers=[(b"Idempotency-Key", b"k")]))
    assert [dict(s.headers)[b"Idempotency-Key"] for s in stage.port.sent] == [b"k", b"k"]


CONSTRAINTS = [
    ({"regions": {"near", "far"}}, ["near", "far"]),
    ({"regions": "near"}, ["near"]),
    ({"tags": "us"}, ["middle", "far"]),
]


@pytest.mark.parametrize(("options", "tried"), CONSTRAINTS)
def test_the_second_goes_elsewhere_within_the_constraints(
    options: dict[str, Any], tried: list[str]
) -> None:
    tags = {"near": ("eu",), "middle": ("eu", "us"), "far": ("us",)}
    endpoints = [endpoint(name, tags=tags[name]) for name in NAMES]
    stage = stage_of([SLOW, QUICK], endpoints=endpoints)
    assert stage.play(stage.call(options=router.Options(**options))).status == 200
    assert stage.tried() == tried
    assert stage.budget.tokens >= 486


def test_no_second_goes_to_an_endpoint_that_is_out_or_wants_to_be_left_alone() -> None:
    stage = stage_of([SLOW, QUICK])
    for name in ("middle", "far"):
        choice = stage.pool.choose(router.Options(regions=name), tried=(), now=stage.clock())
        stage.pool.cool(choice, 60.0, now=stage.clock())
        choice.give_back()
    assert stage.play(stage.call()).status == 200
    assert stage.tried() == ["near"]


def test_a_budget_that_is_empty_pays_for_no_second() -> None:
    stage = stage_of([SLOW, QUICK], failover=router.Failover(hedge=HEDGE, retry_budget=10))
    assert stage.play(stage.call()).status == 200
    assert (stage.tried(), stage.budget.tokens) == (["near"], 10)


LIMITS = [
    router.Limits(concurrency=1),
    router.Limits(rate=router.Rate(1, 60.0), burst=1),
    router.Limits(concurrency=1, rate=router.Rate(100, 1.0)),
]


@pytest.mark.parametrize("limits", LIMITS)
def test_a_limiter_that_is_full_admits_no_second_and_it_costs_nothing(
    limits: router.Limits,
) -> None:
    stage = stage_of([SLOW, QUICK], limits=limits)
    assert stage.play(stage.call()).status == 200
    assert (stage.tried(), stage.budget.tokens) == (["near"], 500)
    assert (stage.limiter.waiting, stage.limiter.in_use) == (0, 0)
    assert stage.desk.hedging.pay(stage.clock()), "the allowance was given back too"


def test_when_everything_is_slow_a_share_and_one_are_added() -> None:
    failover = router.Failover(hedge=router.Hedge(after=0.5, at_most=0.05))
    stage = stage_of(lambda _: QUICK, failover=failover)
    for _ in range(1000):
        stage.ask()
    before = len(stage.port.sent)
    stage.port._script = lambda _: Scripted(takes=1.0)
    for _ in range(400):
        assert stage.ask() == 200
    assert len(stage.port.sent) - before <= 400 + 0.05 * 400 + 10


@pytest.mark.parametrize("verdict", [401, "stale", 428])
def test_what_is_corrected_goes_to_the_same_endpoint_though_it_might_have_raced(
    verdict: Any,
) -> None:
    stage = stage_of([verdict, 200])
    stage.desk = replace(stage.desk, tokens=Shop(stage.clock).manager)
    assert stage.play(stage.call()).status == 200
    assert stage.tried() == ["near", "near"]
