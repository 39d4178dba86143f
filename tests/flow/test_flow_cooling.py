"""Servers ask to be left alone: each of them, and all of them."""

from __future__ import annotations

import pytest
from flow_samples import NAMES, Stage, endpoint, fails_at

import router
from router.testing.script import Scripted


def later(seconds: bytes, status: int = 429) -> Scripted:
    return Scripted(status=status, headers=[(b"Retry-After", seconds)], executed=False)


@pytest.mark.parametrize("status", [429, 503, 529])
def test_an_endpoint_that_says_when_is_left_alone_until_then(status: int) -> None:
    stage = Stage(lambda r: later(b"20", status) if r.endpoint.name == "near" else 200)
    for _ in range(10):
        assert stage.play(stage.call("POST")).status == 200
        stage.clock.advance(1.9)
    assert stage.tried().count("near") == 1
    assert stage.port.slept == []


def test_a_429_that_does_not_say_when_is_left_alone_a_little() -> None:
    stage = Stage(fails_at({"near": 429}), failover=router.Failover())
    assert stage.ask() == 200
    assert stage.health()["near"] == "cooling"
    stage.clock.advance(1.0)
    assert stage.health()["near"] == "healthy"


def test_a_503_that_does_not_say_when_is_not() -> None:
    stage = Stage(fails_at({"near": 503}))
    assert stage.ask() == 200
    assert stage.health()["near"] == "healthy"


def test_nobody_is_left_alone_for_more_than_a_day() -> None:
    stage = Stage([later(b"99999999"), 200, 200])
    assert stage.ask() == 200
    stage.clock.advance(86400.5)
    assert stage.health()["near"] == "healthy"


def all_cool(stage: Stage) -> None:
    assert stage.ask(deadline=0.5) == 429
    assert stage.health() == dict.fromkeys(NAMES, "cooling")


def test_while_all_want_to_be_left_alone_nothing_is_sent_and_the_rate_is_not_spent() -> None:
    limits = router.Limits(rate=router.Rate(10, 10.0), burst=10)
    stage = Stage(lambda _: later(b"60"), limits=limits)
    all_cool(stage)
    sent = len(stage.port.sent)
    for _ in range(50):
        assert stage.ask(deadline=10.0) == "RetryLaterError"
    assert len(stage.port.sent) == sent
    assert stage.limiter.waiting == 0
    stage.port._script = lambda _: 200
    stage.clock.advance(60.0)
    assert [stage.ask(deadline=0.2) for _ in range(10)] == [200] * 10, "the whole burst is there"


@pytest.mark.parametrize("limits", [router.Limits(), router.Limits(concurrency=1)])
def test_who_has_time_waits_until_the_first_may_be_asked(limits: router.Limits) -> None:
    waits = {"near": b"9", "middle": b"4", "far": b"6"}
    stage = Stage(lambda r: later(waits[r.endpoint.name]), limits=limits)
    all_cool(stage)
    stage.port._script = lambda _: 200
    began = stage.clock()
    assert stage.ask() == 200
    assert stage.tried()[-1] == "middle"
    assert stage.clock() - began == pytest.approx(4.0, abs=0.1)


def test_the_error_says_when_to_come_back_and_whose_doing_it_is() -> None:
    stage = Stage(lambda _: later(b"60"))
    all_cool(stage)
    call = stage.call("POST", options=router.Options(deadline=5.0))
    with pytest.raises(router.RetryLaterError) as caught:
        stage.play(call)
    assert caught.value.blame == "service"
    assert caught.value.retry_after == pytest.approx(60.0, abs=0.1)
    assert caught.value.attempts == ()


def test_a_constraint_that_leaves_only_the_cooling_is_told_the_same_way() -> None:
    stage = Stage(lambda r: later(b"60") if r.endpoint.name == "near" else 200)
    assert stage.ask() == 200
    assert stage.ask(regions="near", deadline=5.0) == "RetryLaterError"
    assert stage.ask(deadline=5.0) == 200


def test_a_queue_that_was_there_before_all_went_silent_hears_why() -> None:
    stage = Stage([200], limits=router.Limits(concurrency=1))
    held = stage.limiter.admit(stage.clock())
    queued = stage.limiter.admit(stage.clock())
    stage.limiter.hold(stage.clock() + 60.0)
    told = queued.refusal(None, 0.0, stage.clock() + 20.0)  # type: ignore[union-attr]
    assert isinstance(told, router.RetryLaterError)
    assert told.retry_after == pytest.approx(40.0)
    told = queued.refusal(None, 0.0, stage.clock() + 70.0)  # type: ignore[union-attr]
    assert isinstance(told, router.LimitError), "then it was the limit"
    queued.leave()  # type: ignore[union-attr]
    held.give_back()  # type: ignore[union-attr]


def test_an_endpoint_that_is_drained_does_not_keep_others_waiting() -> None:
    stage = Stage(lambda _: later(b"60"), endpoints=[endpoint("near"), endpoint("far")])
    stage.pool.set_drained("far", drained=True)
    assert stage.ask(deadline=0.5) == 429
    assert stage.ask(deadline=5.0) == "RetryLaterError"
    stage.port._script = lambda _: 200
    stage.pool.set_drained("far", drained=False)
    stage.limiter.hold(stage.pool.all_cool_until(stage.clock()))
    assert stage.ask(deadline=5.0) == 200
    assert stage.tried()[-1] == "far"
