"""From an address to a place, by databases of every schema."""

from __future__ import annotations

import gc
import logging
import os
import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from geo_samples import DEMO, write_database

from router.endpoint import Location
from router.errors import GeoError
from router.geo import Locator, Place
from router.geo.countries import locate_country

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONDON = Place(Location(51.51, -0.13, 20), "GB", "London")
ADDRESS = "81.2.69.142"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (ADDRESS, LONDON),
        ("81.2.69.143", LONDON),
        ("81.2.69.144", None),
        ("::ffff:81.2.69.142", LONDON),
        ("192.0.2.200", Place(Location(51.0, 9.0, 1000), "DE", None)),
        ("2001:db8:5:ffff::1", Place(Location(-23.55, -46.63, 20), "BR", "São Paulo")),
        ("2001:db8:7::1", None),
        ("8.8.8.8", None),
        ("127.0.0.1", None),
        ("::1", None),
        ("10.1.2.3", None),
        ("fe80::1%eth0", None),
    ],
)
def test_an_address_has_the_place_of_its_network(address: str, place: Place | None) -> None:
    locator = Locator.open(DEMO)

    assert locator.lookup(address) == place
    assert locator.locate(address) == (place and place.location)


@pytest.mark.parametrize("address", ["", "example.com", "1.2.3", "1.2.3.4:80", "1.2.3.4 ", "\0"])
@pytest.mark.parametrize("database", [None, DEMO])
def test_what_is_no_address_is_an_error_that_does_not_repeat_it(
    address: str, database: Path | None
) -> None:
    with pytest.raises(GeoError, match=r"not an IP address: write one such as") as caught:
        Locator(database).locate(address)
    assert not address or address not in str(caught.value)


GB = {"iso_code": "GB", "names": {"en": "United Kingdom"}}
PRIVATE = {"city": {"names": {"en": "Nowhere"}}, "location": {"latitude": 1.0, "longitude": 1.0}}


@pytest.mark.parametrize(
    ("kind", "record", "place"),
    [
        ("GeoLite2-Country", {"country": GB}, Place(locate_country("GB"), "GB", None)),
        ("GeoLite2-Country", {"registered_country": GB}, Place(locate_country("GB"), "GB", None)),
        ("GeoLite2-Country", {"country": {"iso_code": "XX"}}, Place(None, "XX", None)),
        ("GeoLite2-Country", {"continent": {"code": "EU"}}, None),
        (
            "GeoLite2-City",
            {"location": {"latitude": 5, "longitude": 6.5}},
            Place(Location(5, 6.5, 1000), None, None),
        ),
        (
            "GeoLite2-City",
            {"country": GB, "location": {"latitude": 5.0}, "traits": {"is_anycast": True}},
            Place(None, "GB", None, is_anycast=True),
        ),
        ("GeoLite2-City", {"traits": {"is_anycast": True}}, Place(None, None, None, True)),
        (
            "dbip-City-lite flat",
            {"country_code": "GB", "latitude": "51.5", "longitude": "-0.1", "city": "London"},
            Place(Location(51.5, -0.1, 50), "GB", "London"),
        ),
        (
            "ipinfo location",
            {"country": "GB", "lat": 51.5, "lng": -0.1, "radius": "10"},
            Place(Location(51.5, -0.1, 10), "GB", None),
        ),
        (
            "flat",
            {"country_code": "GB", "latitude": "", "longitude": "", "city": ""},
            Place(locate_country("GB"), "GB", None),
        ),
        ("flat", {"asn": "AS1"}, None),
    ],
)
def test_each_schema_tells_its_place(
    tmp_path: Path, kind: str, record: dict[str, Any], place: Place | None
) -> None:
    database = write_database(tmp_path / "x.mmdb", kind, {"81.2.69.0/24": record})

    assert Locator.open(database).lookup(ADDRESS) == place


@pytest.mark.parametrize(
    "record",
    [
        {"country_code": "GB", "latitude": "north", "longitude": "0"},
        {"country_code": "GB", "latitude": 91.0, "longitude": 0.0},
        {"country_code": "GB", "latitude": float("nan"), "longitude": 0.0},
        {"country_code": 44, "latitude": 1.0, "longitude": 0.0},
        {"country_code": "GB", "latitude": 1.0, "longitude": 0.0, "radius": -1.0},
        {"location": {"latitude": [], "longitude": 0.0}},
        {"location": 5, "city": {}},
        {"city": {"names": 5}},
        "London",
        [1, 2],
    ],
)
def test_a_record_that_makes_no_sense_is_a_geo_error(tmp_path: Path, record: Any) -> None:
    database = write_database(tmp_path / "x.mmdb", "GeoLite2-City", {"81.2.70.0/24": record})

    with pytest.raises(GeoError, match="it is damaged"):
        Locator.open(database).lookup("81.2.70.1")


def test_a_database_without_ipv6_does_not_know_ipv6(tmp_path: Path) -> None:
    record = {"country_code": "GB", "latitude": 1.0, "longitude": 2.0}
    database = write_database(tmp_path / "4.mmdb", "flat", {"81.2.69.0/24": record}, ip_version=4)
    locator = Locator.open(database)

    assert locator.locate(ADDRESS) == Location(1, 2, 1000)
    assert locator.locate("2001:db8::1") is None


