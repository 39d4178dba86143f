from __future__ import annotations

import random

import pytest
from balance_samples import (
    START,
    choose,
    endpoint,
    expected,
    fail,
    health,
    names,
    placed,
    pool_of,
    succeed,
)

from router.balance.pool import Cooling, EndpointPool
from router.config.settings import Failover
from router.errors import ConfigError, NoEndpointError
from router.options import NO_OPTIONS, Options

LATER = START + 7.0  # past a first ejection of 5 s, at most 6 with its jitter


def test_the_best_endpoint_is_chosen_and_says_why() -> None:
    choice = choose(pool_of("a", "b"))
    assert choice.endpoint.name == "a"
    assert choice.ranked.reason == "about 10 ms expected: 6 200 km away"
    assert [ranked.name for ranked in choice.ranking] == ["a", "b"]
    assert (choice.again, choice.trial) == (False, False)


# -- the order in which endpoints are taken


@pytest.mark.parametrize(
    ("ejected", "tried", "chosen", "again"),
    [
        ("", "", "a", False),
        ("", "a", "b", False),
        ("", "abc", "a", True),
        ("a", "", "b", False),
        ("a", "b", "c", False),
        ("a", "bc", "b", True),  # one that works again before one that does not
        ("ab", "c", "c", True),
        ("abc", "", "a", False),
        ("abc", "a", "b", False),  # all down: still somewhere, first where it was not
        ("abc", "abc", "a", True),
    ],
)
def test_fresh_before_tried_and_working_before_ejected(
    ejected: str, tried: str, chosen: str, *, again: bool
) -> None:
    pool = pool_of("a", "b", "c")
    for name in ejected:
        fail(pool, name, 5)
    choice = choose(pool, *tried)
    assert (choice.endpoint.name, choice.again) == (chosen, again)


def test_a_drained_endpoint_is_never_taken() -> None:
    pool = pool_of("a", "b")
    pool.set_drained("a", drained=True)
    assert choose(pool, "b").endpoint.name == "b"
    pool.set_drained("b", drained=True)
    with pytest.raises(NoEndpointError, match=r"^every endpoint .* is drained: undrain one$"):
        choose(pool)
    pool.set_drained("a", drained=False)
    assert choose(pool, "a").endpoint.name == "a"


def test_draining_what_is_not_there_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="no endpoint is named nowhere"):
        pool_of("a").set_drained("nowhere", drained=True)


def test_a_cooling_endpoint_is_left_alone_until_its_time() -> None:
    pool = pool_of("a", "b")
    pool.cool(choose(pool), 30, now=START)
    assert choose(pool).endpoint.name == "b"
    assert choose(pool, "b").endpoint.name == "b"
    pool.cool(choose(pool), 20, now=START)
    with pytest.raises(Cooling) as cooling:
        choose(pool)
    assert cooling.value.until == START + 20
    assert choose(pool, now=START + 20).endpoint.name == "b"


def test_where_one_cools_and_the_other_is_ejected_the_ejected_one_is_asked() -> None:
    pool = pool_of("a", "b")
    fail(pool, "b", 5)
    pool.cool(choose(pool), 30, now=START)
    assert choose(pool).endpoint.name == "b"


def test_where_one_is_drained_and_the_other_cools_there_is_something_to_wait_for() -> None:
    pool = pool_of("a", "b")
    pool.set_drained("a", drained=True)
    pool.cool(choose(pool), 30, now=START)
    with pytest.raises(Cooling):
        choose(pool)


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (Options(regions="b"), "b"),
        (Options(regions="aws:eu-central-1"), "b"),
        (Options(tags="eu"), "b"),
        (Options(tags={"eu", "gpu"}), "c"),
        (Options(tiers=2), "c"),
    ],
)
def test_constraints_hold_on_every_attempt(options: Options, chosen: str) -> None:
    pool = pool_of(
        "a",
        endpoint("b", region="aws:eu-central-1", tags=("eu",)),
        endpoint("c", tags=("eu", "gpu"), tier=2),
    )
    assert choose(pool, options=options).endpoint.name == chosen
    fail(pool, chosen, 5)
    assert choose(pool, "b", "c", options=options).endpoint.name in {"b", "c"}
    assert pool.has_fresh(options, tried=(), now=START) is (options == Options(tags="eu"))


