"""Which prior an endpoint gets: by what is written down, by the database, or flat."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest
from geo_samples import DEMO, write_database

from router.config.settings import GeoSettings
from router.endpoint import Endpoint, Location
from router.errors import ConfigError
from router.geo.prior import ANYCAST
from router.placing import Places

if TYPE_CHECKING:
    from pathlib import Path

    from router.geo.prior import Prior

HERE = Location(50.11, 8.68)
ANYCAST_RECORD = {"country": {"iso_code": "US"}, "traits": {"is_anycast": True}}
URL = "https://eu.api.example.com"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_database(tmp_path / "x.mmdb", "GeoLite2-City", {"81.2.69.0/24": ANYCAST_RECORD})


def expected(places: Places, endpoint: Endpoint) -> Prior:
    return places.placed([endpoint])[endpoint.name][1]


@pytest.mark.parametrize(
    "more", [{}, {"region": "aws:eu-central-1"}, {"location": [50.1, 8.7]}], ids=str
)
def test_an_anycast_endpoint_has_a_flat_prior_whatever_place_is_written_down(
    more: dict[str, Any],
) -> None:
    flat = expected(Places(GeoSettings(here=HERE)), Endpoint(url=URL, anycast=True, **more))

    assert (flat.why, flat.distance_km, flat.floor) == (ANYCAST, None, 0)
    assert (flat.rtt, flat.sigma) == (0.1, 0.7)


def test_an_anycast_endpoint_may_not_name_an_unknown_region() -> None:
    with pytest.raises(ConfigError, match="did you mean aws:eu-central-1"):
        expected(Places(GeoSettings()), Endpoint(url=URL, anycast=True, region="aws:eu-cntral-1"))


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_anycast_is_true_or_false(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^anycast: write true or false$"):
        Endpoint(url=URL, anycast=value)


def test_an_address_that_the_database_calls_anycast_has_a_flat_prior(database: Path) -> None:
    places = Places(GeoSettings(here=HERE, database=database))

    by_url = Endpoint(url="https://81.2.69.142")
    by_address = Endpoint(url=URL, address="81.2.69.142")
    placed = Endpoint(url="https://81.2.69.142", location=Location(52.5, 13.4))

    assert expected(places, by_url).why == ANYCAST
    assert expected(places, by_address).why == ANYCAST
    assert expected(places, placed).why == "420 km away"


def test_a_name_that_resolves_to_an_anycast_address_says_so_to_the_pool(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("81.2.69.142", 443))]
    )
    told: dict[str, Prior] = {}

    class Pool:
        place = staticmethod(told.__setitem__)

    places = Places(GeoSettings(here=HERE, database=database))
    named, flagged = Endpoint(url=URL, name="named"), Endpoint(url=URL, name="f", anycast=True)
    before = expected(places, named).why
    asyncio.run(places.resolve(Pool(), [named, flagged]))  # type: ignore[arg-type]

    assert before == "not known where the endpoint is"
    assert {name: prior.why for name, prior in told.items()} == {"named": ANYCAST}
    assert expected(places, named).why == ANYCAST


def test_an_end_user_is_8_ms_further_and_less_sure() -> None:
    places = Places(GeoSettings(here=HERE, database=DEMO))
    endpoint = Endpoint(url=URL, name="e", region="aws:eu-west-1")
    london = "81.2.69.142"

    user = places.seen_from(london, [endpoint])["e"]
    host = Places(GeoSettings(here=london, database=DEMO)).placed([endpoint])["e"][1]

    assert user.rtt == pytest.approx(host.rtt + 0.008)
    assert (host.sigma, user.sigma) == (0.20, 0.35)
    assert user.distance_km == host.distance_km
    assert places.seen_from("10.0.0.1", [endpoint])["e"] == expected(places, endpoint)
