"""A rough place for a country, for databases that know nothing nearer.

Rule: it is one large city of the country, with an accuracy no better than 1000 km, so that every
      estimate made from it says how little it knows.
"""

from __future__ import annotations

import csv
import functools

from router.endpoint import Location
from router.geo.data import data_file

__all__ = ["locate_country"]


def locate_country(code: str) -> Location | None:
    """Return the rough place of a country by its ISO 3166 code of two letters, or None."""
    return _countries().get(code.upper())


@functools.cache
def _countries() -> dict[str, Location]:
    with data_file("countries.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: _location(row) for row in csv.DictReader(file)}


def _location(row: dict[str, str]) -> Location:
    return Location(float(row["latitude"]), float(row["longitude"]), float(row["accuracy_km"]))
