"""One thread that rings for all races of threads, as `bell` does for those of a loop.

Rule: the thread begins with the first who asks, and ends when nobody asked for LINGERS seconds.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

from router.forks import register

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MOST_THREADS", "Alarm"]

MOST_THREADS = 32
LINGERS = 5.0
"""Seconds that the alarm's thread waits for work."""


class Alarm:
    """One thread that rings for all blocking races, and counts the threads of second attempts."""

    def __init__(self) -> None:
        self.reset_after_fork()
        register(self)

    def reset_after_fork(self) -> None:
        """Begin anew: the thread stayed with the parent."""
        self._due: list[list[Any]] = []
        self._count = itertools.count()
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._closed = False
        self._threads = threading.Semaphore(MOST_THREADS)

    def take_thread(self) -> bool:
        """Take the place of a thread, if one is free."""
        return self._threads.acquire(blocking=False)

    def free_thread(self) -> None:
        """Give the place back."""
        self._threads.release()

    def set(self, seconds: float, ring: Callable[[], object]) -> list[Any]:
        """Ring after so many seconds; return what `cancel` takes."""
        entry = [time.monotonic() + seconds, next(self._count), ring]
        with self._changed:
            heapq.heappush(self._due, entry)
            if self._thread is None and not self._closed:
                self._begin()
            if self._due[0] is entry:
                self._changed.notify()
        return entry

    def _begin(self) -> None:
        thread = threading.Thread(target=self._run, name="router-alarm", daemon=True)
        with contextlib.suppress(RuntimeError):  # this host has no thread left: the next one tries
            thread.start()
            self._thread = thread

    def cancel(self, entry: list[Any]) -> None:
        """Do not ring; it may be ringing already."""
        entry[2] = None

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while (ring := self._next()) is not None:
            ring()

    def _next(self) -> Callable[[], object] | None:
        """Wait for the next one that is due; None: it is closed, or nothing was set for long."""
        with self._changed:
            while not self._closed:
                while self._due and self._due[0][2] is None:
                    heapq.heappop(self._due)
                if not self._due:
                    if not self._changed.wait(LINGERS) and not self._due:
                        break
                    continue
                wait = self._due[0][0] - time.monotonic()
                if wait <= 0:
                    ring: Callable[[], object] | None = heapq.heappop(self._due)[2]
                    if ring is not None:
                        return ring
                    continue
                self._changed.wait(wait)
            if not self._closed:
                self._thread = None  # who sets another begins another
        return None
