"""Where requests go, whose fault a failure is, and what the trace tells of it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from flow_samples import NAMES, Stage, endpoint, fails_at

import router
from router.balance.belief import UNLIKELY

if TYPE_CHECKING:
    from router.call import Outgoing

ALL_WELL = dict.fromkeys(NAMES, "healthy")


def trace_of(stage: Stage, **options: Any) -> router.Trace:
    """Play a request and return what is told of it."""
    call = stage.call(options=router.Options(**options))
    stage.play(call)
    return router.Trace(tuple(call.attempts))


# -- whose fault


def bad_path(request: Outgoing) -> int | str:
    """Fail one kind of request wherever it goes."""
    return "reset" if request.target.endswith(b"/bad") else 200


def test_a_request_that_fails_wherever_it_goes_ejects_nobody() -> None:
    told: list[str] = []
    stage = Stage(bad_path, note=told.append)
    for _ in range(20):
        assert stage.ask(path=b"/bad") == "AttemptsFailedError"
        assert stage.ask() == 200
    assert stage.health() == ALL_WELL
    assert told == ["every endpoint fails alike, so none is left out for it: reset by the server"]
    sent = Counter(s.endpoint.name for s in stage.port.sent if not s.target.endswith(b"/bad"))
    assert sent["near"] >= 15, "others do not suffer for it"


def test_a_request_that_fails_at_one_and_works_at_another_is_that_ones_fault() -> None:
    stage = Stage(fails_at({"near": "reset"}))
    for _ in range(5):
        stage.ask(regions="near", deadline=0.015)
        assert stage.ask(tags="eu") == 200
    assert stage.health()["near"] == "ejected"


def test_a_network_that_is_down_ejects_nobody_and_is_told_once() -> None:
    told: list[str] = []
    fails: dict[str, str | int] = dict.fromkeys(NAMES, "refused")
    stage = Stage(fails_at(fails), note=told.append)
    for _ in range(10):
        assert stage.ask() == "AttemptsFailedError"
    assert stage.health() == ALL_WELL
    assert told == ["every endpoint fails alike, so none is left out for it: connection refused"]
    fails.clear()
    assert stage.ask() == 200
    assert len(stage.port.sent) == 17, "while all fail alike, few are tried again"


@pytest.mark.parametrize("failure", ["refused", "reset", 503])
def test_two_regions_that_are_down_do_not_hide_a_third_from_requests_of_two_attempts(
    failure: int | str,
) -> None:
    script = fails_at({"near": failure, "middle": failure})
    stage = Stage(script, failover=router.Failover(attempts=2))
    answers = [stage.ask() for _ in range(20)]
    assert answers[2:] == [200] * 18


@pytest.mark.parametrize(
    ("status", "health"), [(400, "healthy"), (404, "healthy"), (401, "healthy"), (500, "ejected")]
)
def test_what_the_caller_did_wrong_ejects_nobody(status: int, health: str) -> None:
    stage = Stage(fails_at({"near": status}))
    for _ in range(6):
        stage.ask(regions="near", deadline=0.015)
        stage.ask(regions="middle")
    assert stage.health()["near"] == health


# -- constraints come before cost


def residents(script: Any) -> Stage:
    """Return two endpoints in the EU and a better one that is not."""
    return Stage(
        script,
        endpoints=(
            endpoint("us", tags=("us",)),
            endpoint("eu-1", tags=("eu",)),
            endpoint("eu-2", tags=("eu",)),
        ),
        failover=router.Failover(attempts=5),
    )


def test_data_that_may_not_leave_does_not_leave_on_failover_either() -> None:
    stage = residents(fails_at({"eu-1": "refused", "eu-2": "refused"}))
    assert stage.ask() == 200
    for _ in range(20):
        assert stage.ask(tags="eu") == "AttemptsFailedError"
        assert stage.ask() == 200
    told = Counter(sent.endpoint.name for sent in stage.port.sent)
    assert told["us"] == 21
    assert min(told["eu-1"], told["eu-2"]) > 10


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"tags": "eu"}, "NoEndpointError"),
        ({"regions": ["eu-1", "eu-2"]}, "NoEndpointError"),
        ({"tags": "uk"}, "OptionsError"),
    ],
)
def test_where_nobody_may_serve_that_is_a_typed_error(options: Any, error: str) -> None:
    stage = residents([])
    for name in ("eu-1", "eu-2"):
        stage.pool.set_drained(name, drained=True)
    assert stage.ask(**options) == error
    assert stage.port.sent == []
    assert stage.settled()


def test_a_constraint_holds_on_every_attempt() -> None:
    stage = Stage(["refused", "refused"], failover=router.Failover(attempts=2))
    assert stage.ask(regions="far") == "AttemptsFailedError"
    assert stage.tried() == ["far", "far"]


def test_a_second_tier_takes_over_when_the_first_fails_and_hands_back_when_it_is_well() -> None:
    fails: dict[str, str | int] = {"first": "refused"}
    stage = Stage(fails_at(fails), endpoints=(endpoint("first"), endpoint("spare", tier=2)))
    assert [stage.ask() for _ in range(20)] == [200] * 20
    assert stage.tried().count("first") <= 3
    fails.clear()
    stage.clock.advance(60)
    stage.port.sent.clear()
    assert [stage.ask() for _ in range(20)] == [200] * 20
    assert set(stage.tried()) == {"first"}


def test_a_conversation_stays_where_its_cache_is_until_that_fails() -> None:
    fails: dict[str, str | int] = {}
    stage = Stage(fails_at(fails), takes={"near": 0.01, "middle": 0.02, "far": 0.03})
    stage.pool.set_drained("near", drained=True)
    stage.ask(affinity="chat")
    stage.pool.set_drained("near", drained=False)
    for _ in range(3):
        stage.ask(affinity="chat")
        stage.ask()
    assert stage.tried() == ["middle", *["middle", "near"] * 3]
    fails["middle"] = "refused"
    assert stage.ask(affinity="chat") == 200
    fails.clear()
    stage.clock.advance(60)
    stage.port.sent.clear()
    stage.ask(affinity="chat")
    assert stage.tried() == ["near"], "its cache is in the new place now"


def test_who_cannot_answer_within_the_deadline_is_not_asked() -> None:
    stage = Stage(fails_at({}))
    for name, rtt in zip(NAMES, (0.5, 0.3, 0.4), strict=True):
        for _ in range(8):
            stage.pool.probed(name, connect=rtt, warm=rtt, now=stage.clock())
    assert stage.ask(deadline=0.1) == "DeadlineError"
    assert stage.port.sent == []
    assert stage.ask(deadline=0.35) == 200
    assert stage.tried() == ["middle"]
    assert stage.settled()


# -- what is told


def test_the_trace_tells_why() -> None:
    trace = trace_of(Stage(["refused", 200]))
    assert trace.endpoint == "middle"
    near, middle, far = (
        f"about {ms} ms there and back, not measured; 0 in flight; by decree" for ms in (10, 20, 30)
    )
    doubted = near.replace("measured;", "measured +48 risk of a failure;")
    assert trace.explain().splitlines() == [
        "attempt 1: near: connection refused after 10.0 ms",
        "  why near: 10 ms expected, the least of 3; next is middle with 20 ms",
        f"  near      10 ms  {near}; healthy",
        f"  middle    20 ms  {middle}; healthy",
        f"  far       30 ms  {far}; healthy",
        "attempt 2: middle: 200 after 10.0 ms",
        "  why middle: 20 ms expected, the least of 2; next is far with 30 ms",
        f"  middle    20 ms  {middle}; healthy",
        f"  far       30 ms  {far}; healthy",
        f"  near      58 ms  {doubted}; tried before in this request: connection refused",
    ]
    assert trace.as_dict()["attempts"][0]["verdict"] == "never sent"


def test_each_attempt_tells_how_things_stood_when_it_was_made() -> None:
    trace = trace_of(Stage(["refused", "reset", 200]))
    tried = [
        [c.name for c in attempt.decision.candidates if c.excluded] for attempt in trace.attempts
    ]
    assert tried == [[], ["near"], ["near", "middle"]]
    assert [attempt.chosen.name for attempt in trace.attempts] == ["near", "middle", "far"]
    assert [len(attempt.ranking) for attempt in trace.attempts] == [3, 3, 3]


def test_the_trace_tells_whom_the_constraints_leave_out() -> None:
    trace = trace_of(residents([200]), tags="eu")
    assert trace.explain().splitlines()[-1] == "  not allowed: us (without tag eu)"


def test_the_trace_is_plain_data_that_json_can_hold() -> None:
    data = json.loads(json.dumps(trace_of(Stage(["refused", 200])).as_dict(), allow_nan=False))
    assert data["endpoint"] == "middle"
    first, second = data["attempts"]
    assert (first["endpoint"], first["why"], first["verdict"]) == ("near", "least", "never sent")
    assert (second["endpoint"], second["why"], second["status"]) == ("middle", "least", 200)
    assert [c["name"] for c in second["candidates"]] == ["middle", "far", "near"]
    assert second["candidates"][2]["excluded"] == "tried before in this request"


def test_an_error_tells_the_story_as_a_trace_does() -> None:
    stage = Stage(fails_at(dict.fromkeys(NAMES, "refused")))
    call = stage.call()
    with pytest.raises(router.RouterError) as caught:
        stage.play(call)
    told = caught.value.explain()
    assert told == router.Trace(tuple(caught.value.attempts)).explain()
    assert told.startswith("attempt 1: near: connection refused after 10.0 ms\n  why near: ")
    assert router.RouterError("nothing was tried").explain() == "nothing was tried"


@pytest.mark.parametrize("status", [200, 304, 400, 404])
def test_an_answer_that_refuses_teaches_no_speed(status: int) -> None:
    stage = Stage(fails_at(dict.fromkeys(NAMES, status)))
    assert stage.ask() == status
    state = stage.pool._roster.states["near"]
    assert (state.answers, state.asked) == (1, status < 400)


@pytest.mark.parametrize(("takes", "errors"), [(0.9, 0), (1.1, 3)])
def test_a_short_time_of_the_callers_own_blames_nobody(takes: float, errors: int) -> None:
    stage = Stage(lambda _: "timeout", takes=dict.fromkeys(NAMES, takes))
    stage.ask(regions="near")
    state = stage.pool._roster.states["near"]
    assert (state.errors, state.health.failures) == (errors, errors)
    assert state.odds(stage.clock()) > UNLIKELY, "it was late all the same"
