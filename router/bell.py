"""One timer of an event loop for all who wait for something that hardly ever happens.

A timer for each request, armed and then called off, costs several times what a place in a list
does.

Rule 1: who calls off leaves its place in the list; it is thrown away when its time has come.
Rule 2: what rings runs as a timer does: as a step of the loop, in the context of who asked for it.
        It may run although it was called off in that very moment.
"""

from __future__ import annotations

import heapq
import itertools
import math
import weakref
from contextvars import copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from contextvars import Context

__all__ = ["Bell", "Ring", "bell_of"]

SOON = 1e-3
"""Seconds: what is due so soon rings as well, so that the timer need not be set for each."""


class Ring:
    """What is to be called, until it is called off."""

    __slots__ = ("call", "context")

    call: Callable[[], object] | None
    """None: it was called off."""
    context: Context


class Bell:
    """Rings on one loop, whose own thread alone uses it."""

    __slots__ = ("_count", "_due", "_rings_at", "_timer")

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Ring]] = []
        self._count = itertools.count()
        self._rings_at = math.inf
        self._timer: asyncio.TimerHandle | None = None

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
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = at
        self._timer = loop.call_at(at, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call who is due, and set the timer for the first of the others."""
        due, until = self._due, loop.time() + SOON
        self._timer, self._rings_at = None, math.inf
        while due and (due[0][0] <= until or due[0][2].call is None):
            ring = heapq.heappop(due)[2]
            if ring.call is not None:
                loop.call_soon(ring.call, context=ring.context)
        if due:
            self._arm(loop, due[0][0])


_bells: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Bell] = weakref.WeakKeyDictionary()


def bell_of(loop: asyncio.AbstractEventLoop) -> Bell:
    """Return the one Bell of a loop; only the loop's own thread asks for it."""
    bell = _bells.get(loop)
    if bell is None:
        bell = _bells[loop] = Bell()
    return bell
