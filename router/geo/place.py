"""A place as location databases tell it, whatever their schema.

Rule 1: GeoLite2's nested records go through geoip2's models; flat records (`country_code`,
        `latitude`, …, as text or as numbers) are read here. The record's shape decides, since the
        names that publishers give their databases do not.
Rule 2: what a record says only roughly stays rough: a country without coordinates is a large city
        of it with 1000 km of doubt, and an anycast network has no place at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.endpoint import Location
from router.geo.countries import locate_country

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Place", "place_from_record"]

NESTED = ("city", "continent", "country", "location", "registered_country", "traits")
CITY_KM = 50.0
COUNTRY_KM = 1000.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is: coordinates, ISO country code and city, as far as they are known.

    An anycast address is in many places at once, and so has no coordinates.
    """

    location: Location | None
    country: str | None
    city: str | None
    is_anycast: bool = False


def place_from_record(record: Mapping[str, Any]) -> Place | None:
    """Return the place that a database's record tells, or None if it tells none.

    A damaged record may raise anything: the caller translates.
    """
    nested = any(isinstance(record.get(key), dict) for key in NESTED)
    place = _from_nested(record) if nested else _from_flat(record)
    return None if place == Place(None, None, None) else place


def _from_nested(record: Mapping[str, Any]) -> Place:
    from geoip2.models import City  # noqa: PLC0415 - loaded when used

    found = City(["en"], **record)
    country = found.country.iso_code or found.registered_country.iso_code
    if found.traits.is_anycast:
        return Place(None, _text(country), None, is_anycast=True)
    where = found.location
    return _place(
        (where.latitude, where.longitude, where.accuracy_radius), country, found.city.name
    )


def _from_flat(record: Mapping[str, Any]) -> Place:
    latitude = record.get("latitude", record.get("lat"))
    longitude = record.get("longitude", record.get("lng", record.get("lon")))
    country = record.get("country_code", record.get("country"))
    radius = record.get("accuracy_radius", record.get("radius"))
    return _place((latitude, longitude, radius), country, record.get("city"))


def _place(where: tuple[Any, Any, Any], country: Any, city: Any) -> Place:
    latitude, longitude, radius = (_number(value) for value in where)
    code, name = _text(country), _text(city)
    if latitude is not None and longitude is not None:
        doubt = CITY_KM if name else COUNTRY_KM
        return Place(Location(latitude, longitude, _radius(radius, doubt)), code, name)
    return Place(locate_country(code) if code else None, code, name)


def _number(value: Any) -> float | None:
    """Return a number that may be written as text; empty text is no number."""
    return None if value is None or value == "" else float(value)


def _radius(radius: float | None, otherwise: float) -> float:
    if radius is None:
        return otherwise
    if not 0 <= radius < math.inf:
        raise ValueError("an accuracy radius is a finite number from 0 up")
    return radius


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise TypeError("a name is text")
    return value