def test_constraints_that_nobody_meets_are_named() -> None:
    pool = pool_of(endpoint("a", tags=("eu",)), endpoint("b", tier=2))
    with pytest.raises(NoEndpointError, match=r"satisfies tags eu and tiers 2 together: relax"):
        choose(pool, options=Options(tags="eu", tiers=2))


@pytest.mark.parametrize(
    ("tried", "now", "fresh"),
    [("", START, True), ("b", START, False), ("b", LATER, False), ("abc", START, False)],
)
def test_fresh_is_what_is_healthy_and_untried(tried: str, now: float, *, fresh: bool) -> None:
    pool = pool_of("a", "b", "c")
    fail(pool, "a", 5)
    pool.set_drained("c", drained=True)
    assert pool.has_fresh(NO_OPTIONS, tried=tried, now=now) is fresh


# -- out and back in


def test_five_failures_move_the_traffic() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 4)
    assert choose(pool).endpoint.name == "a"
    fail(pool, "a")
    assert choose(pool).endpoint.name == "b"
    assert health(pool) == {"a": "ejected", "b": "healthy"}
    assert pool.ranking(START)[1].reason.endswith("ejected: answered 503")


def test_one_trial_decides() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5)
    assert health(pool, LATER)["a"] == "on trial"
    trial, other = choose(pool, now=LATER), choose(pool, now=LATER)
    assert (trial.endpoint.name, trial.trial) == ("a", True)
    assert (other.endpoint.name, other.trial) == ("b", False)
    pool.answered(trial, 0.01, now=LATER)
    assert health(pool, LATER)["a"] == "healthy"


def test_a_trial_that_fails_ejects_for_longer() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5)
    pool.ranking(LATER)
    fail(pool, "a", now=LATER)
    assert health(pool, LATER + 7.9)["a"] == "ejected"
    assert health(pool, LATER + 12.1)["a"] == "on trial"


def test_a_trial_without_a_verdict_leaves_room_for_the_next() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5)
    pool.ranking(LATER)
    choose(pool, now=LATER).give_back()  # cancelled
    assert choose(pool, now=LATER).trial


def test_a_trial_ends_with_its_verdict_and_not_with_its_body() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5)
    pool.ranking(LATER)
    streaming = choose(pool, now=LATER)
    pool.answered(streaming, 0.01, now=LATER)
    fail(pool, "a", 5, now=LATER)
    pool.ranking(LATER + 7)
    second = choose(pool, now=LATER + 7)
    assert second.trial
    streaming.give_back()
    assert choose(pool, now=LATER + 7).endpoint.name == "b", "two trials at once"


def test_a_probe_brings_an_unreachable_endpoint_back_without_a_request() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5, reached=False)
    pool.probed("a", connect=0.01, warm=0.01, now=START + 1)
    assert health(pool, START + 1)["a"] == "healthy"
    assert choose(pool, now=START + 1).endpoint.name == "a"


def test_failed_probes_move_the_traffic_before_a_request_is_spent() -> None:
    pool = pool_of("a", "b")
    for second in range(3):
        pool.probe_failed("a", "connection refused", now=START + second)
    assert choose(pool, now=START + 2).endpoint.name == "b"


def test_probes_of_an_endpoint_that_is_gone_say_nothing() -> None:
    pool = pool_of("a")
    pool.probed("gone", connect=0.1, warm=0.1, now=START)
    pool.probe_failed("gone", "refused", now=START)
    pool.place("gone", expected())
    assert names(pool) == ["a"]


def test_a_pool_with_the_same_seed_ejects_for_the_same_time() -> None:
    def back(seed: int) -> list[str]:
        pool = pool_of("a", "b", seed=seed)
        fail(pool, "a", 5)
        return [health(pool, START + 4 + step / 100)["a"] for step in range(200)]

    assert back(1) == back(1)
    assert len({tuple(back(seed)) for seed in range(20)}) > 15


# -- what is learnt


def test_service_that_traffic_sees_moves_the_traffic() -> None:
    pool = pool_of("a", "b")
    for step in range(20):
        succeed(pool, "a", now=START + step * 0.1, elapsed=0.5)
        succeed(pool, "b", now=START + step * 0.1, elapsed=0.05)
    assert names(pool, START + 2) == ["b", "a"]


def test_the_ranking_is_made_anew_at_most_every_50_ms_on_success() -> None:
    pool = pool_of("a", "b")
    succeed(pool, "a", now=START)
    first = choose(pool, now=START).ranking
    succeed(pool, "a", now=START + 0.049)
    assert choose(pool, now=START).ranking is first
    succeed(pool, "a", now=START + 0.051)
    assert choose(pool, now=START).ranking is not first


