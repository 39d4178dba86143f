"""The seconds for which an event loop could not look at what came in.

A process that is stopped, a laptop that sleeps, an extension that holds the interpreter, a
coroutine that calls `time.sleep`: meanwhile answers lie in the sockets and timeouts run out. That
is no endpoint's doing. A timer that should ring every 100 ms tells how late it was.

Rule 1: each loop has one Pulse (`pulse_of`). It beats while somebody watches, and for one beat
        more: no request has a timer of its own.
Rule 2: `lost` is right before the late timer rang as well, since whoever wakes first may ask first,
        and it never decreases. It may be asked from any thread.
Rule 3: what it counts was lost. Of a stall it misses at most EVERY + SLACK, and a lateness of less
        than SLACK counts for nothing: a busy machine has that all the time.
"""

from __future__ import annotations

import contextlib
import time
import weakref
from contextvars import Context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

__all__ = ["EVERY", "SLACK", "Pulse", "pulse_of"]

EVERY = 0.1
"""Seconds from one beat to the next."""
SLACK = 0.03
"""Seconds by which a beat may be late."""


class Pulse:
    """Counts what one event loop lost; begins and ends on the loop's own thread."""

    __slots__ = ("_beats", "_now", "_watchers")

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._watchers = 0
        self._beats: tuple[float, float | None] = (0.0, None)  # one value, so read as one

    @contextlib.contextmanager
    def watched(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Let it beat on `loop` meanwhile."""
        self.begin(loop)
        try:
            yield
        finally:
            self.end(self._now())

    def begin(self, loop: asyncio.AbstractEventLoop) -> float:
        """Watch, until `end` follows; return the seconds that were lost up to now."""
        self._watchers += 1
        if self._beats[1] is None:
            self._arm(loop)
        return self.lost(self._now())

    def end(self, now: float) -> float:
        """Watch no longer; the beat that is due ends it. Return what was lost up to `now`."""
        self._watchers -= 1
        return self.lost(now)

    def stop(self) -> None:
        """End with the loop: what follows is no longer lost."""
        self._beats = (self.lost(self._now()), None)

    def lost(self, now: float) -> float:
        """Return the seconds that were lost up to `now`, in monotonic seconds."""
        lost, due = self._beats
        if due is None or now <= due + SLACK:
            return lost
        return lost + now - due - SLACK

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self.stop()
        if self._watchers > 0:
            self._arm(loop)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beats = (self._beats[0], self._now() + EVERY)
        loop.call_later(EVERY, self._beat, loop, context=Context())  # it holds no request's


_pulses: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Pulse] = weakref.WeakKeyDictionary()


def pulse_of(loop: asyncio.AbstractEventLoop) -> Pulse:
    """Return the one Pulse of a loop; only the loop's own thread asks for it first."""
    pulse = _pulses.get(loop)
    if pulse is None:
        pulse = _pulses[loop] = Pulse()
    return pulse
