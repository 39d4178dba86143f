"""What became of the requests of one run."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["FAILED", "Favourite", "Result"]

FAILED = -1
"""The region of a request that got no answer."""


def seconds() -> array[float]:
    """Return room for instants or times."""
    return array("d")


def small_numbers() -> array[int]:
    """Return room for regions or clients."""
    return array("h")


class Favourite(NamedTuple):
    """From when on which region stands first in a client's own ranking."""

    since: float
    client: int
    region: str


@dataclass(slots=True)
class Result:
    """Requests in the order of their ends, attempts in the order of their sending.

    Attributes:
        began: when the caller called, in seconds of the world.
        took: seconds from there to its answer or error.
        served: the number of the region that answered, or FAILED.
        sent_at: when each attempt was sent.
        sent_to: the number of the region it was sent to.
        sent_by: the number of the client.
        probes: how many there were in all.
        favourites: how the router's own ranking changed, looked at every 5 s.
    """

    began: array[float] = field(default_factory=seconds)
    took: array[float] = field(default_factory=seconds)
    served: array[int] = field(default_factory=small_numbers)
    sent_at: array[float] = field(default_factory=seconds)
    sent_to: array[int] = field(default_factory=small_numbers)
    sent_by: array[int] = field(default_factory=small_numbers)
    probes: int = 0
    favourites: list[Favourite] = field(default_factory=list)

    def sent(self, now: float, region: int, client: int) -> None:
        """Take an attempt."""
        self.sent_at.append(now)
        self.sent_to.append(region)
        self.sent_by.append(client)

    def ended(self, began: float, now: float, region: int) -> None:
        """Take the end of a request."""
        self.began.append(began)
        self.took.append(now - began)
        self.served.append(region)
