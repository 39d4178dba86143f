"""The network that packets cross seas by: hubs, and the ways between them.

Rule 1: the tables say all. A hub is a city where cables land; `cables.csv` names every way between
        two hubs, and a way that is not in it is not taken, though a cable may lie there.
Rule 2: a way is as long as its great circle times its factor, which is over 1 where a cable goes
        round a continent, or where hardly anybody takes the way.
Rule 3: the tables are read once, at the first question.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.endpoint import Location
from router.geo.data import data_file
from router.geo.distance import Point, arc_km, cosine, point

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Hub", "Network", "network"]


@dataclass(frozen=True, slots=True)
class Hub:
    """A city where cables land, and the landmass that it serves."""

    name: str
    landmass: str
    at: Point


@dataclass(frozen=True, slots=True)
class Network:
    """All hubs, and for each the ways from it: the index of another hub, and kilometres."""

    hubs: tuple[Hub, ...]
    ways: tuple[tuple[tuple[int, float], ...], ...]


@functools.cache
def network() -> Network:
    """Return the network of the package's own tables."""
    hubs = tuple(_hub(row) for row in _rows("hubs.csv"))
    return Network(hubs, _ways(hubs, _rows("cables.csv")))


def _rows(name: str) -> list[dict[str, str]]:
    with data_file(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _hub(row: dict[str, str]) -> Hub:
    where = Location(float(row["latitude"]), float(row["longitude"]))
    return Hub(row["hub"], row["landmass"], point(where))


def _ways(
    hubs: tuple[Hub, ...], rows: Iterable[dict[str, str]]
) -> tuple[tuple[tuple[int, float], ...], ...]:
    index = {hub.name: number for number, hub in enumerate(hubs)}
    ways: list[list[tuple[int, float]]] = [[] for _ in hubs]
    for row in rows:
        a, b = index[row["a"]], index[row["b"]]
        km = arc_km(cosine(hubs[a].at, hubs[b].at)) * float(row["factor"])
        ways[a].append((b, km))
        ways[b].append((a, km))
    return tuple(map(tuple, ways))
