"""What distance says about round-trip time before anything was measured.

Rule 1: the prior is a log-normal guess, `ln(rtt)` with standard deviation `sigma`; measurements
        outweigh it soon (`latency`), so it only has to rank the first few seconds well.
Rule 2: the line is 11 ms + 15 ms per 1000 km of great circle, fitted by least absolute deviations
        to the inter-region tables of three clouds (median error 13.6 %).
Rule 3: what is not known widens sigma; it never invents a distance. An endpoint without a place
        (anycast, loopback, private) is neither near nor far.
Rule 4: light in fibre needs `floor`; an RTT under it proves that a place is wrong. The floor
        allows for how vaguely both places are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.geo.distance import great_circle_km

if TYPE_CHECKING:
    from router.endpoint import Location

__all__ = ["Prior", "floor_rtt", "prior"]

BASE_RTT = 0.011
RTT_PER_KM = 15.0e-6
FLOOR_PER_KM = 11.0e-6
SIGMA_PLACED = 0.25
SIGMA_VAGUE = 0.35
VAGUE_KM = 1000.0
FLAT_RTT = 0.100
SIGMA_FLAT = 0.7
NEARBY_KM = 10.0


@dataclass(frozen=True, slots=True)
class Prior:
    """An RTT expected from geography: median `rtt` and `floor` in seconds, `sigma` of ln(RTT)."""

    rtt: float
    sigma: float
    distance_km: float | None
    why: str
    floor: float = 0.0


def prior(here: Location | None, there: Location | None) -> Prior:
    """Return what to expect between two places, either of which may be unknown."""
    if here is None or there is None:
        unknown = "where this host is" if here is None else "where the endpoint is"
        return Prior(FLAT_RTT, SIGMA_FLAT, None, f"not known {unknown}")
    km = great_circle_km(here, there)
    vague = max(here.accuracy_km, there.accuracy_km) >= VAGUE_KM
    return Prior(
        rtt=BASE_RTT + RTT_PER_KM * km,
        sigma=SIGMA_VAGUE if vague else SIGMA_PLACED,
        distance_km=km,
        why=f"{'roughly ' if vague else ''}{_written(km)}",
        floor=floor_rtt(max(0.0, km - here.accuracy_km - there.accuracy_km)),
    )


def floor_rtt(km: float) -> float:
    """Return the least RTT in seconds that light in fibre allows over this many kilometres."""
    return FLOOR_PER_KM * km


def _written(km: float) -> str:
    """Round to two figures, since the place is no better known: 6237 is `6 200 km away`."""
    if km < NEARBY_KM:
        return "nearby"
    figures = round(km, -max(1, len(str(int(km))) - 2))
    return f"{figures:,.0f} km away".replace(",", " ")
