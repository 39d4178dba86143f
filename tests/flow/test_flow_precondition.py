"""A server answers 428: an id is made, the request is looked at, and sent once more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from flow_samples import Stage

import router
from router.call import Body, Once

if TYPE_CHECKING:
    from router.failover.precondition import Refused

JSON = [(b"Content-Type", b"application/json")]


def ids(stage: Stage) -> list[bytes | None]:
    return [dict(sent.headers).get(b"X-Request-Id") for sent in stage.port.sent]


def test_it_is_sent_once_more_after_one_to_two_seconds_at_the_same_endpoint() -> None:
    waits = []
    for _ in range(2):
        stage = Stage([428, 200, 428, 200, 428, 200])
        for _ in range(3):
            assert stage.play(stage.call("POST")).status == 200
        assert stage.tried() == ["near"] * 6
        waits.append(stage.port.slept)
    assert waits[0] == waits[1], "the chance is the desk's"
    assert all(1.0 <= wait <= 2.0 for wait in waits[0])
    assert len(set(waits[0])) == 3


def test_a_second_428_is_the_callers() -> None:
    stage = Stage([428, 428])
    call = stage.call("POST")
    assert stage.play(call).status == 428
    assert len(call.attempts) == 2
    assert stage.health()["near"] == "healthy"
    assert stage.settled()


def test_an_id_is_made_once_and_stays_the_same_over_all_attempts() -> None:
    stage = Stage([428, 503, 503, 200])
    assert stage.play(stage.call()).status == 200
    first, *others = ids(stage)
    assert first is None
    assert len(others) == 3
    assert len(set(others)) == 1
    assert others[0] is not None
    assert len(others[0]) == 36


def test_the_callers_own_id_stays() -> None:
    stage = Stage([428, 200])
    stage.play(stage.call("POST", headers=[(b"x-request-id", b"mine")]))
    sent = [
        [v for n, v in sent.headers if n.lower() == b"x-request-id"] for sent in stage.port.sent
    ]
    assert sent == [[b"mine"], [b"mine"]]


def test_without_a_header_for_it_no_id_is_made() -> None:
    settings = router.Precondition(request_id=None)
    stage = Stage([428, 200], failover=router.Failover(precondition=settings))
    assert stage.play(stage.call("POST")).status == 200
    assert ids(stage) == [None, None]


def test_a_body_that_is_not_json_is_the_callers_to_mend() -> None:
    stage = Stage([428])
    call = stage.call("POST", headers=JSON, body=Body([b'{"a"', b":"], replayable=True))
    with pytest.raises(router.PreconditionError, match="fails the check json") as caught:
        stage.play(call)
    error = caught.value
    assert (error.check, error.blame, len(error.attempts)) == ("json", "caller", 1)
    assert not error.maybe_processed
    assert stage.settled()


OLD = datetime(2020, 1, 1, tzinfo=UTC)
BEGINNINGS: list[tuple[Any, bool]] = [
    (OLD, False),
    (OLD.timestamp(), False),
    (0.0, False),
    (datetime.now(UTC), True),
    (4e9, True),
]


@pytest.mark.parametrize(("began", "passes"), BEGINNINGS)
@pytest.mark.parametrize("by_hook", [False, True])
def test_a_conversation_that_is_too_old_is_the_callers_to_begin_anew(
    began: Any, *, passes: bool, by_hook: bool
) -> None:
    seen: list[Refused] = []

    def hook(refused: Refused) -> Any:
        seen.append(refused)
        return began

    stage = Stage([428, 200], began=hook if by_hook else None)
    options = router.Options() if by_hook else router.Options(conversation_began=began)
    call = stage.call("POST", options=options, body=Body([b"a", b"b"], replayable=True))
    if passes:
        assert stage.play(call).status == 200
    else:
        with pytest.raises(router.PreconditionError, match="begin a new one") as caught:
            stage.play(call)
        assert caught.value.check == "conversation"
    assert [(r.method, r.path, r.body) for r in seen] == [("POST", "/things", b"ab")] * by_hook
    assert len(stage.port.sent) == 1 + passes


def test_the_options_are_before_the_hook() -> None:
    stage = Stage([428, 200], began=lambda _: OLD)
    options = router.Options(conversation_began=4e9)
    assert stage.play(stage.call("POST", options=options)).status == 200


def raises(_: Refused) -> float:
    raise ZeroDivisionError("planted-secret")


HOOKS = [
    (raises, "its hook raised ZeroDivisionError"),
    (lambda _: "soon", "its hook returned no aware datetime"),
]


@pytest.mark.parametrize(("hook", "said"), HOOKS)
def test_a_hook_that_fails_is_told_without_its_words(hook: Any, said: str) -> None:
    stage = Stage([428], began=hook)
    with pytest.raises(router.PreconditionError, match=said) as caught:
        stage.play(stage.call("POST"))
    assert caught.value.check == "conversation"
    assert "planted" not in str(caught.value)
    assert stage.settled()


def test_a_hook_that_knows_nothing_changes_nothing() -> None:
    stage = Stage([428, 200], began=lambda _: None)
    assert stage.play(stage.call("POST")).status == 200


def test_a_body_that_was_read_is_not_sent_again_and_the_428_is_the_callers() -> None:
    stage = Stage([428])
    once = Once([b"x"], until=1e9, now=stage.clock)
    list(once)
    call = stage.call("POST", body=Body(once, replayable=False))
    assert stage.play(call).status == 428
    assert call.stopped == "its body can be read only once"


def test_where_no_time_is_left_for_the_wait_the_428_is_the_callers() -> None:
    stage = Stage([428])
    call = stage.call("POST", options=router.Options(deadline=0.9))
    assert stage.play(call).status == 428
    assert call.stopped is not None
    assert "past the deadline" in call.stopped
    assert stage.port.slept == []


def test_where_the_budget_is_empty_the_428_is_the_callers() -> None:
    stage = Stage([428], failover=router.Failover(retry_budget=1))
    call = stage.call("POST")
    assert stage.play(call).status == 428
    assert call.stopped == "the retry budget is used up"


def test_safe_may_be_sent_again_too_for_nothing_was_done() -> None:
    stage = Stage([428, 200], failover=router.Failover(repeat="safe", attempts=1))
    assert stage.play(stage.call("POST")).status == 200
