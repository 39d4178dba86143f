"""`Router.explain`, which `router explain` asks: what a request would meet, leaving no trace."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

import router
from router.balance.decision import Why
from router.options import NO_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from router.testing import Regions

QUIET = router.Probe(enabled=False)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that stand still until the test moves them."""
    time = [1000.0]
    monkeypatch.setattr(router.Router, "now", staticmethod(lambda: time[0]))
    return time


@pytest.fixture
def it(clock: list[float]) -> Iterator[router.Router]:
    """A Router with a near and a far endpoint."""
    config = router.Config(
        endpoints=(
            router.Endpoint(url="http://127.0.0.1:9", name="near", region="aws:eu-west-2"),
            router.Endpoint(url="http://127.0.0.1:10", name="far", region="aws:us-east-1"),
        ),
        geo=router.GeoSettings(here="aws:eu-west-2"),
        failover=router.Failover(eject_after=1),
        probe=QUIET,
    )
    made = router.Router(config)
    yield made
    made.close()


def fail(it: router.Router, name: str) -> None:
    """Let a request fail at an endpoint, which ejects it."""
    choice = it.pool.choose(router.Options(regions=name), tried=(), now=it.now())
    it.pool.failed(choice, "connection refused", reached=False, now=it.now())
    choice.give_back()


def cool(it: router.Router, name: str, seconds: float) -> None:
    choice = it.pool.choose(router.Options(regions=name), tried=(), now=it.now())
    it.pool.cool(choice, seconds, now=it.now())
    choice.give_back()


def measured(it: router.Router) -> None:
    """Let three probes of each endpoint take 0.1 s there and back."""
    for name in it.pool.names():
        for _ in range(3):
            it.pool.probed(name, connect=0.1, warm=0.1, now=it.now())


def test_a_request_goes_where_it_was_told(regions: Regions) -> None:
    with router.Client(regions.config(probe=QUIET)) as client:
        told = client.router.explain(router.Options(regions=["far", "middle"]))

        options = {"router": router.Options(regions=["far", "middle"])}
        trace = client.get("/", extensions=options).extensions["router"]

    assert trace.endpoint == told.chosen.name
    assert trace.attempts[0].decision.reason == told.reason


def test_nothing_is_started_or_sent(regions: Regions) -> None:
    threads = threading.active_count()

    router.Router(regions.config()).explain()

    assert threading.active_count() == threads
    assert [region.probes for region in regions] == [0, 0, 0]
    assert regions.received == []


def test_it_leaves_no_trace(it: router.Router) -> None:
    before = json.dumps(it.snapshot())

    for _ in range(20):
        assert it.explain().chosen.row.in_flight == 0

    assert json.dumps(it.snapshot()) == before
    assert it.pool.in_flight() == {"near": 0, "far": 0}
    assert len(it.pool._affinity._pins) == 0


def test_it_takes_no_trial(it: router.Router, clock: list[float]) -> None:
    fail(it, "near")
    assert it.explain().chosen.name == "far"
    clock[0] += 3600.0

    told = [it.explain() for _ in range(3)]

    assert [(decision.chosen.name, decision.trial) for decision in told] == [("near", True)] * 3
    assert "this attempt decides whether it is back" in told[0].reason
    assert it.pool.choose(NO_OPTIONS, tried=(), now=clock[0]).trial


def test_a_trial_under_way_stays_under_way(it: router.Router, clock: list[float]) -> None:
    fail(it, "near")
    clock[0] += 3600.0
    trial = it.pool.choose(NO_OPTIONS, tried=(), now=clock[0])

    assert it.explain().chosen.name == "far"
    assert trial.trial
    assert it.pool.in_flight() == {"near": 1, "far": 0}
    assert it.explain().chosen.name == "far"


def test_a_conversation_is_told_where_it_stays(it: router.Router) -> None:
    options = router.Options(affinity="talk")
    it.drain("near")
    it.pool.choose(options, tried=(), now=it.now()).give_back()
    it.undrain("near")

    told = it.explain(options)

    assert (told.chosen.name, told.why) == ("far", Why.PINNED)
    assert it.explain().chosen.name == "near"


def test_who_is_out_is_told_with_the_reason(it: router.Router) -> None:
    fail(it, "near")
    cool(it, "near", 5.0)

    excluded = {c.name: c.excluded for c in it.explain().candidates}

    assert excluded["far"] is None
    assert str(excluded["near"]).startswith("cooling")


def nobody_fits(it: router.Router) -> None:
    """Leave all as it is: the options ask for what no endpoint has together."""


def drain_all(it: router.Router) -> None:
    for name in it.pool.names():
        it.drain(name)


def cool_all(it: router.Router) -> None:
    for name in it.pool.names():
        cool(it, name, 7.0)


@pytest.mark.parametrize(
    ("given", "options", "error", "words"),
    [
        (nobody_fits, {"tags": "eu"}, router.OptionsError, "no endpoint has the tag eu"),
        (drain_all, {}, router.NoEndpointError, "undrain one"),
        (cool_all, {}, router.RetryLaterError, "asked to be left alone for 7.0 s more"),
        (measured, {"deadline": 0.01}, router.DeadlineError, "the nearest endpoint needs"),
    ],
)
def test_where_no_request_could_go_the_error_says_why(
    given: Callable[[router.Router], None],
    options: dict[str, object],
    error: type[router.RouterError],
    words: str,
    it: router.Router,
) -> None:
    given(it)

    with pytest.raises(error, match=words) as caught:
        it.explain(router.Options(**options))  # type: ignore[arg-type]

    assert caught.value.retry_after == (7.0 if given is cool_all else None)
    assert it.pool.in_flight() == {"near": 0, "far": 0}
