"""When the background asks the store about a lease: at its time, or early for who went short.

Rule 1: who goes short wakes it once; until it has looked, others need not.
Rule 2: it never asks before `next_ask`, whoever wakes it.
Rule 3: the one who leases guards `left` and `claim` by a lock of its own; `wake` wants none.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Renewal"]


class Renewal:
    """The exchanges about one lease, in one process."""

    def __init__(self, *, patience: float, clock: Callable[[], float]) -> None:
        """Take for how many seconds who goes short waits for the store, and what time it is."""
        self._patience, self._clock = patience, clock
        self.next_ask = -math.inf
        self.short_since: float | None = None
        """Since when requests go short; whoever meets a need writes None."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._waking = False

    def left(self, now: float) -> float:
        """Return the seconds for which it is worth waiting for the store; one goes short."""
        if self.short_since is None:
            self.short_since = now
        return max(self.short_since, self.next_ask) + self._patience - now

    def claim(self) -> bool:
        """Return whether it is upon the caller to wake the background."""
        first, self._waking = not self._waking, True
        return first

    def wake(self) -> None:
        """Have it ask soon; from any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended: the share serves
                self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self, exchange: Callable[[], Awaitable[float]]) -> None:
        """Exchange until cancelled; `exchange` returns the longest nap until the next time."""
        self._woken, self._loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            while True:
                self._woken.clear()  # before the exchange looks at what is missing
                self._waking = False
                nap = await exchange()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(nap):
                        await self._woken.wait()
                await asyncio.sleep(max(0.0, self.next_ask - self._clock()))
        finally:
            self._loop = None
