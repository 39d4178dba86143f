"""Distance, and the round-trip time that it lets one expect."""

from __future__ import annotations

import math

import pytest

from router.endpoint import Location
from router.geo.distance import great_circle_km
from router.geo.prior import floor_rtt, prior

FRANKFURT = Location(50.11, 8.68)
ASHBURN = Location(39.04, -77.49)
SYDNEY = Location(-33.87, 151.21)


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [
        (FRANKFURT, FRANKFURT, 0),
        (FRANKFURT, ASHBURN, 6540),
        (FRANKFURT, SYDNEY, 16_480),
        (Location(0, 179.5), Location(0, -179.5), 111.2),
        (Location(90, 0), Location(-90, 0), 20_015),
        (Location(90, 0), Location(90, 137), 0),
        (Location(10, 20), Location(-10, -160), 20_015),
    ],
)
def test_the_distance_is_the_great_circles(a: Location, b: Location, km: float) -> None:
    assert great_circle_km(a, b) == pytest.approx(km, rel=0.005, abs=0.1)
    assert great_circle_km(a, b) == great_circle_km(b, a)


def test_the_expected_rtt_is_11_ms_and_15_ms_for_each_1000_km() -> None:
    there = Location(0, 90)  # a quarter of the way round: 10 007.6 km
    expected = prior(Location(0, 0), there)

    assert expected.rtt == pytest.approx(0.011 + 0.015 * 10.0076, rel=1e-4)
    assert expected.sigma == 0.25
    assert expected.distance_km == pytest.approx(10_007.6, rel=1e-4)
    assert expected.why == "10 000 km away"


@pytest.mark.parametrize(
    ("accuracy_km", "sigma", "why"),
    [
        (0, 0.25, "6 500 km away"),
        (999, 0.25, "6 500 km away"),
        (1000, 0.35, "roughly 6 500 km away"),
        (2500, 0.35, "roughly 6 500 km away"),
    ],
)
def test_a_vague_place_widens_the_expectation(accuracy_km: float, sigma: float, why: str) -> None:
    vague = Location(ASHBURN.latitude, ASHBURN.longitude, accuracy_km)

    for expected in (prior(FRANKFURT, vague), prior(vague, FRANKFURT)):
        assert (expected.sigma, expected.why) == (sigma, why)
        assert expected.rtt == prior(FRANKFURT, ASHBURN).rtt


@pytest.mark.parametrize(
    ("here", "there", "why"),
    [
        (None, FRANKFURT, "not known where this host is"),
        (FRANKFURT, None, "not known where the endpoint is"),
        (None, None, "not known where this host is"),
    ],
)
def test_without_a_place_the_expectation_is_flat(
    here: Location | None, there: Location | None, why: str
) -> None:
    flat = prior(here, there)

    assert (flat.rtt, flat.sigma, flat.distance_km) == (0.1, 0.7, None)
    assert (flat.why, flat.floor) == (why, 0.0)


def test_the_floor_is_11_ms_for_each_1000_km_and_allows_for_doubt() -> None:
    near_ashburn = Location(ASHBURN.latitude, ASHBURN.longitude, 2000)
    km = great_circle_km(FRANKFURT, ASHBURN)

    assert floor_rtt(1000) == pytest.approx(0.011)
    assert prior(FRANKFURT, ASHBURN).floor == pytest.approx(floor_rtt(km))
    assert prior(FRANKFURT, near_ashburn).floor == pytest.approx(floor_rtt(km - 2000))
    assert prior(FRANKFURT, Location(50, 8, 500)).floor == 0


def test_the_floor_lies_under_every_expectation() -> None:
    for longitude in range(-180, 181, 5):
        expected = prior(FRANKFURT, Location(0, longitude))
        assert 0 <= expected.floor < expected.rtt < math.inf
