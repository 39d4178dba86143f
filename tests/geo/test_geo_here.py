"""Where this host is, and where an endpoint is."""

from __future__ import annotations

import pytest
from geo_samples import DEMO

from router.endpoint import Endpoint, Location
from router.errors import ConfigError
from router.geo import Locator, place_of, resolve_here

FRANKFURT = Location(50.11, 8.68, 50)
LONDON = Location(51.51, -0.13, 20)
URL = "https://eu.api.example.com"


@pytest.fixture
def locator() -> Locator:
    return Locator.open(DEMO)


@pytest.mark.parametrize(
    ("setting", "here"),
    [
        (None, None),
        (Location(1, 2), Location(1, 2)),
        ("aws:eu-central-1", FRANKFURT),
        ("81.2.69.142", LONDON),
        ("2001:db8:2::1", LONDON),
        ("127.0.0.1", None),
        ("9.9.9.9", None),
    ],
)
def test_here_is_what_the_setting_says(
    locator: Locator, setting: str | Location | None, here: Location | None
) -> None:
    assert resolve_here(setting, locator) == here


def test_here_by_ip_without_a_database_is_unknown() -> None:
    assert resolve_here("81.2.69.142", Locator(None)) is None


def test_an_unknown_region_is_an_error_that_names_the_setting_and_the_nearest(
    locator: Locator,
) -> None:
    with pytest.raises(ConfigError, match=r"^geo\.here: .* did you mean aws:eu-central-1\?$"):
        resolve_here("eu-central-1", locator)
    with pytest.raises(ConfigError, match=r"^endpoint eu: .* did you mean gcp:us-"):
        place_of(Endpoint(url=URL, name="eu", region="gcp:us-est1"), locator, None)


@pytest.mark.parametrize(
    ("endpoint", "address", "place"),
    [
        (Endpoint(url=URL, location=Location(1, 2), region="aws:eu-central-1"), None, (1, 2)),
        (Endpoint(url=URL, region="aws:eu-central-1"), "81.2.69.142", (50.11, 8.68)),
        (Endpoint(url=URL), "81.2.69.142", (51.51, -0.13)),
        (Endpoint(url=URL), "10.0.0.1", None),
        (Endpoint(url=URL), None, None),
    ],
)
def test_what_is_configured_outweighs_what_is_looked_up(
    locator: Locator, endpoint: Endpoint, address: str | None, place: tuple[float, float] | None
) -> None:
    found = place_of(endpoint, locator, address)

    assert (None if found is None else (found.latitude, found.longitude)) == place
