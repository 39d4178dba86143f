"""Where everybody is: this host, each endpoint, an end user; and the priors that follow.

Rule 1: what the configuration says is used at once. An endpoint that only its address can place
        waits for the background, which alone resolves names.
Rule 2: a place found that way is remembered and gives the pool a better prior; samples stay.
Rule 3: an anycast endpoint is in many places, so distance has no say, whatever place is written
        down for it. The configuration says so, or the database does.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from router.geo.here import place_of, resolve_here
from router.geo.locator import Locator
from router.geo.place import Place
from router.geo.prior import ANYCAST, flat, prior
from router.hosts import is_address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.balance.pool import EndpointPool
    from router.config.settings import GeoSettings
    from router.endpoint import Endpoint, Location
    from router.geo.prior import Prior

__all__ = ["Places"]


class Places:
    """Knows places by the configuration and the location database."""

    def __init__(self, settings: GeoSettings) -> None:
        """Open the database, if there is one.

        Raises:
            ConfigError: `geo.here` is neither a region nor an IP address.
        """
        self._has_database = settings.database is not None
        self.locator = Locator(settings.database)
        self._here = resolve_here(settings.here, self.locator)
        self._resolved: dict[str, Place] = {}

    def placed(self, endpoints: Iterable[Endpoint]) -> dict[str, tuple[Endpoint, Prior]]:
        """Return every endpoint by name, with its prior as seen from this host."""
        return {e.name: (e, self._prior(self._here, e)) for e in endpoints}

    def seen_from(self, client_ip: str | None, endpoints: Iterable[Endpoint]) -> dict[str, Prior]:
        """Return priors by name, as seen by an end user; from here, if his place is not known.

        Raises:
            GeoError: the text is no IP address.
        """
        client = None if client_ip is None else self.locator.locate(client_ip)
        here, is_user = client or self._here, client is not None
        return {e.name: self._prior(here, e, access=is_user) for e in endpoints}

    def _prior(self, here: Location | None, endpoint: Endpoint, *, access: bool = False) -> Prior:
        place = self._place(endpoint)
        if endpoint.anycast or (place is not None and place.is_anycast):
            return flat(ANYCAST)
        return prior(here, None if place is None else place.location, access=access)

    def _place(self, endpoint: Endpoint) -> Place | None:
        configured = place_of(endpoint, self.locator, None)
        if configured is not None:
            return Place(configured, None, None)
        known = self._resolved.get(endpoint.url)
        for address in (endpoint.address, endpoint.origin.host):
            if known is None and address is not None and is_address(address):
                known = self._lookup(address)
        return known

    def _lookup(self, address: str) -> Place | None:
        """Return the place of an address if it says anything about distance."""
        place = self.locator.lookup(address)
        says = place is not None and (place.location is not None or place.is_anycast)
        return place if says else None

    async def resolve(self, pool: EndpointPool, endpoints: Iterable[Endpoint]) -> None:
        """Look up the endpoints that only their name's address can place, and tell the pool."""
        if not self._has_database:
            return
        for endpoint in [e for e in endpoints if not e.anycast and self._place(e) is None]:
            address = await _resolve(endpoint)
            place = None if address is None else self._lookup(address)
            if place is not None:
                self._resolved[endpoint.url] = place
                pool.place(endpoint.name, self._prior(self._here, endpoint))


async def _resolve(endpoint: Endpoint) -> str | None:
    origin = endpoint.origin
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except OSError:
        return None
    return str(found[0][4][0])
