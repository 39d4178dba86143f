"""A rate that the whole fleet keeps: units leased ahead in the background, spent without a wait.

Rule 1: `take` is arithmetic. A request that finds no unit has the background asked at once and
        waits in the limiter's queue; the others never notice Redis.
Rule 2: all processes together spend in any t seconds at most rate * t + burst (`stock.terms`). What
        is not needed goes back at the next exchange; what a killed process held is lost, never
        spent twice.
Rule 3: without Redis each process keeps to its share, rate / processes as last known, beginning
        with its share of the burst: so an outage costs at most one burst more. What was spent so is
        reported when Redis is back, and no more is given until it is made up for.
Rule 4: nobody waits for Redis more than once: after `patience` seconds without an answer the share
        serves, until an exchange has succeeded. An answer that comes when most of `hold` is over is
        none: its units would be spent later than the bound allows, so they go back.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from typing import TYPE_CHECKING

from router.shared.alone import Alone
from router.shared.demand import Demand
from router.shared.lease_rate import Wish, exchange
from router.shared.renewal import Renewal
from router.shared.stock import Stock, terms
from router.shared.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.shared.lease_rate import Answer
    from router.shared.member import Member
    from router.shared.store import Store
    from router.units import Rate

__all__ = ["SharedRate"]

SPARE = 2.0
"""How much more than what was spent of late is leased."""
SHORTEST_NAP = 0.002
ANSWER_WITHIN = 0.001
"""What a request is told that an answer takes: whoever has less time is refused unasked."""
TOO_LATE = 0.8
"""The part of `hold` after which an answer is of no use."""
MOST_OWED = 2.0
"""Bursts of what requests used beyond what they had taken: more is forgiven."""
LONGEST_NAP = 0.5
FAILED_NAP = 0.02
KNOWN_FOR = 30.0
"""Seconds for which the server surely keeps what it knew (its key outlives it by a minute)."""
LONGEST_WISH = 60.0


class SharedRate:
    """Hands out units of one rate; safe to use from any thread."""

    def __init__(
        self,
        rate: Rate,
        burst: int,
        *,
        keys: tuple[str, str, str, str, str],
        store: Store,
        member: Member,
        every: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the rate of the fleet.

        Args:
            rate: of all processes together.
            burst: units that may be spent at once after a pause.
            keys: see `Keys.rate`.
            store: where they are.
            member: who this process is, and how many there are.
            every: seconds between exchanges, or less (`stock.terms`).
            clock: monotonic seconds, the same that `take` is told.
        """
        self._rate, self._burst = rate, burst
        self._keys, self._store, self._member, self._clock = keys, store, member, clock
        self.terms = terms(rate.interval, burst, every)
        self.patience = store.timeout
        self.arrived: Callable[[], None] = lambda: None
        """Called on the background loop when units came, or the share began to serve."""
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Forget what the parent leased: it spends that itself."""
        self._lock = threading.Lock()
        self._stock = Stock(self.terms.hold)
        self._demand = Demand()
        self._unmet, self._backlog, self._unmet_until = 0.0, 0.0, -math.inf
        self._granted_at = -math.inf
        self._late = False
        self.alone = False
        """Whether the share serves in place of the fleet's rate."""
        self._share = Alone(self._rate, self._burst)
        self._owed = 0.0
        self._renewal = Renewal(patience=self.patience, clock=self._clock)

    # -- spending, on any thread; as a limiter's quota

    @property
    def most(self) -> float:
        """The largest cost that may ever be taken at once."""
        return float(self._burst)

    def take(self, cost: float, now: float) -> float | None:
        """Spend `cost` units and return a receipt, or None, and have the background asked."""
        with self._lock:
            if self._stock.spend(cost, now):
                self._demand.spent(cost, now)
                self._renewal.short_since = None
                return now
            if self.alone:
                return self._take_alone(cost, now)
            wake, _ = self._look(cost, now)
            self._unmet = max(self._unmet, cost)
        if wake:
            self._renewal.wake()
        return None

    def wait(self, cost: float, now: float) -> float:
        """Return the seconds after which to try again; `arrived` may come earlier."""
        beyond = max(0.0, cost - self._burst)
        with self._lock:
            if self.alone:
                self._share.among(self._member.count)
                return self._share.wait(cost, now)
            self._backlog = max(self._backlog, cost)
            wake, wait = self._look(cost - beyond, now)
        if wake:
            self._renewal.wake()
        return wait + beyond * self._rate.interval

    def _look(self, cost: float, now: float) -> tuple[bool, float]:
        """Return whether to wake the background, and the wait."""
        wait = self._stock.wait(cost, now)
        wake = False
        if wait == math.inf:
            wake, wait = self._ask_soon(cost, now)
        if wait > 0:
            until = now + min(wait, LONGEST_WISH) + self.patience + 2 * self.terms.pace
            self._unmet_until = max(self._unmet_until, until)
        return wake, wait

    def _ask_soon(self, cost: float, now: float) -> tuple[bool, float]:
        """Return whether to wake the background, and when an answer may be there (rule 4)."""
        left = self._renewal.left(now)
        if left <= 0:
            self.alone = True
            return False, SHORTEST_NAP
        next_ask = self._renewal.next_ask
        wake = (now >= next_ask or cost > self._unmet) and self._renewal.claim()
        return wake, min(left, max(0.0, next_ask - now) + ANSWER_WITHIN)

    def _take_alone(self, cost: float, now: float) -> float | None:
        self._share.among(self._member.count)
        if not self._share.take(cost, now):
            return None
        self._demand.spent(cost, now)
        return now

    def give_back(self, cost: float, receipt: float, now: float) -> float:
        """Take back units that were not used, as far as they have not drained away since.

        They are spent here, or go back to all.
        """
        drained_at = receipt + self.terms.burst * self.terms.interval
        units = max(0.0, min(cost, (drained_at - now) / self.terms.interval))
        with self._lock:
            if self.alone:
                self._share.undo(units)
            elif units > 0:
                self._stock.put_back(units, now)
        return units

    def spend(self, cost: float, now: float) -> None:
        """Take what was used beyond what was taken: it is owed, and all wait for it."""
        with self._lock:
            if self.alone:
                self._share.spend(cost, now)
            else:
                self._owe(cost)

    def _owe(self, cost: float) -> None:
        self._owed = min(self._owed + cost, MOST_OWED * self._burst)

    def left(self, now: float) -> float:
        """Return the units that this process has leased and not spent."""
        with self._lock:
            return self._stock.left(now)

    # -- leasing, in the background

    async def run(self) -> None:
        """Exchange with the store whenever it is worth while, until cancelled."""
        try:
            await self._renewal.run(self._exchange)
        finally:
            await self._return_all()

    async def _exchange(self) -> float:
        """Ask for what will be needed; return the longest nap until the next time."""
        sent = self._clock()
        wish = self._wish(sent)
        if wish is None:
            return LONGEST_NAP
        try:
            answer = await self._ask(wish)
        except StoreError:
            self._failed(wish)
            return FAILED_NAP
        return self._keep(wish, answer, sent, self._clock())

    async def _ask(self, wish: Wish) -> Answer:
        return await exchange(self._store, self._keys, self._member.name, self.terms, wish)

    def _wish(self, now: float) -> Wish | None:
        """Return what to ask for; None when there is nothing to ask or to give back."""
        with self._lock:
            waits = now < self._unmet_until
            unmet = self._unmet = self._unmet if waits else 0.0
            backlog, self._backlog = self._backlog if waits else 0.0, 0.0
            lump = unmet if unmet > 1 else 0.0
            need = self._demand.rate(now) * self.terms.pace * SPARE + max(unmet, backlog)
            have = self._stock.left(now)
            if lump and have >= lump:
                lump = 0.0
            given_up = self._stock.give_up(0.0 if lump else math.ceil(need) + 1, now)
            want = 0.0 if lump else max(0.0, math.ceil(need) - have)
            want = math.floor(want)
            if self.alone and self._late:  # what would come is not spent
                want, lump = 0, 0.0
            pending = self._stock.offer(now)
            owed, self._owed = self._owed, 0.0
            debt, self._share.debt = self._share.debt, 0.0
            if not (lump or want or given_up or pending[0] or owed or debt or self.alone):
                return None
            known = self.alone or now - self._granted_at < KNOWN_FOR
            held = self._stock.left(now), self._stock.stale_in(now)
            return Wish(want, math.ceil(lump), owed - given_up, debt, known, pending, held)

    def _failed(self, wish: Wish) -> None:
        """Serve the share from now on; what was reported in vain is reported again."""
        with self._lock:
            self._owe(max(0.0, wish.change))
            self._share.debt += wish.debt
            if self._store.starting:
                return
            first, self.alone = not self.alone, True
        if first:
            self.arrived()

    def _keep(self, wish: Wish, answer: Answer, sent: float, now: float) -> float:
        """Put units in stock; return how long the next exchange can wait."""
        granted, wait = answer.granted, answer.wait
        with self._lock:
            if granted > 0:
                self._put_in_stock(wish, answer, sent, now)
            self._late = now - sent > TOO_LATE * self.terms.hold
            if self._late:
                return self.terms.pace if self.alone else SHORTEST_NAP
            self.alone, self._renewal.short_since = False, None
            hungry = granted == 0 and wish.want + wish.lump > 0
            nap = max(SHORTEST_NAP, wait) if hungry else self.terms.pace
            self._renewal.next_ask = now + (min(nap, LONGEST_NAP) if hungry else SHORTEST_NAP)
        if granted > 0:
            self.arrived()
        return min(nap, LONGEST_NAP)

    def _put_in_stock(self, wish: Wish, answer: Answer, sent: float, now: float) -> None:
        age = now - sent
        if answer.anew:
            self._stock.renew(answer.first, now, age=age)
        else:
            spacing = 0.0 if wish.lump else self.terms.interval
            self._stock.lease(answer.granted, answer.first, spacing, now, age=age)
        self._granted_at = now
        self._unmet_until = max(self._unmet_until, now + max(0.0, answer.first) + self.terms.hold)

    async def _return_all(self) -> None:
        """Give everything back at the end, if the store hears it."""
        with self._lock:
            units = self._stock.give_up(0.0, self._clock())
        if units > 0:
            with contextlib.suppress(StoreError, asyncio.CancelledError):
                await self._ask(Wish(0, 0, -units, debt=0.0, known=False))
