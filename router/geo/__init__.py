"""Where things are, and what distance says about time.

A cloud region code has a place in the catalogue (`regions`), an address has one in the user's
location database (`Locator`), and two places have an expected round-trip time (`prior`) by the way
that cables take between them (`hub_path`, over the network of `hubs`). None of it is sure: every
place carries its accuracy and every expectation its spread, and measurement (`latency`) overrules
both; what several hosts measured can even prove a place wrong (`anycast`). geoip2 and maxminddb
are imported when a database is opened.
"""

from router.geo.distance import great_circle_km
from router.geo.here import place_of, resolve_here
from router.geo.locator import Locator
from router.geo.place import Place
from router.geo.prior import Prior, floor_rtt

__all__ = [
    "Locator",
    "Place",
    "Prior",
    "floor_rtt",
    "great_circle_km",
    "place_of",
    "resolve_here",
]
