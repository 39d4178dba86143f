"""Permits for requests under way at once, in the whole fleet: leased, and renewed while in use.

Rule 1: `take` is a comparison. The background leases as many as were in use of late and a few more,
        renews the lease three times in its length, and lets go of what is not used.
Rule 2: who falls silent loses its permits after the lease, by the server's time; this process
        stops using them earlier, as its lease began before its question left. A process that was
        killed gives its permits back so; one that was stopped may exceed the limit by those of its
        requests that were under way when it stopped.
Rule 3: while others go without, nobody keeps more than a fair part: what comes back above it is
        let go at once.
Rule 4: without Redis each process keeps to its share, the limit / processes as last known, and at
        least one. Until the leases end, which is within one lease, what they allow is allowed too.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from typing import TYPE_CHECKING

from router.shared.renewal import Renewal
from router.shared.scripts import PERMITS
from router.shared.store import NONSENSE, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.shared.member import Member
    from router.shared.store import Store

__all__ = ["SharedPermits"]

MICRO = 1e6
SPARE = 0.25
BEATS = 3
SHORTEST_NAP = 0.005
HUNGRY_NAP = 0.05
FAILED_NAP = 0.02
FORGET = 0.7
"""What is left of the highest use after an exchange."""


class SharedPermits:
    """Hands out the fleet's permits; safe to use from any thread."""

    def __init__(
        self,
        most: int,
        *,
        keys: tuple[str, str, str],
        store: Store,
        member: Member,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take how many there are in the fleet, and the keys: leases, permits, the hungry."""
        self._most = most
        self._keys, self._store, self._member, self._clock = keys, store, member, clock
        self._lease = member.lease
        self.patience = store.timeout
        self.arrived: Callable[[], None] = lambda: None
        """Called on the background loop when permits came, or the share began to serve."""
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Forget what the parent leased, and its requests."""
        self._lock = threading.RLock()  # a finalizer may give back while the background holds it
        self.in_use = 0
        self.allowed = 0
        """How many this process may use while its lease lasts."""
        self._lease_until = -math.inf
        self._peak = 0.0
        self._missed, self._missed_until = 0, -math.inf
        self._hungry = False
        self.alone = False
        """Whether the share serves."""
        self._renewal = Renewal(patience=self.patience, clock=self._clock)

    def take(self, now: float, *, waiting: int = 1) -> float:
        """Take a permit and return 0, or return the seconds after which to try again.

        Args:
            now: monotonic seconds.
            waiting: how many requests want one, this one included.
        """
        with self._lock:
            if self.in_use < self._limit(now):
                self.in_use += 1
                self._peak = max(self._peak, self.in_use)
                self._renewal.short_since = None
                return 0.0
            self._missed = max(self._missed, waiting)
            self._missed_until = now + self._lease
            if self.alone:
                return HUNGRY_NAP
            left = self._renewal.left(now)
            if left <= 0:
                self.alone = True
                left = SHORTEST_NAP
            wake = now >= self._renewal.next_ask and self._renewal.claim()
        if wake:
            self._renewal.wake()
        return left

    def give_back(self) -> None:
        """Return a permit: to this process's stock, or to others who go without."""
        with self._lock:
            self.in_use = max(0, self.in_use - 1)
            wake = self._hungry and self._renewal.claim()
        if wake:
            self._renewal.wake()

    def _limit(self, now: float) -> int:
        leased = self.allowed if now < self._lease_until else 0
        return max(leased, self._share()) if self.alone else leased

    def _share(self) -> int:
        return max(1, self._most // self._member.count)

    async def run(self) -> None:
        """Lease, renew and let go, until cancelled."""
        try:
            await self._renewal.run(self._exchange)
        finally:
            with contextlib.suppress(StoreError, asyncio.CancelledError):
                await self._ask(self.in_use, 0)

    async def _exchange(self) -> float:
        """Say what is in use and wanted; return the longest nap until the next time."""
        sent = self._clock()
        with self._lock:
            used, want = self.in_use, self._want(sent)
            if not (used or want or self.allowed or self.alone):
                return self._lease / BEATS
        try:
            allowed, hungry = await self._ask(used, want)
        except StoreError:
            self._failed()
            return FAILED_NAP
        return self._keep(allowed, hungry, want, sent)

    async def _ask(self, used: int, want: int) -> tuple[int, int]:
        """Return how many may be used, and how many others go without."""
        args: list[str | float] = [self._member.name, self._most, used, want]
        args += [self._lease * MICRO, 2 * HUNGRY_NAP * MICRO]
        answer = await self._store.call(PERMITS, self._keys, args)
        try:
            allowed, hungry = map(int, answer)
        except (TypeError, ValueError):
            raise StoreError(NONSENSE) from None
        return min(allowed, want), hungry

    def _want(self, now: float) -> int:
        """Return how many permits in all are likely to be needed."""
        missed = self._missed if now < self._missed_until else 0
        used = math.ceil(self._peak * (1 + SPARE)) if self._peak >= 1 else 0
        return min(self._most, max(used, self.in_use + missed))

    def _failed(self) -> None:
        with self._lock:
            if self._store.starting:
                return
            first, self.alone = not self.alone, True
        if first:
            self.arrived()

    def _keep(self, allowed: int, hungry: int, want: int, sent: float) -> float:
        now = self._clock()
        with self._lock:
            more = allowed > self.allowed or self.alone
            self.alone, self._renewal.short_since = False, None
            self.allowed, self._hungry = allowed, hungry > 0
            self._lease_until = sent + self._lease
            self._peak = max(float(self.in_use), self._peak * FORGET)
            self._missed = 0 if allowed >= want else self._missed
            short = allowed < want
            self._renewal.next_ask = now + (HUNGRY_NAP / 2 if short else SHORTEST_NAP)
        if more:
            self.arrived()
        return HUNGRY_NAP if short or hungry else self._lease / BEATS
