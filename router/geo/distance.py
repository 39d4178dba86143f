"""Distance along the great circle.

Rule: the Earth is a sphere here. The error is under 0.6 %, and cables go round by far more.
"""

from __future__ import annotations

from math import acos, asin, cos, radians, sin, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.endpoint import Location

__all__ = ["EARTH_RADIUS_KM", "Point", "arc_km", "cosine", "great_circle_km", "point", "written_km"]

EARTH_RADIUS_KM = 6371.0088

Point = tuple[float, float, float]
"""A place as a unit vector from the Earth's centre: to be compared with many others."""


def great_circle_km(a: Location, b: Location) -> float:
    """Return kilometres between two places by the haversine formula."""
    lat_a, lat_b = radians(a.latitude), radians(b.latitude)
    turn = sin(radians(b.longitude - a.longitude) / 2)
    h = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * turn**2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, h)))


def point(where: Location) -> Point:
    """Return a place as a unit vector."""
    latitude, longitude = radians(where.latitude), radians(where.longitude)
    return cos(latitude) * cos(longitude), cos(latitude) * sin(longitude), sin(latitude)


def cosine(a: Point, b: Point) -> float:
    """Return the cosine of the angle between two unit vectors: the greater, the nearer."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def arc_km(cosine: float) -> float:
    """Return kilometres for the cosine of an angle; right to a metre."""
    return EARTH_RADIUS_KM * acos(max(-1.0, min(1.0, cosine)))


def written_km(km: float) -> str:
    """Round to two figures, since places are no better known: 6237 is `6 200 km`."""
    figures = round(km, -max(1, len(str(int(km))) - 2))
    return f"{figures:,.0f} km".replace(",", " ")
