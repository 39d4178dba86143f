"""The catalogue of cloud regions: code, city, place.

Rule 1: a code is `cloud:region` in the provider's own spelling, since `us-east1` and `us-east-1`
        are two companies.
Rule 2: a place is the city that the provider names, so it is right to `CITY_KM`; no data centre's
        address is known or needed.
Rule 3: the file is read once, at the first question.
"""

from __future__ import annotations

import csv
import difflib
import functools

from router.endpoint import Location, Region
from router.errors import ConfigError
from router.geo.data import data_file

__all__ = ["codes", "find", "require", "suggest"]

CITY_KM = 50.0
MOST_SUGGESTIONS = 3
LONGEST_CODE = 60


def find(code: str) -> Region | None:
    """Return the region with this exact code, or None."""
    return _catalogue().get(code)


def require(code: str) -> Region:
    """Return the region with this code.

    Raises:
        ConfigError: no such region; it names the nearest codes.
    """
    region = find(code)
    if region is None:
        raise ConfigError(_unknown(code))
    return region


def codes() -> tuple[str, ...]:
    """Return every known code, in alphabetical order."""
    return tuple(sorted(_catalogue()))


def suggest(code: str) -> tuple[str, ...]:
    """Return up to three codes that `code` may have meant, the likeliest first."""
    wanted = code[:LONGEST_CODE].strip().lower().replace("_", "-").replace(" ", "-")
    if wanted in _catalogue():
        return (wanted,)
    by_region = _codes_by_region()
    region = wanted.rpartition(":")[2]
    if region in by_region:
        return (by_region[region],)
    if ":" in wanted:
        return tuple(difflib.get_close_matches(wanted, codes(), MOST_SUGGESTIONS))
    near = difflib.get_close_matches(wanted, by_region, MOST_SUGGESTIONS)
    return tuple(by_region[name] for name in near)


def _unknown(code: str) -> str:
    near = suggest(code)
    what = f"no cloud region is called {code[:LONGEST_CODE]!r}"
    if near:
        return f"{what}: did you mean {' or '.join(near)}?"
    return (
        f"{what}: write one such as aws:eu-central-1, azure:westeurope or gcp:europe-west3, "
        "or give the location in degrees"
    )


@functools.cache
def _catalogue() -> dict[str, Region]:
    with data_file("regions.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: _region(row) for row in csv.DictReader(file)}


def _region(row: dict[str, str]) -> Region:
    location = Location(float(row["latitude"]), float(row["longitude"]), CITY_KM)
    return Region(row["code"], row["city"], location)


@functools.cache
def _codes_by_region() -> dict[str, str]:
    """Return the codes by what follows the cloud's name; no two clouds share such a word."""
    return {code.partition(":")[2]: code for code in codes()}
