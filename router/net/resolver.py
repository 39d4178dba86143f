"""Names to addresses, without a wait that nobody bounds.

Rule 1: `getaddrinfo` has no time limit, so it runs in threads of its own: MOST_LOOKUPS at most,
        one a name. Who waits, waits no longer than it wants; the lookup goes on.
Rule 2: while an address is known there is no error: after FRESH seconds the known ones still
        serve at once while a lookup runs behind, and for KEPT seconds while lookups fail.
Rule 3: an empty answer is a failure.
"""

from __future__ import annotations

import functools
import socket
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from router.forks import register
from router.net.addresses import Doubts, addresses, literal
from router.net.limit import LateError
from router.net.lookup import Lookup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from router.net.addresses import Address

__all__ = ["FRESH", "KEPT", "MOST_LOOKUPS", "Resolver", "shared_resolver"]

FRESH = 30.0
KEPT = 86400.0
AGAIN_AFTER = 5.0
"""Seconds between lookups of a known name while they fail."""
MOST_LOOKUPS = 8
MOST_NAMES = 1024

Name = tuple[str, int]


def system_lookup(host: str, port: int) -> list[Any]:
    """Ask the system's resolver; it may take for ever."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


@dataclass(slots=True)
class Known:
    """What lookups found; instants are monotonic seconds.

    Attributes:
        since: when it was found last.
        tried: when the last lookup ended.
        again: from when on to look again.
    """

    found: tuple[Address, ...]
    since: float
    tried: float
    again: float


class Resolver:
    """The names that the wires of a process look up.

    Attributes:
        doubts: the addresses that accepted no connection of late.
    """

    def __init__(
        self,
        *,
        lookup: Callable[[str, int], Iterable[Any]] = system_lookup,
        now: Callable[[], float] = time.monotonic,
        names: int = MOST_NAMES,
    ) -> None:
        """Know nothing yet.

        Args:
            lookup: returns what `socket.getaddrinfo` does for a name and a port.
            now: monotonic seconds.
            names: how many are remembered.
        """
        self._lookup = lookup
        self._now = now
        self._most = names
        self.reset_after_fork()
        register(self)

    def reset_after_fork(self) -> None:
        """Forget all: lookups under way are the parent's."""
        self._lock = threading.Lock()
        self._known: LRUCache[Name, Known] = LRUCache(self._most)
        self._flights: dict[Name, Lookup] = {}
        self._waiting: deque[Name] = deque()
        self._lookups = 0
        self.doubts = Doubts(self._now)

    def ask(self, host: str, port: int) -> tuple[Address, ...] | Lookup:
        """Return the addresses at once where they are known, else the lookup to wait for."""
        spelled_out = literal(host, port)
        if spelled_out:
            return spelled_out
        name = (host, port)
        with self._lock:
            known, now = self._known.get(name), self._now()
            if known is None or now - known.since > KEPT:
                return self._look_up(name)
            if now >= known.again:
                self._look_up(name)
            return known.found

    @contextmanager
    def trying(self, host: str, port: int) -> Iterator[None]:
        """Connect to a name's addresses; if none accepts, it is looked up when asked next."""
        try:
            yield
        except (OSError, LateError):
            self._suspect(host, port)
            raise

    def _suspect(self, host: str, port: int) -> None:
        with self._lock:
            known = self._known.get((host, port))
            if known is not None:
                known.again = min(known.again, known.tried + AGAIN_AFTER)

    def _look_up(self, name: Name) -> Lookup:
        """Return the lookup of this name, which begins when a thread is free."""
        flight = self._flights.get(name)
        if flight is not None:
            return flight
        flight = Lookup()
        if len(self._waiting) >= self._most:
            flight.land((), OSError("too many names wait to be looked up"))
            return flight
        self._flights[name] = flight
        self._waiting.append(name)
        if self._lookups < MOST_LOOKUPS:
            self._begin(name, flight)
        return flight

    def _begin(self, name: Name, flight: Lookup) -> None:
        thread = threading.Thread(target=self._work, name="router-lookup", daemon=True)
        self._lookups += 1
        try:
            thread.start()
        except RuntimeError:  # this host has no thread left
            self._lookups -= 1
            if not self._lookups:  # nobody would come to it
                self._waiting.remove(name)
                del self._flights[name]
                flight.land((), OSError("this host has no thread left to look up a name"))

    def _work(self) -> None:
        """Look up what waits, until nothing does."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._lookups -= 1
                    return
                name = self._waiting.popleft()
            found, error = self._tried(name)
            with self._lock:
                self._note(name, found)
                flight = self._flights.pop(name)
            flight.land(found, error)

    def _tried(self, name: Name) -> tuple[tuple[Address, ...], Exception | None]:
        try:
            found = addresses(self._lookup(*name))
        except Exception as error:  # noqa: BLE001 - a name that cannot be encoded is no OSError
            return (), error
        if not found:
            return (), OSError("Name or service not known: it has no address")
        return found, None

    def _note(self, name: Name, found: tuple[Address, ...]) -> None:
        now, known = self._now(), self._known.get(name)
        if found:
            self._known[name] = Known(found, since=now, tried=now, again=now + FRESH)
        elif known is not None:
            known.tried, known.again = now, now + AGAIN_AFTER


@functools.cache
def shared_resolver() -> Resolver:
    """Return the resolver of this process."""
    return Resolver()
