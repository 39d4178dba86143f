"""One limit for all regions: how many requests are under way, and how many start in a time.

Rule 1: first come, first served. A newcomer passes nobody, and a dear request at the head of the
        queue is not overtaken by cheap ones.
Rule 2: whoever changes something admits: a newcomer's clock, and where there is no rate a permit
        given back or a place left too, grant every head that fits, without waking it first. Where
        there is a rate, what comes back wakes the head, who knows what time it is.
Rule 3: the wait for the rate is computed, never polled. Only the head has one; the others sleep
        until they are nudged.
Rule 4: what is known to be hopeless is refused at once: a full queue, and a wait beyond the
        deadline. The error says how long it would have been.
Rule 5: while every endpoint wants to be left alone (`hold`), nobody is admitted: a rate is not
        spent on requests that cannot be sent.
Rule 6: a permit is in the set of permits or it is not, so giving back twice changes nothing. The
        rate spent on a request that was granted and then gave up stays spent: the bound holds.
Rule 7: giving back never blocks. It may run in a finalizer, and so on the very thread that holds
        the lock: what comes back is laid aside, and whoever holds the lock puts it away.

The lock is held for arithmetic; futures are resolved after it is released, since their callbacks
belong to others. The state is this process's own.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from router.limits.gcra import NEVER_SPENT, Gcra
from router.limits.permit import (
    UNLIMITED,
    Permit,
    Ticket,
    left_alone,
    resolve,
    too_dear,
    too_late,
    too_many,
)

if TYPE_CHECKING:
    from concurrent.futures import Future

    from router.config.settings import Limits
    from router.errors import RouterError

    Nudges = list[Future[None]]

__all__ = ["Limiter", "Permit", "Ticket"]

BURST_SHARE = 10


class Limiter:
    """Admits requests in order; safe to use from any thread."""

    def __init__(self, limits: Limits) -> None:
        self._queue_size = limits.queue
        self._most = limits.concurrency or math.inf
        self._gcra = _gcra(limits)
        self._free = limits.concurrency is None and self._gcra is None
        self._tat = NEVER_SPENT
        self._latest = -math.inf
        self._held_until = -math.inf
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Forget permits and queue: those are the parent's, and its lock may never be released."""
        self._lock = threading.Lock()
        self._out: set[Permit] = set()
        self._queue: OrderedDict[Ticket, None] = OrderedDict()
        self._queued_cost = 0.0
        self._laid_aside: deque[Permit | Ticket] = deque()

    @property
    def in_use(self) -> int:
        """Permits that are out, granted to the queue included."""
        return len(self._out)

    @property
    def waiting(self) -> int:
        """Places taken in the queue."""
        return len(self._queue)

    def estimate(self, now: float, cost: float = 1.0) -> float:
        """Return the seconds a newcomer would wait for the rate, behind all who wait already."""
        return self._wait_of(self._queued_cost + cost, now)

    def admit(
        self, now: float, *, cost: float = 1.0, deadline: float = math.inf
    ) -> Permit | Ticket:
        """Return a permit, or a place in the queue when none is free now.

        Raises:
            LimitError: the queue is full, or the wait for the rate alone passes the deadline.
            OptionsError: the cost is above the burst, so that no wait would ever be enough.
        """
        if self._free and now >= self._held_until:
            return UNLIMITED
        permit = None
        with self._lock:  # what most requests meet, without a call: nobody waits, there is room
            if not self._queue and len(self._out) < self._most and now >= self._held_until:
                now = self._latest = max(self._latest, now)
                gcra, tat = self._gcra, self._tat
                if gcra is not None:
                    tat = (max(now, tat)) + cost * gcra.interval
                if gcra is None or (cost > 0 and tat - now <= gcra.allowance):
                    self._tat = tat
                    permit = Permit(self)
                    self._out.add(permit)
        if permit is not None:
            if self._laid_aside:
                self._conclude([])
            return permit
        nudges: Nudges = []
        try:
            with self._lock:
                nudges += self._advance(now)
                return self._enter(now, cost, deadline)
        finally:
            self._conclude(nudges)

    def hold(self, until: float) -> None:
        """Admit nobody before `until`, in monotonic seconds, as every endpoint asks; -inf: admit.

        It takes the place of what was said before.
        """
        nudges: Nudges = []
        with self._lock:
            lifted, self._held_until = until < self._held_until, until
            if lifted and self._queue:
                nudges = next(iter(self._queue)).take_nudge()
        self._conclude(nudges)

    def refusal(self, wait: float | None, left: float, now: float) -> RouterError:
        """Return the error of a request whose turn does not come in the `left` seconds it has."""
        held = self._held_until - now
        if held > 0 and (wait is None or wait <= held):
            return left_alone(held)
        return too_late(wait, left)

    def poll(self, ticket: Ticket, now: float) -> Permit | None:
        """Return the ticket's permit, granted before or now."""
        with self._lock:
            nudges = self._advance(now)
            permit = ticket.permit
            if permit is None:
                ticket.renew_nudge()
        self._conclude(nudges)
        return permit

    def wait(self, ticket: Ticket, now: float) -> float | None:
        """Return the ticket's wait in seconds, for the rate or for a hold, or None for others."""
        wait = None
        with self._lock:
            if ticket.permit is not None:
                wait = 0.0
            elif len(self._out) < self._most and next(iter(self._queue), None) is ticket:
                ticket.knows_when = True
                wait = self._wait_of(ticket.cost, max(now, self._latest))
        self._conclude([])
        return wait

    def settle(self, returned: Permit | Ticket) -> None:
        """Take back a permit or a place in the queue, now or when the lock is free (rule 7)."""
        self._laid_aside.append(returned)
        self._conclude([])

    def _conclude(self, nudges: Nudges) -> None:
        """Do what the lock forbade: wake the granted, put away what came back meanwhile."""
        resolve(nudges)
        while self._laid_aside and self._lock.acquire(blocking=False):
            try:
                while self._laid_aside:
                    self._put_away(self._laid_aside.popleft())
                nudges = self._after_a_return()
            finally:
                self._lock.release()
            resolve(nudges)

    def _after_a_return(self) -> Nudges:
        """Let the next ones in. Who is limited by a rate has to say what time it is.

        The latest time that is known here may be long past: granted as of then, it would be granted
        once more as of now.
        """
        if self._gcra is None:
            return self._advance(self._latest)
        head = next(iter(self._queue), None)
        if head is None or len(self._out) >= self._most or head.knows_when:
            return []
        return head.take_nudge()

    def _put_away(self, returned: Permit | Ticket) -> None:
        if isinstance(returned, Permit):
            self._out.discard(returned)
        elif returned.permit is not None:
            self._out.discard(returned.permit)
            returned.permit = None
        elif returned in self._queue:
            self._remove(returned)

    def _enter(self, now: float, cost: float, deadline: float) -> Permit | Ticket:
        if self._gcra is not None and not 0 < cost <= self._gcra.burst:
            raise too_dear(cost, self._gcra.burst)
        if not self._queue and self._fits(cost, self._latest):
            return self._take(cost, self._latest)
        wait = self.estimate(self._latest, cost)
        if len(self._queue) >= self._queue_size:
            raise too_many(len(self._queue), wait)
        if now + wait > deadline:
            raise self.refusal(wait, deadline - now, self._latest)
        ticket = Ticket(self, cost)
        self._queue[ticket] = None
        self._queued_cost += cost
        return ticket

    def _advance(self, now: float) -> Nudges:
        """Grant every head that fits; return the futures to resolve once the lock is released."""
        self._latest = now = max(now, self._latest)
        nudges: Nudges = []
        while self._queue:
            head = next(iter(self._queue))
            if not self._fits(head.cost, now):
                if len(self._out) < self._most and not head.knows_when:
                    nudges += head.take_nudge()
                break
            self._remove(head)
            head.permit = self._take(head.cost, now)
            nudges += head.take_nudge()
        return nudges

    def _fits(self, cost: float, now: float) -> bool:
        return len(self._out) < self._most and self._wait_of(cost, now) <= 0

    def _wait_of(self, cost: float, now: float) -> float:
        wait = 0.0 if self._gcra is None else self._gcra.wait(self._tat, now, cost)
        return max(wait, self._held_until - now)

    def _take(self, cost: float, now: float) -> Permit:
        if self._gcra is not None:
            self._tat = self._gcra.spend(self._tat, now, cost)
        permit = Permit(self)
        self._out.add(permit)
        return permit

    def _remove(self, ticket: Ticket) -> None:
        del self._queue[ticket]
        self._queued_cost = self._queued_cost - ticket.cost if self._queue else 0.0


def _gcra(limits: Limits) -> Gcra | None:
    if limits.rate is None:
        return None
    burst = limits.burst or max(1, int(limits.rate.events // BURST_SHARE))
    return Gcra(limits.rate, burst)
