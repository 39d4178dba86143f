"""The addresses of a server, in the order in which they are worth a try.

Rule 1: families take turns (RFC 8305, section 4), beginning with the one the system named first.
Rule 2: an address that failed stands behind the others for a while; it is never left out.
"""

from __future__ import annotations

import socket
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Address", "Doubts", "addresses", "interleaved", "literal"]

DOUBTED_FOR = 60.0
MOST_DOUBTED = 1024


class Address(NamedTuple):
    """One address as `socket` takes it."""

    family: int
    kind: int
    protocol: int
    place: Any


def addresses(found: Iterable[Any]) -> tuple[Address, ...]:
    """Return what `getaddrinfo` found, without repetitions."""
    return tuple(
        dict.fromkeys(
            Address(family, kind, protocol, at) for family, kind, protocol, _, at in found
        )
    )


def literal(host: str, port: int) -> tuple[Address, ...]:
    """Return the address that `host` spells out, or nothing where it is a name."""
    if not (host[-1:].isdigit() or ":" in host):
        return ()
    try:
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return addresses(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags))
    except (OSError, UnicodeError):
        return ()


def interleaved(found: Iterable[Address]) -> list[Address]:
    """Return the addresses with their families taking turns."""
    families: dict[int, list[Address]] = {}
    for address in found:
        families.setdefault(address.family, []).append(address)
    turns = chain.from_iterable(zip_longest(*families.values()))
    return [address for address in turns if address is not None]


class Doubts:
    """Which addresses failed of late."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` gives monotonic seconds."""
        self._now = now
        self._until: dict[Address, float] = {}

    def add(self, address: Address) -> None:
        """Put an address behind the others for a while."""
        if len(self._until) >= MOST_DOUBTED:
            self._until = {}
        self._until[address] = self._now() + DOUBTED_FOR

    def clear(self, address: Address) -> None:
        """Take it back: it accepted a connection."""
        self._until.pop(address, None)

    def ordered(self, found: Iterable[Address]) -> list[Address]:
        """Return the addresses as they are to be tried."""
        now, until = self._now(), self._until
        return sorted(interleaved(found), key=lambda address: until.get(address, now) > now)
