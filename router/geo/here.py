"""Both ends of the distance: where this host is, and where an endpoint is.

Rule: what the user says outweighs what is looked up. Nothing is resolved here; the caller brings
      the address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.endpoint import Location
from router.errors import ConfigError
from router.geo import regions
from router.hosts import is_address

if TYPE_CHECKING:
    from router.endpoint import Endpoint
    from router.geo.locator import Locator

__all__ = ["place_of", "resolve_here"]


def resolve_here(setting: str | Location | None, locator: Locator) -> Location | None:
    """Return where this host is, from coordinates, a region code, an IP address or nothing.

    Raises:
        ConfigError: the text is neither an IP address nor a known region code.
    """
    if setting is None or isinstance(setting, Location):
        return setting
    if is_address(setting):
        return locator.locate(setting)
    return _region_location("geo.here", setting)


def place_of(endpoint: Endpoint, locator: Locator, address: str | None) -> Location | None:
    """Return where an endpoint is: as configured, else by its region, else by its IP address.

    Raises:
        ConfigError: the catalogue has no region of that code.
    """
    if endpoint.location is not None:
        return endpoint.location
    if endpoint.region is not None:
        return _region_location(f"endpoint {endpoint.name}", endpoint.region)
    return None if address is None else locator.locate(address)


def _region_location(who: str, code: str) -> Location:
    try:
        return regions.require(code).location
    except ConfigError as error:
        raise ConfigError(*(f"{who}: {problem}" for problem in error.problems)) from None
