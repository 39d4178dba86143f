"""Distance, and the round-trip time that it lets one expect."""

from __future__ import annotations

import math

import pytest

from router.endpoint import Location
from router.geo.distance import great_circle_km
from router.geo.hub_path import hub_path_km
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


def test_the_expected_rtt_is_11_5_ms_and_12_7_ms_for_each_1000_km_of_hub_path() -> None:
    expected = prior(FRANKFURT, SYDNEY)
    path_km = hub_path_km(FRANKFURT, SYDNEY)

    assert expected.rtt == pytest.approx(0.0115 + 0.0127 * path_km / 1000)
    assert expected.sigma == 0.20
    assert expected.distance_km == pytest.approx(16_480, rel=0.005)
    assert path_km > 1.1 * 16_480
    assert expected.why == "16 000 km away, 20 000 km by cable"


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (FRANKFURT, "nearby"),
        (Location(52.5, 13.4), "420 km away"),
        (ASHBURN, "6 500 km away"),
        (Location(35.68, 139.69), "9 300 km away, 16 000 km by cable"),
    ],
)
def test_a_long_way_round_is_told(there: Location, why: str) -> None:
    assert prior(FRANKFURT, there).why == why


@pytest.mark.parametrize(
    ("accuracy_km", "sigma", "why"),
    [
        (999, 0.20, "16 000 km away, 20 000 km by cable"),
        (1000, 0.35, "roughly 16 000 km away"),
        (2500, 0.35, "roughly 16 000 km away"),
    ],
)
def test_a_vague_place_is_expected_by_the_great_circle_and_widely(
    accuracy_km: float, sigma: float, why: str
) -> None:
    vague = Location(SYDNEY.latitude, SYDNEY.longitude, accuracy_km)
    straight = 0.011 + 0.015 * great_circle_km(FRANKFURT, SYDNEY) / 1000

    for expected in (prior(FRANKFURT, vague), prior(vague, FRANKFURT)):
        assert (expected.sigma, expected.why) == (sigma, why)
        assert (expected.rtt == pytest.approx(straight)) == (accuracy_km >= 1000)


def test_an_access_network_adds_8_ms_and_doubt() -> None:
    user, host = prior(FRANKFURT, ASHBURN, access=True), prior(FRANKFURT, ASHBURN)

    assert user.rtt == pytest.approx(host.rtt + 0.008)
    assert (user.sigma, user.floor, user.why) == (0.35, host.floor, host.why)


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
