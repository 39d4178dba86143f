"""One timer of an event loop for all who wait for something that hardly ever happens.

A timer for each request, armed and then called off, costs several times what a place in a list
does.

Rule 1: who calls off leaves its place in the list, and nothing in it: a request is not held until
        its answer would have been late. The place is thrown away when its time has come.
Rule 2: what rings runs as a timer does: as a step of the loop, in the context of who asked for it.
        It may run although it was called off in that very moment.
Rule 3: a Bell lives by the timer in its loop, and by who uses it. What ends with a loop, rings
        that were not called off among it, goes with the loop.
"""

from __future__ import annotations

import heapq
import itertools
import math
import weakref
from contextvars import Context, copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["Bell", "Ring", "bell_of"]

SOON = 1e-3
"""Seconds: what is due so soon rings as well, so that the timer need not be set for each."""


def _none() -> None:
    """Return nothing: no timer is set."""


class Ring:
    """What is to be called, until it is called off."""

    __slots__ = ("call", "context")

    call: Callable[[], object] | None
    """None: it was called off."""
    context: Context | None

    def call_off(self) -> None:
        """Do not call it, and let go of it."""
        self.call = self.context = None


class Bell:
    """Rings on one loop, whose own thread alone uses it."""

    __slots__ = ("__weakref__", "_count", "_due", "_rings_at", "_timer")

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Ring]] = []
        self._count = itertools.count()
        self._rings_at = math.inf
        self._timer: Callable[[], asyncio.TimerHandle | None] = _none

    def set(
        self, loop: asyncio.AbstractEventLoop, seconds: float, call: Callable[[], object]
    ) -> Ring:
        """Have `call` called after so many seconds."""
        at, ring = loop.time() + seconds, Ring()
        ring.call, ring.context = call, copy_context()
        heapq.heappush(self._due, (at, next(self._count), ring))
        if at < self._rings_at:
            self._arm(loop, at)
        return ring

    def _arm(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        earlier = self._timer()
        if earlier is not None:
            earlier.cancel()
        self._rings_at = at
        timer = loop.call_at(at, self._ring, loop, context=Context())  # of no request
        self._timer = weakref.ref(timer)  # it holds the loop

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call who is due, and set the timer for the first of the others."""
        due, until = self._due, loop.time() + SOON
        self._timer, self._rings_at = _none, math.inf
        while due and (due[0][0] <= until or due[0][2].call is None):
            ring = heapq.heappop(due)[2]
            if ring.call is not None:
                loop.call_soon(ring.call, context=ring.context)
        if due:
            self._arm(loop, due[0][0])


_bells: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[Bell]]
_bells = weakref.WeakKeyDictionary()


def bell_of(loop: asyncio.AbstractEventLoop) -> Bell:
    """Return the one Bell of a loop; only the loop's own thread asks for it."""
    known = _bells.get(loop)
    bell = None if known is None else known()
    if bell is None:
        bell = Bell()
        _bells[loop] = weakref.ref(bell)
    return bell
