"""The queue: first come, first served within a priority, and nobody waits for ever.

Rule 1: a place has a key that never changes: when it was taken, less `AGEING` seconds for each step
        of priority. The least key is the head. So who waits is passed only by those who come with a
        higher priority within that many seconds, and by nobody later.
Rule 2: a place is left in constant time; what is left in the heap is cleared away by and by.
Rule 3: what is surely ahead of a newcomer is known by sums: all of its priority and of those above.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.limits.permit import Ticket

__all__ = ["AGEING", "Line", "key_of"]

AGEING = 5.0
"""Seconds of waiting that one step of priority is worth."""
MOST_LEFT = 64


def key_of(now: float, priority: int) -> float:
    """Return by what a place taken at `now` is ordered."""
    return now - AGEING * priority if priority else now


class Line:
    """Tickets in order; only the limiter touches it.

    Attributes:
        tickets: those who wait.
    """

    __slots__ = ("_heap", "_number", "_sums", "tickets")

    def __init__(self) -> None:
        self.tickets: set[Ticket] = set()
        self._heap: list[tuple[float, int, Ticket]] = []
        self._number = 0
        self._sums: dict[int, tuple[int, list[float]]] = {}

    @property
    def head(self) -> Ticket | None:
        """Whose turn is next."""
        heap, tickets = self._heap, self.tickets
        while heap:
            ticket = heap[0][2]
            if ticket in tickets:
                return ticket
            heapq.heappop(heap)
        return None

    def leads(self, key: float) -> bool:
        """Return whether a newcomer with this key would be the head."""
        head = self.head
        return head is None or key < head.key

    def join(self, ticket: Ticket) -> None:
        """Take a place."""
        self._number += 1
        self.tickets.add(ticket)
        heapq.heappush(self._heap, (ticket.key, self._number, ticket))
        count, sums = self._sums.get(ticket.priority, (0, [0.0] * len(ticket.charges)))
        added = [sum_ + charge for sum_, charge in zip(sums, ticket.charges, strict=True)]
        self._sums[ticket.priority] = count + 1, added

    def leave(self, ticket: Ticket) -> None:
        """Give up a place, or its turn has come."""
        self.tickets.remove(ticket)
        count, sums = self._sums.pop(ticket.priority)
        if count > 1:  # else rounding errors end here
            rest = [sum_ - charge for sum_, charge in zip(sums, ticket.charges, strict=True)]
            self._sums[ticket.priority] = count - 1, rest
        if len(self._heap) > 2 * len(self.tickets) + MOST_LEFT:
            self._heap = [entry for entry in self._heap if entry[2] in self.tickets]
            heapq.heapify(self._heap)

    def ahead(self, priority: int) -> int:
        """Return how many are surely served before a newcomer."""
        return sum(count for level, (count, _) in self._sums.items() if level >= priority)

    def charges(self, charges: Sequence[float], priority: int) -> tuple[float, ...]:
        """Return what they and the newcomer cost together."""
        ahead = (sums for level, (_, sums) in self._sums.items() if level >= priority)
        return tuple(map(sum, zip(charges, *ahead, strict=True)))
