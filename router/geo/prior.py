"""What distance says about round-trip time before anything was measured.

Rule 1: the prior is a log-normal guess, `ln(rtt)` with standard deviation `sigma`; measurements
        outweigh it soon (`latency`), so it only has to rank the first few seconds well.
Rule 2: the line is 11.5 ms + 12.7 ms per 1000 km of hub path (`hub_path`), fitted by least
        absolute relative deviations to one cloud's inter-region table (Azure, 276 pairs: median
        error 6 %) and judged on three others (AWS 6 %, Google Cloud 8 %, IBM 7 %). On the great
        circle the errors are 15 to 16 %. `tests/spec` has the tables.
Rule 3: a place known only to 1000 km gains nothing from hubs: there the line is 11 ms + 15 ms per
        1000 km of great circle.
Rule 4: what is not known widens sigma; it never invents a distance. An endpoint without a place
        (anycast, loopback, private) is neither near nor far. An end user's access network adds
        8 ms that nobody can see from here.
Rule 5: light in fibre needs `floor`; an RTT under it proves that a place is wrong. The floor is of
        the great circle, and allows for how vaguely both places are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.geo.distance import great_circle_km, written_km
from router.geo.hub_path import hub_path_km

if TYPE_CHECKING:
    from router.endpoint import Location

__all__ = ["ANYCAST", "Prior", "flat", "floor_rtt", "prior"]

BASE_RTT = 0.0115
RTT_PER_KM = 12.7e-6
VAGUE_BASE_RTT = 0.011
VAGUE_RTT_PER_KM = 15.0e-6
ACCESS_RTT = 0.008
FLOOR_PER_KM = 11.0e-6
SIGMA_PLACED = 0.20
SIGMA_VAGUE = 0.35
VAGUE_KM = 1000.0
FLAT_RTT = 0.100
SIGMA_FLAT = 0.7
NEARBY_KM = 10.0
ROUNDABOUT = 1.1
"""From here on the hub path is so much longer than the great circle that people are told."""
ANYCAST = "anycast: one address, many places"


@dataclass(frozen=True, slots=True)
class Prior:
    """An RTT expected from geography: median `rtt` and `floor` in seconds, `sigma` of ln(RTT)."""

    rtt: float
    sigma: float
    distance_km: float | None
    why: str
    floor: float = 0.0


def prior(here: Location | None, there: Location | None, *, access: bool = False) -> Prior:
    """Return what to expect between two places, either of which may be unknown.

    `access` tells that `here` is an end user, behind an access network.
    """
    if here is None or there is None:
        return flat(
            f"not known {'where this host is' if here is None else 'where the endpoint is'}"
        )
    km = great_circle_km(here, there)
    vague = max(here.accuracy_km, there.accuracy_km) >= VAGUE_KM
    path_km = km if vague else hub_path_km(here, there)
    rtt = VAGUE_BASE_RTT + VAGUE_RTT_PER_KM * km if vague else BASE_RTT + RTT_PER_KM * path_km
    return Prior(
        rtt=rtt + ACCESS_RTT * access,
        sigma=SIGMA_VAGUE if vague or access else SIGMA_PLACED,
        distance_km=km,
        why=f"{'roughly ' * vague}{_away(km, path_km)}",
        floor=floor_rtt(max(0.0, km - here.accuracy_km - there.accuracy_km)),
    )


def flat(why: str) -> Prior:
    """Return what to expect where distance has no say, for this reason."""
    return Prior(FLAT_RTT, SIGMA_FLAT, None, why)


def floor_rtt(km: float) -> float:
    """Return the least RTT in seconds that light in fibre allows over this many kilometres."""
    return FLOOR_PER_KM * km


def _away(km: float, path_km: float) -> str:
    if km < NEARBY_KM:
        return "nearby"
    by_cable = f", {written_km(path_km)} by cable" * (path_km > ROUNDABOUT * km)
    return f"{written_km(km)} away{by_cable}"
