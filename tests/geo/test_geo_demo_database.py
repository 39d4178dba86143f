"""The demonstration database is what its script makes of its table, and geoip2 reads it."""

from __future__ import annotations

import csv
import subprocess
import sys
from typing import TYPE_CHECKING

import geoip2.database
import maxminddb
import pytest
from geo_samples import CHECKOUT, DEMO

from router.geo import Locator

if TYPE_CHECKING:
    from pathlib import Path


def _rows() -> list[dict[str, str]]:
    with (CHECKOUT / "data" / "demo_networks.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_script_makes_the_same_bytes_again(tmp_path: Path) -> None:
    again = tmp_path / "again.mmdb"
    script = CHECKOUT / "scripts" / "build_demo_database.py"
    done = subprocess.run(
        [sys.executable, str(script), str(again)], check=True, capture_output=True, text=True
    )

    assert done.stdout == f"{again}: {len(_rows())} networks\n"
    assert again.read_bytes() == DEMO.read_bytes()


def test_geoip2_takes_it_for_a_city_database() -> None:
    with geoip2.database.Reader(DEMO) as reader:
        assert reader.city("81.2.69.142").city.name == "London"
    with maxminddb.open_database(DEMO) as raw:
        assert "GeoLite2" not in raw.metadata().database_type


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row["network"])
def test_every_row_is_found_at_the_first_address_of_its_network(row: dict[str, str]) -> None:
    place = Locator.open(DEMO).lookup(row["network"].partition("/")[0])

    assert place is not None
    assert place.location is not None
    assert (place.city or "", place.country) == (row["city"], row["country"])
    assert (place.location.latitude, place.location.longitude, place.location.accuracy_km) == (
        float(row["latitude"]),
        float(row["longitude"]),
        float(row["accuracy_km"]),
    )
