from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from balance_samples import START, chosen, endpoint, expected, measure, names, pool_of
from hypothesis import given
from hypothesis import strategies as st

from router.balance.ranking import Ranked, order, seen_from
from router.geo.prior import Prior
from router.latency.estimate import Estimate


def row(
    name: str, cost: float = 0.1, *, sd: float = 0.01, health: str = "healthy", **keys: Any
) -> Ranked:
    estimate = Estimate(cost, sd, "measured", 8)
    return Ranked(endpoint(name, **keys), estimate, expected(cost), cost, health)


def ordered(*rows: Ranked, favourite: str | None = None) -> str:
    return "".join(ranked.name for ranked in order(rows, favourite=favourite))


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([row("a", 0.2), row("b", 0.1)], "ba"),
        ([row("a", 0.1), row("b", 0.1)], "ab"),  # a tie keeps the configuration's order
        ([row("a", 0.2, tier=1), row("b", 0.1, tier=2)], "ab"),
        ([row("a", 0.1, tier=3), row("b", 0.3, tier=2), row("c", 0.2, tier=2)], "cba"),
        ([row("a", 0.1, health="ejected"), row("b", 0.2)], "ba"),
        ([row("a", 0.1, health="drained"), row("b", 0.2)], "ba"),
        ([row("a", 0.1, health="on trial"), row("b", 0.2)], "ab"),  # or it would get no trial
        ([row("a", 0.1, health="cooling"), row("b", 0.2)], "ab"),  # `choose` passes it by
        ([row("a", 0.1, health="ejected"), row("b", 0.9, tier=2)], "ba"),
        ([row("a", 0.2, health="ejected"), row("b", 0.1, health="drained")], "ba"),
        ([replace(row("a", 0.1), allowed=False), row("b", 0.9, tier=2, health="ejected")], "ba"),
        ([], ""),
    ],
)
def test_service_comes_before_tier_and_tier_before_cost(rows: list[Ranked], names: str) -> None:
    assert ordered(*rows) == names


@pytest.mark.parametrize(
    ("rows", "favourite", "names"),
    [
        # the favourite passes those that do not beat it, and they keep their own order
        ([row("a", 0.104), row("b", 0.100), row("c", 0.101)], "a", "abc"),
        ([row("a", 0.104), row("b", 0.100), row("c", 0.101)], "c", "cba"),
        ([row("a", 0.104), row("b", 0.100), row("c", 0.101)], None, "bca"),
        # … but nobody of a better tier, and nobody who serves if it does not
        ([row("a", 0.104, tier=2), row("b", 0.103, tier=1), row("c", 0.102, tier=2)], "a", "bac"),
        ([row("a", 0.1, health="ejected"), row("b", 0.104)], "a", "ba"),
        ([row("a", 0.1, health="drained"), row("b", 0.104)], "a", "ba"),
        ([row("a", 0.101), row("b", 0.1)], "gone", "ba"),
    ],
)
def test_the_favourite_stands_first_in_its_own_group(
    rows: list[Ranked], favourite: str | None, names: str
) -> None:
    assert ordered(*rows, favourite=favourite) == names


def test_the_favourite_of_a_pool_stands_first_in_its_ranking() -> None:
    pool = pool_of("a", "b")
    measure(pool, "a", 0.100)
    measure(pool, "b", 0.200)
    for minute, (rtt, first) in enumerate([(0.097, "a"), (0.08, "b"), (0.097, "b"), (0.103, "b")]):
        now = START + 60 * minute
        measure(pool, "b", rtt, now=now)
        assert names(pool, now)[0] == first
        assert chosen(pool, now=now) == first


@given(
    st.lists(
        st.builds(
            row,
            st.text("abcdefgh", min_size=1, max_size=3),
            st.floats(1e-6, 100),
            sd=st.floats(0.01, 2),
            tier=st.integers(1, 3),
            health=st.sampled_from(["healthy", "ejected", "drained", "on trial", "cooling"]),
        ),
        unique_by=lambda ranked: ranked.name,
        max_size=8,
    ),
    st.data(),
)
def test_ordering_loses_nobody_and_puts_service_and_tiers_first(
    rows: list[Ranked], data: st.DataObject
) -> None:
    favourite = data.draw(st.sampled_from([None, *(ranked.name for ranked in rows)]))
    after = order(rows, favourite=favourite)
    assert sorted(r.name for r in after) == sorted(r.name for r in rows)
    groups = [(r.health in {"ejected", "drained"}, r.endpoint.tier) for r in after]
    assert groups == sorted(groups)
    assert order(after, favourite=favourite) == after  # once settled it stays


