"""Where everybody is: this host, each endpoint, an end user; and the priors that follow.

Rule 1: what the configuration says is used at once. An endpoint that only its address can place
        waits for the background, which alone resolves names.
Rule 2: a place found that way is remembered and gives the pool a better prior; samples stay.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from router.geo.here import place_of, resolve_here
from router.geo.locator import Locator
from router.geo.prior import prior
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
        self._resolved: dict[str, Location] = {}

    def placed(self, endpoints: Iterable[Endpoint]) -> dict[str, tuple[Endpoint, Prior]]:
        """Return every endpoint by name, with its prior as seen from this host."""
        return {e.name: (e, prior(self._here, self._place(e))) for e in endpoints}

    def seen_from(self, client_ip: str | None, endpoints: Iterable[Endpoint]) -> dict[str, Prior]:
        """Return priors by name, as seen by an end user; from here, if his place is not known.

        Raises:
            GeoError: the text is no IP address.
        """
        client = None if client_ip is None else self.locator.locate(client_ip)
        return {e.name: prior(client or self._here, self._place(e)) for e in endpoints}

    def _place(self, endpoint: Endpoint) -> Location | None:
        known = place_of(endpoint, self.locator, None) or self._resolved.get(endpoint.name)
        for address in (endpoint.address, endpoint.origin.host):
            if known is None and address is not None and is_address(address):
                known = self.locator.locate(address)
        return known

    async def resolve(self, pool: EndpointPool, endpoints: Iterable[Endpoint]) -> None:
        """Look up the endpoints that only their name's address can place, and tell the pool."""
        if not self._has_database:
            return
        for endpoint in [e for e in endpoints if self._place(e) is None]:
            address = await _resolve(endpoint)
            place = None if address is None else self.locator.locate(address)
            if place is not None:
                self._resolved[endpoint.name] = place
                pool.place(endpoint.name, prior(self._here, place))


async def _resolve(endpoint: Endpoint) -> str | None:
    origin = endpoint.origin
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except OSError:
        return None
    return str(found[0][4][0])
