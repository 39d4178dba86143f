"""The network of cable hubs, and the ways that it finds."""

from __future__ import annotations

import csv
import random

import pytest
from geo_samples import CHECKOUT

from router.endpoint import Location
from router.geo import hub_path, regions
from router.geo.distance import arc_km, cosine, great_circle_km, point, written_km
from router.geo.hub_path import hub_path_km
from router.geo.hubs import network

FRANKFURT = Location(50.11, 8.68)


def _rows(name: str) -> list[dict[str, str]]:
    with (CHECKOUT / "data" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def at(code: str) -> Location:
    return regions.require(code).location


def test_the_network_has_every_hub_and_way_of_the_tables() -> None:
    hubs, ways = _rows("hubs.csv"), _rows("cables.csv")
    found = network()

    assert [hub.name for hub in found.hubs] == [row["hub"] for row in hubs]
    assert len({row["hub"] for row in hubs}) == len(hubs) >= 30
    assert len({frozenset((row["a"], row["b"])) for row in ways}) == len(ways)
    assert sum(map(len, found.ways)) == 2 * len(ways)


def test_each_sea_way_names_the_cables_that_take_it() -> None:
    ways = _rows("cables.csv")
    by_sea = [row for row in ways if row["way"] == "sea"]

    assert {row["way"] for row in ways} == {"sea", "land"}
    assert len(by_sea) >= 33
    assert all(row["systems"] for row in by_sea)
    assert all(1 <= float(row["factor"]) <= 2 for row in ways)


def test_every_hub_reaches_every_other() -> None:
    ways, reached, queue = network().ways, {0}, [0]
    while queue:
        for other, _ in ways[queue.pop()]:
            if other not in reached:
                reached.add(other)
                queue.append(other)

    assert len(reached) == len(ways)


@pytest.mark.parametrize(
    ("a", "b", "km", "straight"),
    [
        ("aws:eu-central-1", "aws:eu-west-2", 640, 640),
        ("aws:us-east-1", "aws:us-west-1", 3860, 3860),
        ("aws:eu-central-1", "aws:us-east-1", 6550, 6550),
        ("aws:eu-central-1", "aws:ap-southeast-1", 12_500, 10_270),
        ("aws:eu-central-1", "aws:ap-northeast-1", 16_430, 9330),
        ("aws:sa-east-1", "aws:eu-central-1", 14_000, 9830),
        ("aws:me-south-1", "aws:eu-central-1", 8340, 4430),
        ("aws:af-south-1", "aws:ap-southeast-1", 22_670, 9670),
        ("gcp:southamerica-west1", "gcp:us-west2", 9010, 8990),
    ],
)
def test_the_way_goes_round_where_cables_do(a: str, b: str, km: float, straight: float) -> None:
    assert hub_path_km(at(a), at(b)) == pytest.approx(km, rel=0.01)
    assert great_circle_km(at(a), at(b)) == pytest.approx(straight, rel=0.01)


@pytest.mark.parametrize(
    ("place", "landmass"),
    [
        (Location(55.0, 82.9), "Europe"),  # Novosibirsk
        (Location(39.93, 32.86), "Europe"),  # Ankara
        (Location(33.57, -7.59), "Europe"),  # Casablanca: its cables go to Europe
        (Location(-1.29, 36.82), "Africa"),  # Nairobi
        (Location(-26.2, 28.05), "Africa"),  # Johannesburg
        (Location(28.61, 77.21), "India"),  # Delhi
        (Location(24.71, 46.68), "Arabia"),  # Riyadh
        (Location(19.43, -99.13), "North America"),  # Mexico City
        (Location(-34.6, -58.38), "South America"),  # Buenos Aires
        (Location(4.71, -74.07), "Colombia"),  # Bogotá
        (Location(37.57, 126.98), "Korea"),  # Seoul
        (Location(21.03, 105.85), "China"),  # Hanoi
        (Location(-37.81, 144.96), "Australia"),  # Melbourne
    ],
)
def test_a_place_belongs_to_the_landmass_of_its_nearest_hub(place: Location, landmass: str) -> None:
    assert hub_path._joined(place).landmass == landmass


def test_a_place_far_from_all_hubs_joins_the_nearest() -> None:
    antarctica = Location(-77.85, 166.67)

    assert len(hub_path._joined(antarctica).hubs) == 1
    assert 20_000 < hub_path_km(antarctica, FRANKFURT) < 30_000


def test_no_way_is_shorter_than_the_great_circle_and_each_is_as_long_back() -> None:
    chance = random.Random(3)
    for _ in range(300):
        a, b = (
            Location(chance.uniform(-90, 90), chance.uniform(-180, 180)) for _ in ("here", "there")
        )
        assert hub_path_km(a, b) >= great_circle_km(a, b) - 0.01
        assert hub_path_km(a, b) == pytest.approx(hub_path_km(b, a))


def test_the_paths_from_a_place_are_found_once_for_all_endpoints() -> None:
    hub_path._km_to_hubs.cache_clear()
    for code in regions.codes():
        hub_path_km(FRANKFURT, at(code))

    assert hub_path._km_to_hubs.cache_info().misses == 1


def test_unit_vectors_measure_as_the_haversine_formula_does() -> None:
    chance = random.Random(4)
    for reach in (1e-4, 1, 90):
        a = Location(chance.uniform(-80, 80), chance.uniform(-80, 80))
        b = Location(a.latitude, a.longitude + reach)
        assert arc_km(cosine(point(a), point(b))) == pytest.approx(great_circle_km(a, b), abs=1e-3)


@pytest.mark.parametrize(
    ("km", "words"),
    [(12.4, "10 km"), (422, "420 km"), (6549, "6 500 km"), (16_434, "16 000 km")],
)
def test_kilometres_are_written_with_two_figures(km: float, words: str) -> None:
    assert written_km(km) == words
