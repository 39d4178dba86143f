"""Why an attempt went where it went, as data and as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from balance_samples import (
    START,
    choose,
    chosen,
    eject,
    endpoint,
    expected,
    fail,
    measure,
    pool_of,
    succeed,
)
from hypothesis import given
from hypothesis import strategies as st

from router.balance.decision import Candidate, Decision, Why
from router.balance.ranking import Ranked
from router.balance.written import parts_in_words, written
from router.geo.prior import Prior
from router.latency.estimate import Estimate
from router.options import Options

if TYPE_CHECKING:
    from router.balance.choice import Choice

LATER = START + 7
SPILT = "the tier before is too crowded or in doubt"


def least() -> Choice:
    return choose(pool_of("a", "b"))


def only() -> Choice:
    return choose(pool_of("a"))


def first_tier() -> Choice:
    return choose(pool_of("a", endpoint("b", tier=2)))


def kept() -> Choice:
    pool = pool_of("a", "b")
    measure(pool, "a", 0.030)
    measure(pool, "b", 0.900)
    choose(pool).give_back()
    pool.update(
        {"a": (endpoint("a"), expected(0.01)), "b": (endpoint("b"), expected(0.02))},
        pool._failover,
    )
    assert chosen(pool, now=START + 1) == "a"
    for _ in range(3):
        measure(pool, "b", 0.028, now=START + 1)
    return choose(pool, now=START + 2)


def spilt() -> Choice:
    pool = pool_of("a", endpoint("b", tier=2))
    for _ in range(16):
        choose(pool)
    return choose(pool)


def pinned() -> Choice:
    pool = pool_of("a", "b")
    choose(pool, "a", options=Options(affinity="chat"))
    return choose(pool, options=Options(affinity="chat"))


def fresh() -> Choice:
    return choose(pool_of("a", "b", "c"), "a")


def fresh_in_the_next_tier() -> Choice:
    return choose(pool_of("a", endpoint("b", tier=2), endpoint("c", tier=2)), "a")


def the_last_fresh() -> Choice:
    return choose(pool_of("a", "b"), "a")


def resort() -> Choice:
    return choose(pool_of("a", "b"), "a", "b")


def curious() -> Choice:
    pool = pool_of("a", "b")
    measure(pool, "a", 0.030)
    measure(pool, "b", 0.031)
    succeed(pool, "a", elapsed=0.030)
    return choose(pool, now=START + 1)


def trial() -> Choice:
    pool = pool_of("a", "b")
    eject(pool, "a")
    return choose(pool, now=LATER)


@pytest.mark.parametrize(
    ("made", "why", "reason"),
    [
        (least, "least", "a: 10 ms expected, the least of 2; next is b with 20 ms"),
        (only, "least", "a: it is the only one that may serve now (10 ms expected)"),
        (first_tier, "least", "a: nobody else of its tier may serve now (10 ms expected)"),
        (
            kept,
            "kept",
            "a: 30 ms expected, which is not enough worse than b with 28 ms to leave it",
        ),
        (
            spilt,
            "spilt",
            f"b: {SPILT}: 20 ms expected here, a with 21 ms there",
        ),
        (
            pinned,
            "pinned",
            "b: the conversation was here before, and it is well (20 ms expected)",
        ),
        (
            fresh,
            "fresh",
            "b: 20 ms expected, the least of those not tried before; next is c with 30 ms",
        ),
        (
            fresh_in_the_next_tier,
            "fresh",
            "b: it is the best of those not tried before (20 ms expected)",
        ),
        (the_last_fresh, "fresh", "b: it is the only one that may serve now (20 ms expected)"),
        (
            resort,
            "resort",
            "a: nobody is well and fresh: it is the least bad (10 ms expected)",
        ),
        (
            curious,
            "curious",
            "b: it was never asked, and 31 ms expected is hardly more than elsewhere",
        ),
        (
            trial,
            "least",
            "a: it was out, and this attempt decides whether it is back (10 ms expected)",
        ),
    ],
)
def test_the_reason_is_one_sentence_that_says_what_decided(
    made: Any, why: str, reason: str
) -> None:
    choice = made()
    decision = choice.decision()
    assert f"{choice.endpoint.name}: {decision.reason}" == reason
    assert (decision.why, decision.chosen.name) == (Why(why), choice.endpoint.name)


def test_candidates_come_cheapest_first_then_who_is_tried_then_the_uncompared() -> None:
    pool = pool_of("a", "b", "c", endpoint("d", tier=2), endpoint("e"), endpoint("f"))
    eject(pool, "e")
    fail(pool, "f", 2)
    pool.set_drained("c", drained=True)
    decision = choose(pool, "b", now=START).decision()
    told = [(c.name, c.price is None, c.excluded) for c in decision.candidates]
    assert told == [
        ("a", False, None),
        ("f", False, None),  # in doubt, and so it is dear
        ("b", False, "tried before in this request"),
        ("d", True, "in reserve: tier 2"),
        ("c", True, "drained"),
        ("e", True, "ejected: e fails"),
    ]


def test_who_cannot_answer_in_the_time_that_is_left_is_told_as_such() -> None:
    pool = pool_of("a", "b", "c")
    measure(pool, "a", 0.2)
    measure(pool, "c", 0.3)
    decision = choose(pool, within=0.15).decision()
    told = {c.name: c.excluded or "" for c in decision.candidates}
    assert told["b"] == ""
    assert "150 ms" in told["a"]
    assert "150 ms" in told["c"]
    assert (decision.within, decision.chosen.name) == (0.15, "b")


def test_the_chosen_one_is_shown_as_it_was_before_this_request() -> None:
    pool = pool_of("a", "b")
    first, second = choose(pool), choose(pool)
    shown = [c.decision().chosen.row.in_flight for c in (first, second)]
    assert (first.in_flight, second.in_flight, shown) == (1, 2, [0, 1])


def test_a_decision_is_shown_with_its_reason() -> None:
    words = "a: it is the only one that may serve now (10 ms expected)"
    assert repr(only().decision()) == f"<Decision for {words}>"


def test_candidates_are_in_the_order_of_what_was_compared() -> None:
    pool = pool_of("a", "b", "c")
    for _ in range(26):
        choose(pool, options=Options(regions="a"))
    for _ in range(10):
        choose(pool, options=Options(regions="b"))
    decision = choose(pool).decision()
    assert [c.name for c in decision.candidates] == ["b", "c", "a"]
    prices = [c.price or 0.0 for c in decision.candidates]
    assert prices == sorted(prices)
    assert decision.reason == "28 ms expected, the least of 3; next is c with 30 ms"


def test_a_request_that_goes_on_does_not_change_what_was_decided_before() -> None:
    pool, tried = pool_of("a", "b", "c"), {"a"}
    choice = pool.choose(Options(), tried=tried, now=START)
    before = choice.decision().as_dict()
    tried |= {"b", "c"}
    fail(pool, "c", 2)
    measure(pool, "b", 9.0)
    chosen(pool, now=START + 1)
    assert choice.decision().as_dict() == before
    assert not choice.again


def test_whom_constraints_exclude_is_told_with_the_constraint() -> None:
    pool = pool_of(
        endpoint("a", tags=("eu",)),
        endpoint("b", tags=("eu",), tier=2),
        "c",
        allow=Options(tiers=1),
    )
    outside = choose(pool, options=Options(tags="eu")).decision().outside
    assert outside == {"b": "not in tier 1, by the configuration", "c": "without tag eu"}


def test_who_was_chosen_as_a_last_resort_is_among_the_candidates() -> None:
    names = [f"e{n:02}" for n in range(30)]
    decision = choose(pool_of(*names), *names[:-1]).decision()
    assert decision.chosen.name == names[-1]
    assert decision.chosen.price == pytest.approx(0.3)


# -- as data


@pytest.mark.parametrize(
    "made",
    [least, only, kept, spilt, pinned, fresh, resort, curious, trial],
    ids=lambda made: str(made.__name__),
)
def test_a_decision_is_plain_data_that_json_can_hold(made: Any) -> None:
    decision = made().decision()
    data = json.loads(json.dumps(decision.as_dict(), allow_nan=False))
    assert list(data) == ["endpoint", "why", "reason", "expected_ms", "candidates", "outside"]
    assert data["endpoint"] in {c["name"] for c in data["candidates"]}
    assert data["reason"] == decision.reason


def test_a_candidate_tells_the_parts_of_its_price_in_milliseconds() -> None:
    pool = pool_of(endpoint("a", weight=2.0, tier=3), "b")
    measure(pool, "a", 0.02)
    for step in range(20):
        succeed(pool, "a", now=START + step, elapsed=0.05)
    only_a = Options(regions="a")
    for _ in range(15):
        choose(pool, now=START + 20, options=only_a)
    fail(pool, "a", now=START + 20)
    data = choose(pool, now=START + 21, options=only_a).decision().chosen.as_dict()
    parts = data["rtt_ms"] + data["service_ms"] + data["queue_ms"]
    parts += data["surplus_ms"] + data["risk_ms"]
    assert data["expected_ms"] * 2 == pytest.approx(parts)
    assert data["rtt_ms"] == pytest.approx(20)
    assert data["service_ms"] == pytest.approx(30, rel=0.01)
    assert data["queue_ms"] > 10
    assert data["risk_ms"] > 10
    assert (data["rtt_source"], data["tier"], data["weight"]) == ("measured", 3, 2.0)
    assert (data["distance_km"], data["prior_ms"]) == (6200.0, pytest.approx(10))
    assert (data["in_flight"], data["health"], data["excluded"]) == (15, "healthy", None)


def row(name: str = "a", **changed: Any) -> Ranked:
    facts: dict[str, Any] = {
        "endpoint": endpoint(name),
        "estimate": Estimate(0.0304, 0.02, "measured", 8),
        "prior": expected(0.1),
        "cost": 0.0304,
        "health": "healthy",
        "alone": 0.0304,
        "limit": 8.0,
    }
    return Ranked(**(facts | changed))


@pytest.mark.parametrize(
    ("price", "changed", "queue"),
    [
        (0.0304, {}, 0.0),
        (0.0504, {}, 0.02),
        (0.0252, {"endpoint": endpoint("a", weight=2.0)}, 0.02),
        (0.0504, {"surplus": 0.005, "risk": 0.005}, 0.01),
        (0.0200, {}, 0.0),  # the row is older than the price: never less than nothing
        (0.0504, {"limit": float("inf")}, 0.0),
        (None, {}, 0.0),
    ],
)
def test_the_queue_is_what_the_other_parts_leave_of_the_price(
    price: float | None, changed: dict[str, Any], queue: float
) -> None:
    assert Candidate(row(**changed), price).queue == pytest.approx(queue)


# -- as text


@pytest.mark.parametrize(
    ("price", "changed", "words"),
    [
        (0.0304, {}, "30.4 ± 0.6 ms there and back"),
        (0.0504, {}, "30.4 ± 0.6 ms there and back +20 queue"),
        (
            0.0504,
            {"alone": 0.0504, "surplus": -0.01, "risk": 0.2},
            "30.4 ± 0.6 ms there and back +20 service -10 less of late +200 risk of a failure",
        ),
        (
            0.1,
            {"estimate": Estimate(0.1, 0.25, "prior", 0), "alone": 0.1},
            "about 100 ms there and back, not measured",
        ),
        (
            0.007,
            {"estimate": Estimate(0.1, 0.25, "prior", 0), "alone": 0.007, "asked": True},
            "7.0 ms by its answers, no probe yet",
        ),
        (
            0.0152,
            {"endpoint": endpoint("a", weight=2.0)},
            "30.4 ± 0.6 ms there and back over weight 2",
        ),
    ],
)
def test_the_parts_are_told_where_they_tell_anything(
    price: float, changed: dict[str, Any], words: str
) -> None:
    assert parts_in_words(Candidate(row(**changed), price)) == words


def decision_of(*rows: Ranked, tried: tuple[str, ...] = (), **outside: str) -> Decision:
    return Decision(
        rows[0].name,
        rows[0].cost,
        rows=rows,
        prices=[known.cost for known in rows],
        outside=outside,
        tried=tried,
        why=Why.LEAST,
        trial=False,
    )


def test_each_candidate_has_a_line_and_strangers_share_one() -> None:
    rows = (
        row("near", in_flight=3),
        row("farther", cost=0.09, misplaced=True, skew=-1.5),
        row("out", health="ejected", trouble="answered 503"),
        row("again", cost=0.05),
    )
    decision = decision_of(*rows, tried=("again",), us="without tag eu", uk="not in tier 1")
    way = "30.4 ± 0.6 ms there and back"
    placed = "6 200 km away: 100 ms by geography"
    wrong = "faster than light allows for its place: it is elsewhere, or anycast"
    wrong += "; its clock is 1.5 s behind"
    told = {"again": "tried before in this request: connection refused"}
    assert written(decision, told) == [
        f"near       30 ms  {way}; 3 in flight; {placed}; healthy",
        f"farther    90 ms  {way} +60 queue; 0 in flight; {wrong}; healthy",
        f"again      50 ms  {way} +20 queue; 0 in flight; {placed}; {told['again']}",
        f"out            -  {way}; 0 in flight; {placed}; ejected: answered 503",
        "not allowed: us (without tag eu), uk (not in tier 1)",
    ]


def test_where_no_distance_is_known_no_geography_is_told() -> None:
    known = row("a", prior=Prior(0.01, 0.2, None, "by decree"))
    assert written(decision_of(known), {})[0].endswith("; by decree; healthy")


def test_of_many_candidates_ten_are_shown() -> None:
    assert len(written(decision_of(*(row(f"e{n}") for n in range(20))), {})) == 10


@given(
    price=st.floats(1e-6, 1e3),
    alone=st.floats(1e-6, 1e3),
    surplus=st.floats(-1e3, 1e3),
    risk=st.floats(0, 1e3),
    weight=st.floats(0.001, 1000),
)
def test_whatever_the_figures_they_can_be_told(
    price: float, alone: float, surplus: float, risk: float, weight: float
) -> None:
    made = row(alone=alone, surplus=surplus, risk=risk, endpoint=endpoint("a", weight=weight))
    candidate = Candidate(made, price)
    assert candidate.queue >= 0
    json.dumps(candidate.as_dict(), allow_nan=False)
    assert parts_in_words(candidate)