def test_private_addresses_are_not_asked_for_even_if_the_database_has_them(tmp_path: Path) -> None:
    database = write_database(
        tmp_path / "x.mmdb", "City", {"10.0.0.0/8": PRIVATE, "127.0.0.0/8": PRIVATE}
    )
    locator = Locator.open(database)

    assert locator.lookup("10.0.0.1") is None
    assert locator.lookup("127.0.0.1") is None


def _missing(path: Path) -> None:
    assert not path.exists()


def _directory(path: Path) -> None:
    path.mkdir()


def _empty(path: Path) -> None:
    path.touch()


def _text(path: Path) -> None:
    path.write_text("GeoLite2? " * 100)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def _half(path: Path) -> None:
    path.write_bytes(DEMO.read_bytes()[:2000])


def _tail(path: Path) -> None:
    path.write_bytes(DEMO.read_bytes()[3000:])


def _asn(path: Path) -> None:
    write_database(path, "GeoLite2-ASN", {"81.2.69.0/24": {"autonomous_system_number": 1}})


UNUSABLE = [
    (_missing, "there is no such file"),
    (_directory, "it is not a file"),
    (_empty, "it is empty"),
    (_text, "it is not a MaxMind DB file"),
    (_pipe, "it is not a file"),
    (_socket, "it is not a file"),
    (_half, "or its end is missing"),
    (_tail, "it is damaged"),
    (_asn, "a GeoLite2-ASN database holds no places"),
]


@pytest.mark.parametrize(("make", "what"), UNUSABLE)
def test_an_unusable_database_is_one_error_or_one_warning(
    make: Callable[[Path], None], what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "x.mmdb"
    make(path)
    said = re.compile(rf"location database {re.escape(str(path))}: .*{what}.*; put a GeoLite2-City")

    with pytest.raises(GeoError, match=said):
        Locator.open(path)
    assert not caplog.records

    locator = Locator(path)
    assert [locator.locate(a) for a in (ADDRESS, ADDRESS, "8.8.8.8", "2001:db8::1")] == [None] * 4
    [record] = caplog.records
    assert (record.name, record.levelno) == ("router.geo", logging.WARNING)
    assert said.search(record.getMessage())
    assert record.getMessage().endswith("routing goes on by latency alone")


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Give up root's right to read every file, for a while."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


def test_an_unreadable_database_is_a_geo_error(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "x.mmdb"
    path.write_bytes(DEMO.read_bytes())
    path.chmod(0)
    request.getfixturevalue("as_nobody")
    with pytest.raises(GeoError, match="Permission denied"):
        Locator.open(path)


def test_no_database_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert Locator(None).locate(ADDRESS) is None
    assert not caplog.records


def test_damage_met_later_is_one_warning_and_harms_no_other_record(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = {"country_code": "GB", "latitude": 1.0, "longitude": 2.0}
    bad = {"country_code": "GB", "latitude": "north", "longitude": 2.0}
    database = write_database(
        tmp_path / "x.mmdb", "flat", {"81.2.69.0/24": good, "81.2.70.0/24": bad}
    )
    locator = Locator(database)

    assert not caplog.records
    assert [locator.locate(f"81.2.70.{host}") for host in range(20)] == [None] * 20
    assert locator.locate(ADDRESS) == Location(1, 2, 1000)
    assert len(caplog.records) == 1


def test_answers_are_remembered_for_an_hour_and_then_forgotten() -> None:
    now = 0.0
    locator = Locator(DEMO, clock=lambda: now)
    assert locator.lookup(ADDRESS) == LONDON
    assert locator.lookup("8.8.8.8") is None
    locator._database = Locator(None)._database

    now = 3599.0
    assert locator.lookup(ADDRESS) == LONDON
    assert set(locator._cache) == {ADDRESS, "8.8.8.8"}
    now = 3600.0
    assert locator.lookup(ADDRESS) is None


def test_the_memory_of_answers_is_bounded() -> None:
    locator = Locator(DEMO)
    for host in range(10_000):
        locator.locate(f"8.8.{host >> 8}.{host & 255}")

    assert len(locator._cache) == 8192


def descriptors() -> set[tuple[str, Path]]:
    """Return the numbers of the open files of this process, and what they are."""
    found = set()
    for file in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the directory's own, which is closed by now
            found.add((file.name, file.readlink()))
    return found


def test_a_closed_locator_locates_nothing_and_gives_its_descriptors_back() -> None:
    gc.collect()  # what earlier tests left goes now, or as it likes: nothing may be added
    before = descriptors()
    locators = [Locator.open(DEMO) for _ in range(20)]
    assert all(locator.lookup(ADDRESS) == LONDON for locator in locators)
    assert len(descriptors() - before) >= len(locators)

    for locator in locators:
        locator.close()
        assert locator.lookup(ADDRESS) is None
    assert descriptors() <= before


def test_without_anonymous_memory_the_copy_is_a_file_that_vanishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    assert Locator.open(DEMO).lookup(ADDRESS) == LONDON
    assert not list(tmp_path.iterdir())
