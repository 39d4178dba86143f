"""The prior against round-trip times that clouds have published: `tests/spec` says whose."""

from __future__ import annotations

import csv
import random
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from geo_samples import CHECKOUT

from router.geo import regions
from router.geo.distance import great_circle_km
from router.geo.hub_path import hub_path_km
from router.geo.prior import BASE_RTT, RTT_PER_KM, VAGUE_BASE_RTT, VAGUE_RTT_PER_KM, prior

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.endpoint import Location

    Expectation = Callable[[Location, Location], float]

FITTED = "azure"
SOURCES = {"azure": 276, "aws": 152, "gcp": 171, "ibm": 66}
CONTINENTS = {
    *("aws:af-south-1", "gcp:africa-south1", "azure:uaenorth", "gcp:me-west1", "aws:ap-south-1"),
    *("azure:southeastasia", "azure:japaneast", "aws:ap-southeast-2", "azure:newzealandnorth"),
    *("azure:brazilsouth", "gcp:southamerica-west1", "azure:mexicocentral", "aws:us-west-1"),
    *("aws:ca-central-1", "azure:swedencentral", "gcp:europe-southwest1", "aws:us-east-1"),
}


@dataclass(frozen=True)
class Pair:
    """Two regions and the seconds between them."""

    source: str
    a: str
    b: str
    rtt: float

    @property
    def places(self) -> tuple[Location, Location]:
        return regions.require(self.a).location, regions.require(self.b).location


def _table() -> list[Pair]:
    path = CHECKOUT / "tests" / "spec" / "inter_region_rtt.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Pair(row["source"], row["a"], row["b"], float(row["rtt_ms"]) / 1e3)
            for row in csv.DictReader(file)
        ]


TABLE = _table()


def _of(source: str) -> list[Pair]:
    return [pair for pair in TABLE if pair.source == source]


def by_hubs(a: Location, b: Location) -> float:
    return prior(a, b).rtt


def by_great_circle(a: Location, b: Location) -> float:
    return VAGUE_BASE_RTT + VAGUE_RTT_PER_KM * great_circle_km(a, b)


def median_error(pairs: Sequence[Pair], expected: Expectation) -> float:
    return statistics.median(abs(expected(*pair.places) / pair.rtt - 1) for pair in pairs)


def rank_correlation(pairs: Sequence[Pair], expected: Expectation) -> float:
    """Return Spearman's rank correlation; equal values get the mean of their ranks."""
    return statistics.correlation(
        _ranks([expected(*pair.places) for pair in pairs]), _ranks([pair.rtt for pair in pairs])
    )


def _ranks(values: Sequence[float]) -> list[float]:
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values)):
        places.setdefault(value, []).append(place)
    return [statistics.mean(places[value]) for value in values]


def regret(pairs: Sequence[Pair], expected: Expectation, *, draws: int = 400) -> float:
    """Return the mean seconds lost by the expected best of five regions, over seeded draws."""
    measured = {(p.a, p.b): p.rtt for p in pairs} | {(p.b, p.a): p.rtt for p in pairs}
    codes, chance = sorted({code for code, _ in measured}), random.Random(5)
    lost: list[float] = []
    while len(lost) < draws:
        here, *there = chance.sample(codes, 6)
        if all((here, code) in measured for code in there):
            at = regions.require(here).location
            chosen = min(there, key=lambda code: expected(at, regions.require(code).location))
            lost.append(measured[here, chosen] - min(measured[here, code] for code in there))
    return statistics.mean(lost)


def test_the_table_names_each_pair_once_and_spans_the_continents() -> None:
    codes = {code for pair in TABLE for code in (pair.a, pair.b)}

    assert {source: len(_of(source)) for source in SOURCES} == SOURCES
    assert len({(pair.source, frozenset((pair.a, pair.b))) for pair in TABLE}) == len(TABLE)
    assert codes <= set(regions.codes())
    assert codes >= CONTINENTS


def test_no_measured_rtt_is_under_the_floor() -> None:
    assert [pair for pair in TABLE if pair.rtt < prior(*pair.places).floor] == []


@pytest.mark.parametrize("source", SOURCES)
def test_the_hub_prior_is_within_a_tenth_at_the_median_and_ranks_well(source: str) -> None:
    pairs = _of(source)

    assert median_error(pairs, by_hubs) < 0.10
    assert rank_correlation(pairs, by_hubs) > 0.94


@pytest.mark.parametrize("source", SOURCES)
def test_hubs_beat_the_great_circle_for_each_cloud(source: str) -> None:
    pairs = _of(source)

    assert median_error(pairs, by_hubs) < 0.6 * median_error(pairs, by_great_circle)
    assert rank_correlation(pairs, by_hubs) > rank_correlation(pairs, by_great_circle) + 0.05


@pytest.mark.parametrize("source", SOURCES)
def test_the_nearest_of_five_by_hubs_loses_under_half_of_what_the_great_circle_loses(
    source: str,
) -> None:
    pairs = _of(source)
    lost = regret(pairs, by_hubs)

    assert lost < 0.004
    assert lost < regret(pairs, by_great_circle) / 2


def test_no_line_fits_the_one_cloud_that_it_was_fitted_to_much_better() -> None:
    points = [(hub_path_km(*pair.places), pair.rtt) for pair in _of(FITTED)]

    def loss(base: float, slope: float) -> float:
        return sum(abs(base + slope * km - rtt) / rtt for km, rtt in points)

    best = min(loss(base / 2e3, slope / 1e7) for base in range(61) for slope in range(100, 160))
    assert loss(BASE_RTT, RTT_PER_KM) < 1.01 * best