def test_the_schedule_is_told_what_it_has_to_know() -> None:
    pool = pool_of("a", "b", "c")
    fail(pool, "b", 5)
    pool.probed("a", connect=0.01, warm=0.01, now=START)
    pool.probe_failed("c", "refused", now=START)
    views = pool.probe_views()
    assert list(views) == ["a", "c", "b"]
    assert {name: view.down for name, (_, view) in views.items()} == {
        "a": False,
        "b": True,
        "c": True,
    }
    assert [view.samples for _, view in views.values()] == [1, 0, 0]
    assert {view.best for _, view in views.values()} == {views["a"][1].cost}
    assert {view.population for _, view in views.values()} == {3}


def test_an_answer_faster_than_light_is_said_to_be_so() -> None:
    known = {"a": (endpoint("a"), expected(0.2, floor=0.11))}
    pool = EndpointPool(known, Failover(), chance=random.Random(1))
    pool.probed("a", connect=0.02, warm=0.02, now=START)
    reason = pool.ranking(START)[0].reason
    assert "faster than light allows for its place: the place is wrong" in reason


# -- another configuration


def test_an_endpoint_that_stays_the_same_keeps_what_was_learnt() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5)
    pool.probed("b", connect=0.5, warm=0.5, now=START)
    held = choose(pool)
    pool.update(placed("a", endpoint("b", tier=3, tags=("eu",))), Failover())
    assert health(pool)["a"] == "ejected"
    assert pool.ranking(START)[0].estimate.samples == 1
    assert pool.ranking(START)[0].endpoint.tags == ("eu",)
    assert pool.in_flight() == {"a": 0, "b": 1}
    held.give_back()
    assert pool.in_flight() == {"a": 0, "b": 0}


@pytest.mark.parametrize(
    "other",
    [
        {"url": "https://elsewhere.example.com"},
        {"url": "https://a.example.com", "address": "192.0.2.1"},
    ],
)
def test_an_endpoint_that_moved_starts_afresh_but_stays_drained(other: dict[str, str]) -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5)
    held = choose(pool, "b")
    pool.set_drained("a", drained=True)
    moved = type(endpoint("a"))(name="a", **other)  # type: ignore[arg-type]  # keys by name
    pool.update(placed(moved, "b"), Failover())
    assert health(pool)["a"] == "drained"
    pool.set_drained("a", drained=False)
    assert health(pool)["a"] == "healthy"
    held.give_back()
    pool.failed(held, "late", reached=True, now=START)
    assert pool.in_flight() == {"a": 0, "b": 0}


def test_endpoints_come_and_go() -> None:
    pool = pool_of("a", "b")
    pool.update(placed("c"), Failover())
    assert names(pool) == ["c"]
    assert choose(pool).endpoint.name == "c"


def test_new_rules_hold_from_the_next_failure_on() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a")
    pool.update(placed("a", "b"), Failover(eject_after=2, eject_for=100.0))
    fail(pool, "a")
    assert health(pool, START + 79)["a"] == "ejected"


def test_a_better_prior_reorders_what_was_not_measured() -> None:
    pool = pool_of("a", "b")
    pool.place("b", expected(0.001))
    assert names(pool) == ["b", "a"]


# -- giving back


def test_a_choice_gives_back_once() -> None:
    pool = pool_of("a")
    first, second = choose(pool), choose(pool)
    assert pool.in_flight() == {"a": 2}
    for _ in range(3):
        first.give_back()
    assert pool.in_flight() == {"a": 1}
    second.give_back()
    assert pool.in_flight() == {"a": 0}


def test_a_choice_shows_no_machinery() -> None:
    words = repr(choose(pool_of("a")))
    assert "EndpointPool" not in words
    assert "State(" not in words


def test_a_child_process_inherits_knowledge_and_no_attempts() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5)
    pool.ranking(LATER)
    trial = choose(pool, now=LATER)
    pool._lock.acquire()  # by a thread that the child does not have
    pool.reset_after_fork()
    assert pool.in_flight() == {"a": 0, "b": 0}
    assert health(pool, LATER)["a"] == "on trial"
    trial.give_back()
    assert pool.in_flight() == {"a": 0, "b": 0}
    assert choose(pool, now=LATER).trial, "the parent's trial blocks the child's for ever"
