"""Distance along the great circle.

Rule: the Earth is a sphere here. The error is under 0.6 %, and cables go round by far more.
"""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.endpoint import Location

__all__ = ["great_circle_km"]

EARTH_RADIUS_KM = 6371.0088


def great_circle_km(a: Location, b: Location) -> float:
    """Return kilometres between two places by the haversine formula."""
    lat_a, lat_b = radians(a.latitude), radians(b.latitude)
    turn = sin(radians(b.longitude - a.longitude) / 2)
    h = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * turn**2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, h)))
