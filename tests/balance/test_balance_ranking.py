from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from balance_samples import endpoint, expected
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


def ordered(*rows: Ranked, current: str | None = None) -> str:
    return "".join(ranked.name for ranked in order(rows, current=current))


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
        ([], ""),
    ],
)
def test_service_comes_before_tier_and_tier_before_cost(rows: list[Ranked], names: str) -> None:
    assert ordered(*rows) == names


@pytest.mark.parametrize(
    ("current", "challenger", "sd", "moves"),
    [
        (0.030, 0.0249, 0.01, True),
        (0.030, 0.0251, 0.01, False),  # under 5 ms
        (0.300, 0.2849, 0.01, True),
        (0.300, 0.2851, 0.01, False),  # under 5 %
        (0.100, 0.0900, 0.07, True),  # ln(100/90) = 0.105 over √2 · 0.07 = 0.099
        (0.100, 0.0900, 0.08, False),  # … under √2 · 0.08 = 0.113: that may be noise
        (0.100, 0.1100, 0.01, False),
        (0.001, 0.0001, 0.01, False),  # ten times as fast, and nobody notices
    ],
)
def test_the_endpoint_in_use_is_left_for_a_clear_gain_only(
    current: float, challenger: float, sd: float, *, moves: bool
) -> None:
    rows = row("a", current, sd=sd), row("b", challenger, sd=sd)
    assert ordered(*rows, current="a") == ("ba" if moves else "ab")


@pytest.mark.parametrize("health", ["ejected", "drained"])
def test_an_unhealthy_endpoint_in_use_is_left_at_once(health: str) -> None:
    assert ordered(row("a", 0.1, health=health), row("b", 0.104), current="a") == "ba"


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        # the incumbent passes all that do not beat it, and those keep their own order
        ([row("a", 0.104), row("b", 0.100), row("c", 0.101)], "abc"),
        ([row("a", 0.104), row("b", 0.050), row("c", 0.101)], "bca"),
        ([row("a", 0.104, tier=2), row("b", 0.103, tier=1), row("c", 0.102, tier=2)], "bac"),
    ],
)
def test_the_incumbent_is_compared_with_the_best_of_its_own_group(
    rows: list[Ranked], names: str
) -> None:
    assert ordered(*rows, current="a") == names


def test_an_endpoint_that_is_gone_is_no_incumbent() -> None:
    assert ordered(row("a", 0.101), row("b", 0.1), current="gone") == "ba"


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
    current = data.draw(st.sampled_from([None, *(ranked.name for ranked in rows)]))
    after = order(rows, current=current)
    assert sorted(r.name for r in after) == sorted(r.name for r in rows)
    groups = [(r.health in {"ejected", "drained"}, r.endpoint.tier) for r in after]
    assert groups == sorted(groups)
    assert order(after, current=current) == after  # once settled it stays


FAR = Prior(0.1, 0.25, 6237.0, "6 200 km away")
TOO_FAST = "faster than light allows for its place: the place is wrong"
MEASURED = Estimate(0.0304, 0.02, "measured", 8, service=0.012)


@pytest.mark.parametrize(
    ("estimate", "changed", "reason"),
    [
        (Estimate(0.1, 0.25, "prior", 0), {}, "about 100 ms expected: 6 200 km away"),
        (
            Estimate(0.1, 0.25, "blended", 1),
            {},
            "100.0 ± 28.4 ms round trip over 1 probe",
        ),
        (MEASURED, {"cost": 0.0304}, "30.4 ± 0.6 ms round trip over 8 probes"),
        (MEASURED, {}, "30.4 ± 0.6 ms round trip over 8 probes, 12 ms service"),
        (
            replace(MEASURED, behind_edge=True, service=0.0),
            {"cost": 0.0304},
            "30.4 ± 0.6 ms warm request over 8 probes",
        ),
        (
            MEASURED,
            {"cost": 0.0212, "endpoint": endpoint("a", weight=2)},
            "30.4 ± 0.6 ms round trip over 8 probes, 12 ms service",
        ),
        (
            MEASURED,
            {"cost": 0.0304, "endpoint": endpoint("a", tier=2)},
            "30.4 ± 0.6 ms round trip over 8 probes, tier 2",
        ),
        (
            MEASURED,
            {"cost": 0.0304, "health": "ejected", "trouble": "connection refused"},
            "30.4 ± 0.6 ms round trip over 8 probes, ejected: connection refused",
        ),
        (
            MEASURED,
            {"cost": 0.0304, "health": "drained"},
            "30.4 ± 0.6 ms round trip over 8 probes, drained",
        ),
        (
            MEASURED,
            {"cost": 0.0304, "trouble": "answered 503"},
            "30.4 ± 0.6 ms round trip over 8 probes, last failure: answered 503",
        ),
        (
            MEASURED,
            {"cost": 0.0304, "misplaced": True},
            f"30.4 ± 0.6 ms round trip over 8 probes, {TOO_FAST}",
        ),
    ],
)
def test_the_reason_is_one_sentence(
    estimate: Estimate, changed: dict[str, Any], reason: str
) -> None:
    cost = estimate.rtt + estimate.service
    ranked = replace(Ranked(endpoint("a"), estimate, FAR, cost, "healthy"), **changed)
    assert ranked.reason == reason


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
