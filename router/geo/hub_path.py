"""How far it is as packets go: straight on a landmass, by cable hubs across the sea.

The great circle is wrong where cables go round: from Europe to Asia they pass Suez, from Brazil to
Europe mostly New York.

Rule 1: a place belongs to the landmass of the hub that is nearest to it. Between two places of one
        landmass the way is the great circle.
Rule 2: a place joins the hubs of its landmass within `REACH_KM`, or the nearest if none is; from
        hub to hub only the ways of the table count. So nobody crosses Africa from coast to coast.
Rule 3: the shortest paths from a place are found once and remembered, and so is which hubs a place
        joins: the next endpoint costs a few additions.
"""

from __future__ import annotations

import functools
import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.geo.distance import EARTH_RADIUS_KM, arc_km, great_circle_km, point
from router.geo.hubs import network

if TYPE_CHECKING:
    from router.endpoint import Location

__all__ = ["hub_path_km"]

REACH_KM = 2500.0
WITHIN_REACH = math.cos(REACH_KM / EARTH_RADIUS_KM)
STARTS_REMEMBERED = 256
PLACES_REMEMBERED = 2048


def hub_path_km(here: Location, there: Location) -> float:
    """Return kilometres of the shortest way between two places; never under the great circle's."""
    joined = _joined(there)
    if joined.landmass == _joined(here).landmass:
        return great_circle_km(here, there)
    km_to = _km_to_hubs(here)
    return min(km_to[hub] + km for hub, km in joined.hubs)


@dataclass(frozen=True, slots=True)
class _Joined:
    """The landmass of a place, and the hubs that it joins: index and kilometres."""

    landmass: str
    hubs: tuple[tuple[int, float], ...]


@functools.lru_cache(PLACES_REMEMBERED)
def _joined(where: Location) -> _Joined:
    hubs, (x, y, z) = network().hubs, point(where)
    cosines = [x * hub.at[0] + y * hub.at[1] + z * hub.at[2] for hub in hubs]  # a hot loop
    nearest = max(cosines)
    landmass, reach = hubs[cosines.index(nearest)].landmass, min(WITHIN_REACH, nearest)
    return _Joined(
        landmass,
        tuple(
            (index, arc_km(cosine))
            for index, cosine in enumerate(cosines)
            if cosine >= reach and hubs[index].landmass == landmass
        ),
    )


@functools.lru_cache(STARTS_REMEMBERED)
def _km_to_hubs(here: Location) -> tuple[float, ...]:
    """Return the kilometres from a place to every hub, by Dijkstra's algorithm."""
    ways = network().ways
    found = [float("inf")] * len(ways)
    queue = [(km, hub) for hub, km in _joined(here).hubs]
    heapq.heapify(queue)
    while queue:
        km, hub = heapq.heappop(queue)
        if km < found[hub]:
            found[hub] = km
            for other, length in ways[hub]:
                heapq.heappush(queue, (km + length, other))
    return tuple(found)