FAR = Prior(0.1, 0.25, 6237.0, "6 200 km away")
TOO_FAST = "faster than light allows for its place: it is elsewhere, or anycast"
MEASURED = Estimate(0.0304, 0.02, "measured", 8)
PROBED = "30.4 ± 0.6 ms round trip over 8 probes"


@pytest.mark.parametrize(
    ("estimate", "changed", "reason"),
    [
        (Estimate(0.1, 0.25, "prior", 0), {}, "about 100 ms expected: 6 200 km away"),
        (
            Estimate(0.1, 0.25, "prior", 0),
            {"alone": 0.007, "asked": True},
            "7.0 ms by its answers, no probe yet: 6 200 km away",
        ),
        (Estimate(0.1, 0.25, "blended", 1), {}, "100.0 ± 28.4 ms round trip over 1 probe"),
        (MEASURED, {}, f"{PROBED}"),
        (MEASURED, {"alone": 0.0424}, f"{PROBED}, 12 ms service"),
        (MEASURED, {"surplus": 0.02}, f"{PROBED}, 20 ms more of late"),
        (MEASURED, {"surplus": -0.02}, f"{PROBED}, 20 ms less of late"),
        (MEASURED, {"allowed": False}, f"{PROBED}, not allowed by the configuration"),
        (MEASURED, {"risk": 0.75}, f"{PROBED}, 750 ms for the risk that it is broken"),
        (MEASURED, {"risk": 0.0009}, f"{PROBED}"),
        (
            replace(MEASURED, behind_edge=True),
            {},
            "30.4 ± 0.6 ms warm request over 8 probes",
        ),
        (MEASURED, {"cost": 0.0152, "endpoint": endpoint("a", weight=2)}, f"{PROBED}"),
        (MEASURED, {"endpoint": endpoint("a", tier=2)}, f"{PROBED}, tier 2"),
        (
            MEASURED,
            {"health": "ejected", "trouble": "connection refused"},
            f"{PROBED}, ejected: connection refused",
        ),
        (MEASURED, {"health": "drained"}, f"{PROBED}, drained"),
        (MEASURED, {"trouble": "answered 503"}, f"{PROBED}, last failure: answered 503"),
        (MEASURED, {"misplaced": True}, f"{PROBED}, {TOO_FAST}"),
        (MEASURED, {"skew": -1.5}, f"{PROBED}, its clock is 1.5 s behind"),
        (MEASURED, {"skew": 0.25}, f"{PROBED}, its clock is 250 ms ahead"),
    ],
)
def test_the_reason_is_one_sentence(
    estimate: Estimate, changed: dict[str, Any], reason: str
) -> None:
    made = Ranked(endpoint("a"), estimate, FAR, estimate.rtt, "healthy", alone=estimate.rtt)
    assert replace(made, **changed).reason == reason


def test_figures_are_given_in_milliseconds_and_kilometres() -> None:
    ranked = Ranked(endpoint("a"), Estimate(0.1, 0.25, "prior", 0), FAR, 0.1, "healthy")
    assert ranked.rtt_ms == pytest.approx(100)
    assert ranked.spread_ms == pytest.approx(28.4, abs=0.01)
    assert ranked.prior_ms == pytest.approx(100)
    assert ranked.distance_km == 6237.0
    assert (ranked.name, ranked.source) == ("a", "prior")


def test_somebody_else_sees_his_own_distances_and_our_health() -> None:
    rows = [row("a", 0.01), row("b", 0.2), row("c", 0.001, health="ejected"), row("d", tier=2)]
    priors = {
        name: Prior(rtt, 0.25, 1.0, "near") for name, rtt in zip("abcd", (4, 3, 2, 1), strict=True)
    }
    seen = seen_from(priors, rows)
    assert "".join(r.name for r in seen) == "badc"
    assert (seen[0].source, seen[0].cost, seen[0].health) == ("prior", 3, "healthy")
    assert seen[3].reason == "about 2000 ms expected: near, ejected"
