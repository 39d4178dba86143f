"""The catalogue of cloud regions and the rough places of countries."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

import pytest
from geo_samples import CHECKOUT

from router.errors import ConfigError, GeoError
from router.geo import data, regions
from router.geo.countries import locate_country
from router.geo.distance import great_circle_km

if TYPE_CHECKING:
    from pathlib import Path


def test_each_cloud_has_its_regions_and_no_code_stands_twice() -> None:
    with (CHECKOUT / "data" / "regions.csv").open(encoding="utf-8", newline="") as file:
        written = [row["code"] for row in csv.DictReader(file)]

    assert tuple(written) == regions.codes()
    assert len(set(written)) == len(written) == 147
    for cloud, at_least in (("aws", 35), ("azure", 55), ("gcp", 40)):
        assert sum(code.startswith(f"{cloud}:") for code in written) >= at_least


@pytest.mark.parametrize("code", regions.codes())
def test_no_region_lies_far_from_its_country(code: str) -> None:
    with (CHECKOUT / "data" / "regions.csv").open(encoding="utf-8", newline="") as file:
        country = next(row["country"] for row in csv.DictReader(file) if row["code"] == code)
    region = regions.require(code)
    rough = locate_country(country)

    assert re.fullmatch(r"(aws|azure|gcp):[a-z]+[a-z0-9-]*", code)
    assert region.city
    assert region.location.accuracy_km == 50
    assert rough is not None
    assert great_circle_km(region.location, rough) < max(1600, rough.accuracy_km + 500)


def test_no_two_clouds_share_a_bare_region_name() -> None:
    bare = [code.partition(":")[2] for code in regions.codes()]

    assert len(set(bare)) == len(bare)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("aws:eu-central-1", "aws:eu-central-1"),
        ("eu-central-1", "aws:eu-central-1"),
        ("us-east1", "gcp:us-east1"),
        ("westeurope", "azure:westeurope"),
        ("AWS:EU_West_1", "aws:eu-west-1"),
        ("aws:eu-wst-1", "aws:eu-west-1"),
        ("azure:west-europe", "azure:westeurope"),
        ("aws:eu-central-1a", "aws:eu-central-1"),
        ("gcp:eu-central-1", "aws:eu-central-1"),
        ("zzz", None),
        ("", None),
        ("x" * 10_000, None),
    ],
)
def test_a_misspelt_code_brings_the_code_that_was_meant(written: str, meant: str | None) -> None:
    near = regions.suggest(written)

    assert (near[0] if near else None) == meant
    assert len(near) <= 3


def test_a_lookup_takes_the_exact_code_only() -> None:
    found = regions.find("aws:eu-central-1")

    assert found is not None
    assert found.city == "Frankfurt"
    assert regions.find("AWS:eu-central-1") is None


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("aws:us-est-1", "did you mean aws:us-west-1 or aws:us-east-1 or "),
        ("eu-central-1", "did you mean aws:eu-central-1?"),
        ("moon", "write one such as aws:eu-central-1"),
    ],
)
def test_an_unknown_code_is_an_error_that_says_what_to_write(code: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(hint)):
        regions.require(code)


def test_a_country_is_a_city_with_at_least_1000_km_of_doubt() -> None:
    germany = locate_country("de")

    assert germany is not None
    assert germany.accuracy_km == 1000
    assert 47 < germany.latitude < 55
    assert locate_country("ZZ") is None


def test_the_wheels_copy_of_a_data_file_comes_before_the_checkouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, checkout = tmp_path / "_data", tmp_path / "data"
    for place, name in ((wheel, "both"), (checkout, "both"), (checkout, "one")):
        place.mkdir(exist_ok=True)
        (place / name).touch()

    assert [place.name for place in data.PLACES] == ["_data", "data"]
    monkeypatch.setattr(data, "PLACES", (wheel, checkout))
    assert data.data_file("both") == wheel / "both"
    assert data.data_file("one") == checkout / "one"
    with pytest.raises(GeoError, match="install region-router again"):
        data.data_file("none")
