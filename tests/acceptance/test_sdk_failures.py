"""What the SDKs do when no answer comes, and that their own loops multiply nothing."""

from __future__ import annotations

import gc
import time
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sdk_samples import KINDS, WORDS, Talk, config_for, failing, speak

import router
from router.repeats import FAILED, refuse_repeated, remember
from router.testing import Regions

if TYPE_CHECKING:
    from collections.abc import Iterator

SDK_SLEEPS = 2.0
"""Seconds at most that an SDK waits before its first repetition, and some for a busy machine."""


@pytest.fixture
def two() -> Iterator[Regions]:
    """Two regions; `near` is the one that is asked first."""
    with Regions(near=0.002, far=0.010) as regions:
        for region in regions:
            region.respond = speak
        yield regions


def silence(regions: Regions) -> None:
    for region in regions:
        region.silent = True


@contextmanager
def nobody_answers(regions: Regions, kind: str, *, max_retries: int) -> Iterator[Talk]:
    for region in regions:
        region.kill()
    with Talk(kind, config_for(regions, kind), max_retries=max_retries) as talk:
        yield talk


def answers_again(regions: Regions, talk: Talk) -> bool:
    for region in regions:
        region.revive()
    return talk.ask() == "Guten Tag"


def router_error(error: Any) -> router.RouterError:
    assert isinstance(error.__cause__, router.RouterError)
    return error.__cause__


@pytest.mark.parametrize("kind", KINDS)
def test_the_sdks_timeout_bounds_each_attempt_and_another_region_answers(
    two: Regions, kind: str
) -> None:
    two["near"].silent = True
    with Talk(kind, config_for(two, kind), timeout=0.3) as talk:
        began = time.monotonic()
        assert talk.ask() == "Guten Tag"
        assert 0.3 <= time.monotonic() - began < 2.0
        assert talk.stream(timeout=0.2) == list(WORDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_timeout_everywhere_is_the_sdks_and_is_not_repeated(two: Regions, kind: str) -> None:
    silence(two)
    with Talk(kind, config_for(two, kind), timeout=0.1, max_retries=1) as talk:
        began = time.monotonic()
        with talk.fails_as("APITimeoutError") as failed:
            talk.ask()
        assert 0.2 <= time.monotonic() - began < 0.2 + SDK_SLEEPS
        assert len(router_error(failed[0]).attempts) == 2
    assert len(two.received) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_deadline_is_a_timeout_of_the_sdk_and_is_not_repeated(two: Regions, kind: str) -> None:
    silence(two)
    with Talk(kind, config_for(two, kind), max_retries=1) as talk:
        began = time.monotonic()
        with (
            router.using(router.Options(deadline=0.25)),
            talk.fails_as("APITimeoutError") as failed,
        ):
            talk.ask()
        assert time.monotonic() - began < 0.25 + SDK_SLEEPS
        assert isinstance(router_error(failed[0]), router.DeadlineError)
    assert len(two.received) <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_when_all_regions_are_dead_it_fails_at_once(two: Regions, kind: str) -> None:
    with nobody_answers(two, kind, max_retries=0) as talk:
        began = time.monotonic()
        with talk.fails_as("APIConnectionError") as failed:
            talk.ask()
        assert time.monotonic() - began < 1.0
        error = router_error(failed[0])
        assert [attempt.endpoint for attempt in error.attempts] == ["near", "far"]
        with talk.fails_as("APIConnectionError"):
            talk.stream()
        assert answers_again(two, talk)


@pytest.mark.parametrize("kind", KINDS)
def test_the_sdks_loop_sends_nothing_that_the_router_gave_up(two: Regions, kind: str) -> None:
    with nobody_answers(two, kind, max_retries=2) as talk:
        sent = counted(talk)
        with talk.fails_as("APIConnectionError") as failed:
            talk.ask()
        assert len(router_error(failed[0]).attempts) == 2
        assert sent == ["near", "far"]
        assert answers_again(two, talk)


@pytest.mark.parametrize("kind", KINDS)
def test_many_at_once_are_not_mistaken_for_each_other(two: Regions, kind: str) -> None:
    with nobody_answers(two, kind, max_retries=1) as talk:
        sent = counted(talk)
        errors = talk.at_once([router.Options() for _ in range(6)])
        wanted = talk.module.APIConnectionError
        assert [type(error) for error in errors] == [wanted] * 6
        tried = [len(router_error(error).attempts) for error in errors]
        assert sum(tried) == len(sent) <= 12


def counted(talk: Talk) -> list[str]:
    """Return where attempts go from now on, also those that reach nobody."""
    wires, sent = talk.http._transport._wires, []
    send = wires.send

    def counting(request: Any) -> Any:
        sent.append(request.endpoint.name)
        return send(request)

    wires.send = counting
    return sent


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_that_may_have_been_processed_is_sent_once(two: Regions, kind: str) -> None:
    silence(two)
    once = router.Failover(attempts=2)  # repeat: rejected, the default
    config = config_for(two, kind, failover=once)
    with Talk(kind, config, timeout=0.1, max_retries=1) as talk:
        with talk.fails_as("APITimeoutError") as failed:
            talk.ask()
        assert router_error(failed[0]).maybe_processed
    assert len(two.received) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_api_itself_refuses_is_the_sdks_to_repeat(two: Regions, kind: str) -> None:
    for region in two:
        region.respond = lambda _: failing(409)
    with Talk(kind, config_for(two, kind), max_retries=1) as talk, talk.fails_as("ConflictError"):
        talk.ask()
    assert [r.headers["x-stainless-retry-count"] for r in two.received] == ["0", "1"]


class Asked:
    """As much of a request as is looked at."""

    def __init__(self, count: str | None, url: str = "u", method: str = "POST") -> None:
        self.headers = {} if count is None else {"x-stainless-retry-count": count}
        self.url = url
        self.method = method


def failure() -> router.RouterError:
    return router.AttemptsFailedError("no", attempts=(), retry_after=3.0)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (Asked("0"), Asked("0")),
        (Asked("0"), Asked("2")),
        (Asked("1"), Asked("1")),
        (Asked("0"), Asked(None)),
        (Asked("0"), Asked("one")),
        (Asked("0"), Asked("1", url="v")),
        (Asked("0"), Asked("1", method="GET")),
        (Asked(None), Asked("1")),
        (Asked("99999"), Asked("100000")),
    ],
)
def test_another_request_is_no_repetition_and_lets_the_failure_be_forgotten(
    first: Asked, then: Asked
) -> None:
    remember(first, failure())
    refuse_repeated(then)
    assert FAILED.get() is None


def test_a_repetition_gets_the_same_error_as_often_as_it_comes() -> None:
    remember(Asked("0"), failure())
    for count in "123":
        asked = Asked(count)
        with pytest.raises(router.AttemptsFailedError, match=r"^no$") as refused:
            refuse_repeated(asked)
        assert (refused.value.retry_after, refused.value.blame) == (3.0, "service")
        assert refused.value.request is asked  # type: ignore[attr-defined]
        remember(asked, refused.value)
    refuse_repeated(Asked("0"))


def test_what_is_remembered_holds_on_to_nothing_that_failed() -> None:
    class Held:
        pass

    def failed() -> weakref.ref[Held]:
        held = Held()
        try:
            raise failure() from ValueError(held)
        except router.RouterError as error:
            remember(Asked("0"), error)
        return weakref.ref(held)

    held = failed()
    gc.collect()
    assert held() is None
    refuse_repeated(Asked(None))
