"""Which endpoints there are: reloads, constraints, and many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from balance_samples import (
    FAILOVER,
    START,
    choose,
    chosen,
    eject,
    endpoint,
    expected,
    fail,
    health,
    measure,
    names,
    placed,
    pool_of,
    succeed,
)

from router.balance.roster import MOST_OUTSIDE, MOST_SLATES
from router.balance.slate import AT_HAND, FEW
from router.config.settings import Failover
from router.errors import NoEndpointError
from router.options import NO_OPTIONS, Options

if TYPE_CHECKING:
    from router.balance.pool import EndpointPool

# -- another configuration


def test_an_endpoint_that_stays_the_same_keeps_what_was_learnt() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5)
    pool.probed("b", connect=0.5, warm=0.5, now=START)
    held = choose(pool)
    pool.update(placed("a", endpoint("b", tier=3, tags=("eu",))), FAILOVER)
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
    pool.update(placed(moved, "b"), FAILOVER)
    assert health(pool)["a"] == "drained"
    pool.set_drained("a", drained=False)
    assert health(pool)["a"] == "healthy"
    held.give_back()
    pool.failed(held, "late", reached=True, now=START)
    assert pool.in_flight() == {"a": 0, "b": 0}


def test_endpoints_come_and_go() -> None:
    pool = pool_of("a", "b")
    pool.update(placed("c"), FAILOVER)
    assert names(pool) == ["c"]
    assert chosen(pool) == "c"
    assert pool.endpoint("a") is None
    assert pool.endpoint("c") == endpoint("c")
    assert pool.names() == ("c",)
    pool.update({}, FAILOVER)
    with pytest.raises(NoEndpointError):
        choose(pool)


@pytest.mark.parametrize(
    ("changed", "best"),
    [({"weight": 3.0}, "b"), ({"tier": 2}, "a"), ({"weight": 0.1}, "a")],
)
def test_a_new_weight_or_tier_holds_from_the_next_request_on(
    changed: dict[str, float], best: str
) -> None:
    pool = pool_of("a", "b")
    chosen(pool)
    pool.update(placed("a", endpoint("b", **changed)), FAILOVER)
    assert chosen(pool) == best


def test_another_place_holds_from_the_next_request_on() -> None:
    pool = pool_of("a", "b")
    chosen(pool)
    pool.update(placed("a", "b") | {"b": (endpoint("b"), expected(0.001))}, FAILOVER)
    assert chosen(pool) == "b"


def test_new_rules_hold_from_the_next_failure_on() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a")
    pool.update(placed("a", "b"), Failover(eject_after=2, eject_for=100.0))
    fail(pool, "a")
    assert health(pool, START + 79)["a"] == "ejected"


def test_a_reload_may_allow_less_and_more() -> None:
    pool = pool_of("a", endpoint("b", tags=("eu",)))
    known = placed("a", endpoint("b", tags=("eu",)))
    pool.update(known, FAILOVER, allow=Options(tags="eu"))
    assert chosen(pool) == "b"
    assert chosen(pool, "b") == "b", "data that may not leave does not leave on failover either"
    assert set(names(pool)) == {"a", "b"}, "it is ranked all the same"
    pool.update(known, FAILOVER)
    assert chosen(pool) == "a"


def test_a_better_prior_reorders_what_was_not_measured() -> None:
    pool = pool_of("a", "b")
    pool.place("b", expected(0.001))
    assert names(pool) == ["b", "a"]


# -- constraints


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (Options(regions="b"), "b"),
        (Options(regions="aws:eu-central-1"), "b"),
        (Options(tags="eu"), "b"),
        (Options(tags={"eu", "gpu"}), "c"),
        (Options(tiers=2), "c"),
    ],
)
def test_constraints_hold_on_every_attempt(options: Options, name: str) -> None:
    pool = pool_of(
        "a",
        endpoint("b", region="aws:eu-central-1", tags=("eu",)),
        endpoint("c", tags=("eu", "gpu"), tier=2),
    )
    assert chosen(pool, options=options) == name
    fail(pool, name, 5)
    assert chosen(pool, "b", "c", options=options) in {"b", "c"}
    assert pool.has_fresh(options, tried=(), now=START) is (options == Options(tags="eu"))


def test_constraints_that_nobody_meets_are_named() -> None:
    pool = pool_of(endpoint("a", tags=("eu",)), endpoint("b", tier=2))
    with pytest.raises(NoEndpointError, match=r"satisfies tags eu and tiers 2 together: relax"):
        choose(pool, options=Options(tags="eu", tiers=2))


def test_what_is_learnt_under_one_set_of_constraints_is_known_under_all() -> None:
    pool = pool_of("a", "b", "c")
    both = Options(regions=["a", "b"])
    assert chosen(pool, options=both) == "a"
    eject(pool, "a")
    assert chosen(pool, options=both) == "b"
    pool.set_drained("b", drained=True)
    assert chosen(pool) == "c"
    assert chosen(pool, options=both) == "a"


def test_slates_are_kept_for_sets_of_constraints_and_no_more_than_a_bounded_number() -> None:
    pool = pool_of("a", "b")
    roster = pool._roster
    slates = {id(roster.slate(Options(regions="a", deadline=n), START)) for n in (1.0, 2.0, 3.0)}
    assert len(slates) == 1, "a deadline is no constraint"
    for number in range(2 * MOST_SLATES):
        roster.slate(Options(tags=f"t{number}"), START)
        assert len(list(roster)) <= MOST_SLATES + 1


def test_of_those_outside_a_few_are_kept_for_explanations() -> None:
    pool = pool_of(*(f"e{n:02}" for n in range(30)))
    slate = pool._roster.slate(Options(regions="e00"), START)
    assert len(slate.standing.outside) == MOST_OUTSIDE


# -- what service costs elsewhere


def test_who_was_never_asked_is_thought_to_serve_as_the_others_do() -> None:
    pool = pool_of("a", "b")
    for step in range(20):
        succeed(pool, "a", now=START + step / 10, elapsed=0.06)
    rows = {row.name: row for row in pool.ranking(START + 2)}
    assert rows["a"].cost == pytest.approx(0.06)
    assert rows["b"].cost == pytest.approx(0.02 + 0.05, rel=0.01), "50 ms of service there too"


def test_service_that_traffic_sees_moves_the_traffic() -> None:
    pool = pool_of("a", "b")
    for step in range(20):
        succeed(pool, "a", now=START + step * 0.1, elapsed=0.5)
        succeed(pool, "b", now=START + step * 0.1, elapsed=0.05)
    assert names(pool, START + 2) == ["b", "a"]
    assert chosen(pool, now=START + 2) == "b"


def test_who_was_slow_long_ago_is_tried_again() -> None:
    pool = pool_of("a", "b")
    for step in range(20):
        succeed(pool, "a", now=START + step / 10, elapsed=0.5)
        succeed(pool, "b", now=START + step / 10, elapsed=0.05)
    told = []
    for minute in range(1, 60):
        now = START + 60 * minute
        told.append(chosen(pool, now=now))
        succeed(pool, "b", now=now, elapsed=0.05)
    assert (told[0], told[-1]) == ("b", "a")


# -- many

MANY = tuple(f"e{n:03}" for n in range(2 * FEW))


def sort_off_the_path(pool: EndpointPool, now: float = START) -> None:
    pool.rerank(now)


def test_many_endpoints_are_sorted_off_the_path_of_requests() -> None:
    pool = pool_of(*MANY)
    assert chosen(pool) == "e000"
    measure(pool, "e100", 0.001)
    assert chosen(pool, now=START + 60) == "e000", "nobody sorted them"
    sort_off_the_path(pool, START + 60)
    assert chosen(pool, now=START + 60) == "e100"


def test_constraints_on_many_are_sorted_off_the_path_as_well() -> None:
    pool = pool_of(*(endpoint(name, tags=("eu",)) for name in MANY))
    eu = Options(tags="eu")
    assert chosen(pool, options=eu) == "e000"
    measure(pool, "e100", 0.001)
    sort_off_the_path(pool)
    assert chosen(pool, options=eu) == "e100"


def test_a_few_need_no_help() -> None:
    pool = pool_of("a", "b")
    measure(pool, "b", 0.001)
    sort_off_the_path(pool)
    assert chosen(pool, now=START + 1) == "b"


def test_who_is_out_among_many_is_left_at_once_and_comes_back_when_it_is_time() -> None:
    pool = pool_of(*MANY)
    eject(pool, ["e000"])
    assert chosen(pool) == "e001"
    pool.set_drained("e001", drained=True)
    cooling = choose(pool)
    pool.cool(cooling, 2, now=START)
    cooling.give_back()
    assert chosen(pool) == "e003"
    assert chosen(pool, "e003", now=START + 2) == "e002"
    assert choose(pool, now=START + 7).trial


@pytest.mark.parametrize(("out", "panics"), [(0.4, False), (0.6, True)])
def test_many_know_panic_too_as_of_the_last_sort(out: float, *, panics: bool) -> None:
    pool = pool_of(*MANY)
    for name in MANY[: int(out * len(MANY))]:
        health = pool._roster.states[name].health
        health.cause, health.ejected_until = "failing", START + 60
    pool.rerank(START)
    slate = pool._roster.everybody
    worst = pool._roster.states[MANY[0]]
    assert (slate.panic, slate.serves(worst, START)) == (panics, panics)
    assert chosen(pool) not in MANY[: int(out * len(MANY))], "it is dear, as it may be broken"


def test_when_all_at_hand_were_tried_everybody_is_looked_at() -> None:
    pool = pool_of(*MANY)
    assert chosen(pool, *MANY[:AT_HAND]) == MANY[AT_HAND]
    assert chosen(pool, *MANY[:-1]) == MANY[-1]


def test_of_many_those_are_watched_that_are_at_hand_in_use_or_ailing() -> None:
    pool = pool_of(*MANY)
    assert list(pool.probe_views(START)) == list(MANY[:AT_HAND])
    succeed(pool, "e050")
    pool.probe_failed("e120", "refused", now=START)
    assert set(pool.probe_views(START)) == {*MANY[:AT_HAND], "e050", "e120"}
    pool.probed("e120", connect=1.2, warm=1.2, now=START)
    assert set(pool.probe_views(START)) == {*MANY[:AT_HAND], "e050"}


def test_no_more_are_watched_than_is_bounded_although_all_fail() -> None:
    pool = pool_of(*MANY)
    for name in MANY:
        pool.probe_failed(name, "the network is down", now=START)
    assert len(pool.probe_views(START)) <= FEW + AT_HAND


def test_a_reload_keeps_who_is_watched() -> None:
    pool = pool_of(*MANY)
    succeed(pool, "e050")
    pool.probe_failed("e120", "refused", now=START)
    pool.update(placed(*MANY[:-1]), FAILOVER)
    assert {"e050", "e120"} <= set(pool.probe_views(START))


def test_what_is_learnt_of_who_is_gone_is_forgotten() -> None:
    pool = pool_of(*MANY)
    held = choose(pool, options=Options(regions="e127"))
    pool.update(placed(*MANY[:-1]), FAILOVER)
    pool.failed(held, "refused", reached=False, now=START)
    assert "e127" not in pool.probe_views(START)
    assert pool.has_fresh(NO_OPTIONS, tried=MANY[:-2], now=START)
