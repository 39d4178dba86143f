"""From an address to a place, remembered.

Rule 1: an answer, also "unknown", is remembered for an hour by the injected clock; the memory is
        bounded and its lock is held for arithmetic only.
Rule 2: loopback, private and link-local addresses have no place; no database is asked.
Rule 3: a database that is missing or damaged costs geography, never a request. `Locator(path)`
        says so once on the logger `router.geo` and locates nothing; `Locator.open(path)` is for
        whoever wants the error itself.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from typing import TYPE_CHECKING

from cachetools import TTLCache, cached

from router.errors import GeoError
from router.geo.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address, IPv6Address
    from pathlib import Path

    from router.endpoint import Location
    from router.geo.place import Place

__all__ = ["Locator"]

MOST_REMEMBERED = 8192
REMEMBERED_FOR = 3600.0
PLACELESS = tuple(
    map(
        ipaddress.ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
            *("172.16.0.0/12", "192.168.0.0/16", "::/127", "fc00::/7", "fe80::/10"),
        ),
    )
)

logger = logging.getLogger("router.geo")


class Locator:
    """Places addresses by one database, or by none; safe to share among threads."""

    def __init__(
        self, database: Path | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Open the database at this path; without one, or if it is unusable, locate nothing."""
        self._lock = threading.Lock()
        self._cache: TTLCache[str, Place | None] = TTLCache(
            MOST_REMEMBERED, REMEMBERED_FOR, timer=clock
        )
        self._ask = cached(self._cache, key=str, lock=self._lock)(self._find)
        self._on_damage: Callable[[GeoError], None] = self._warn_once
        self._warned = False
        self._database: Database | None = None
        if database is not None:
            try:
                self._database = Database(database)
            except GeoError as error:
                self._on_damage(error)

    @classmethod
    def open(cls, database: Path, *, clock: Callable[[], float] = time.monotonic) -> Locator:
        """Return a locator that raises GeoError for what is wrong with its database, now or later.

        Raises:
            GeoError: the database is missing, unreadable, damaged, or holds no places.
        """
        locator = cls(None, clock=clock)
        locator._database = Database(database)
        locator._on_damage = _raise
        return locator

    def locate(self, address: str) -> Location | None:
        """Return the coordinates of an IP address, or None where they are not known.

        Raises:
            GeoError: the text is no IP address.
        """
        place = self.lookup(address)
        return None if place is None else place.location

    def lookup(self, address: str) -> Place | None:
        """Return all that is known of where an IP address is, or None.

        Raises:
            GeoError: the text is no IP address.
        """
        return self._ask(address)

    def close(self) -> None:
        """Let the database go; from now on nothing is located. Lookups under way finish."""
        self._database = None
        with self._lock:
            self._cache.clear()

    def _find(self, address: str) -> Place | None:
        ip = _parse(address)
        database = self._database
        if database is None or any(ip in network for network in PLACELESS):
            return None
        try:
            return database.find(ip)
        except GeoError as error:
            self._on_damage(error)
            return None

    def _warn_once(self, error: GeoError) -> None:
        with self._lock:
            first, self._warned = not self._warned, True
        if first:
            logger.warning("%s; routing goes on by latency alone", error)


def _raise(error: GeoError) -> None:
    raise error


def _parse(address: str) -> IPv4Address | IPv6Address:
    """Return the address; one that maps IPv4 into IPv6 is the IPv4 address."""
    try:
        ip = ipaddress.ip_address(str(address))
    except ValueError:
        # The text is not repeated: it may be a request header's value.
        raise GeoError(
            "that is not an IP address: write one such as 192.0.2.10 or 2001:db8::1, "
            "and resolve host names before"
        ) from None
    return getattr(ip, "ipv4_mapped", None) or ip
