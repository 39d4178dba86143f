"""One limit for all regions: how many requests are under way, and how many start in a time.

Rule 1: first come, first served within a priority. A newcomer passes only whom its priority lets it
        pass (`line`), and a dear request at the head of the queue is not overtaken by cheap ones.
Rule 2: whoever changes something admits: a newcomer's clock, and where there is no rate a permit
        given back or a place left too, grant every head that fits, without waking it first. Where
        there is a rate, what comes back wakes the head, who knows what time it is.
Rule 3: the wait for the rates is computed, never polled. Only the head has one; the others sleep
        until they are nudged.
Rule 4: what is known to be hopeless is refused at once: a full queue, and a wait beyond the
        deadline. The error says how long it would have been.
Rule 5: while every endpoint wants to be left alone (`hold`), nobody is admitted: a rate is not
        spent on requests that cannot be sent.
Rule 6: a permit is in the set of permits or it is not, so giving back twice changes nothing. The
        rate spent on a request that was granted and then gave up stays spent: the bound holds.
Rule 7: giving back waits for arithmetic at most. It may run in a finalizer, and so on the very
        thread that holds the lock: where the lock is held, what comes back is laid aside, and
        whoever holds it puts that away. The lock is taken by `with` alone: between `acquire` and
        `try` a Ctrl-C would leave it taken for ever.

The lock is held for arithmetic; futures are resolved after it is released, since their callbacks
belong to others. The tokens of a rate come from a `Quota`, and what may be under way from `Slots`,
which need not be of this process alone.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import TYPE_CHECKING

from router.errors import ClosedError
from router.limits.ledger import Ledger
from router.limits.line import Line, key_of
from router.limits.outlook import Outlook, turnover
from router.limits.permit import (
    UNLIMITED,
    Permit,
    Ticket,
    left_alone,
    resolve,
    too_late,
    too_many,
)
from router.limits.quota import Local
from router.limits.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from router.config.settings import Limits
    from router.errors import LimitError, RouterError
    from router.limits.headers import Word
    from router.limits.ledger import Costs
    from router.limits.quota import Quota, Slots
    from router.rates import Bound

    Nudges = list[Future[None]]

__all__ = ["Limiter", "Permit", "Ticket"]

MOST_WORDS = 64
"""Things that a service's words are kept about: what they are called is the service's own."""


class Limiter:
    """Admits requests in order; safe to use from any thread."""

    def __init__(
        self,
        limits: Limits,
        *,
        quota: Callable[[Bound], Quota] = Local,
        slots: Slots | None = None,
    ) -> None:
        """Take what is configured.

        Args:
            limits: the `limits:` section.
            quota: makes that from which a rate's tokens come.
            slots: what processes may have under way together, none where each is by itself.
        """
        self.limits = limits
        self._slots = slots
        self._look_at = -math.inf
        self._queue_size = limits.queue
        self._most = limits.concurrency or math.inf
        self._window: Window | None = None
        if limits.adaptive:
            self._window = Window(limits.concurrency)
            self._most = math.floor(self._window.size)
        self.adapts = limits.adaptive
        """Whether every answer moves the most that may be under way."""
        self._ledger = Ledger(limits.bounds, quota)
        self._single = self._ledger.single
        self._rated = bool(limits.bounds)
        self._quick = self._inline = slots is None and (self._single is not None or not self._rated)
        self._free = not self._rated and self._most == math.inf
        self._words: dict[str, tuple[Word, float]] = {}
        self._latest = -math.inf
        self._held_until = -math.inf
        self._closed = False
        self.counted = frozenset(bound.of for bound in limits.bounds)
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Forget permits and queue: those are the parent's, and its lock may never be released."""
        self._lock = threading.Lock()
        self._out: set[Permit] = set()
        self._line = Line()
        self._waiting = self._line.tickets
        self._laid_aside: deque[Permit | Ticket] = deque()

    @property
    def in_use(self) -> int:
        """Permits that are out, granted to the queue included."""
        return len(self._out)

    @property
    def waiting(self) -> int:
        """Places taken in the queue."""
        return len(self._waiting)

    @property
    def most(self) -> float:
        """How many permits may be out now; inf: any number."""
        return self._most

    # -- asking

    def estimate(
        self, now: float, cost: float = 1.0, costs: Costs = (), priority: int = 0
    ) -> float:
        """Return the least seconds a newcomer would wait for the rates, behind who is before it."""
        charges = self._ledger.charges(cost, costs)
        return self._wait_of(self._line.charges(charges, priority), now)

    def peek(
        self, now: float, *, cost: float = 1.0, costs: Costs = (), priority: int = 0
    ) -> Outlook:
        """Return what a request would meet now; nothing is taken.

        Raises:
            OptionsError: the cost is above the burst.
        """
        with self._lock:
            now = max(now, self._latest)
            wait = self.estimate(now, cost, costs, priority)
            full = len(self._out) >= self._most
            outlook = Outlook(wait, self._line.ahead(priority), full)
        self._conclude([])
        return outlook

    def lefts(self, now: float) -> list[tuple[Bound, float]]:
        """Return each rate with what could be taken of it at once."""
        with self._lock:
            quotas = zip(self._ledger.bounds, self._ledger.quotas, strict=True)
            lefts = [(bound, quota.left(now)) for bound, quota in quotas]
        self._conclude([])
        return lefts

    def words(self) -> dict[str, tuple[Word, float]]:
        """Return the last words of the service on its own limits, each with when it came."""
        return dict(self._words)

    # -- admitting

    def admit(
        self,
        now: float,
        cost: float = 1.0,
        costs: Costs = (),
        priority: int = 0,
        deadline: float = math.inf,
    ) -> Permit | Ticket:
        """Return a permit, or a place in the queue when none is free now.

        Args:
            now: monotonic seconds.
            cost: for how many requests it counts.
            costs: what it costs at other rates, by what they count.
            priority: who of those that wait is served first; higher before lower.
            deadline: monotonic seconds after which nobody waits for the permit.

        Raises:
            LimitError: the queue is full, or the wait for the rates alone passes the deadline.
            OptionsError: the cost is above the burst, so that no wait would ever be enough.
        """
        if self._free and now >= self._held_until:
            return UNLIMITED
        permit = None
        with self._lock:  # what most requests meet, without a call: nobody waits, there is room
            if (
                self._quick
                and not self._waiting
                and len(self._out) < self._most
                and now >= self._held_until
            ):
                if now < self._latest:  # noqa: PLR1730 - a call costs 0.1 µs, on everybody's path
                    now = self._latest
                self._latest = now
                single = self._single
                if single is None:
                    permit = Permit(self, (), (), now)
                    self._out.add(permit)
                else:
                    tat = single.tat
                    tat = (tat if tat > now else now) + cost * single.interval  # noqa: FURB136
                    if cost > 0 and tat - now <= single.allowance:
                        single.tat = tat
                        permit = Permit(self, (cost,), (tat + single.refunded,), now)
                        self._out.add(permit)
        if permit is not None:
            if self._laid_aside:
                self._conclude([])
            return permit
        return self._admit(now, self._ledger.charges(cost, costs), priority, deadline)

    def _admit(
        self, now: float, charges: tuple[float, ...], priority: int, deadline: float
    ) -> Permit | Ticket:
        nudges: Nudges = []
        try:
            with self._lock:
                nudges += self._advance(now)
                return self._enter(now, charges, priority, deadline)
        finally:
            self._conclude(nudges)

    def _enter(
        self, now: float, charges: tuple[float, ...], priority: int, deadline: float
    ) -> Permit | Ticket:
        key = key_of(self._latest, priority)
        if not self._waiting or self._line.leads(key):
            permit = self._granted(charges, self._latest)
            if permit is not None:
                return permit
        wait = self._wait_of(self._line.charges(charges, priority), self._latest)
        if len(self._waiting) >= self._queue_size:
            raise self._too_many(wait)
        if now + wait > deadline:
            raise self.refusal(wait, deadline - now, self._latest)
        ticket = Ticket(self, charges, key=key, priority=priority)
        self._line.join(ticket)
        return ticket

    def _too_many(self, wait: float) -> LimitError:
        """Return the error of a full queue; how long a window takes is a guess."""
        guessed = 0.0
        if len(self._out) >= self._most or self._slots is not None:
            guessed = turnover(self._out, len(self._waiting), self._latest)
        return too_many(len(self._waiting), max(wait, guessed), guessed=guessed > wait)

    def hold(self, until: float) -> None:
        """Admit nobody before `until`, in monotonic seconds, as every endpoint asks; -inf: admit.

        It takes the place of what was said before.
        """
        nudges: Nudges = []
        with self._lock:
            lifted, self._held_until = until < self._held_until, until
            if lifted:
                nudges = self._wake_head()
        self._conclude(nudges)

    def refusal(self, wait: float | None, left: float, now: float) -> RouterError:
        """Return the error of a request whose turn does not come in the `left` seconds it has."""
        held = self._held_until - now
        if held > 0 and (wait is None or wait <= held):
            return left_alone(held)
        return too_late(wait, left)

    def close(self) -> None:
        """Send away who waits: a poll raises ClosedError."""
        with self._lock:
            self._closed = True
            nudges = [nudge for each in self._waiting for nudge in each.take_nudge(surely=True)]
        self._conclude(nudges)

    def poll(self, ticket: Ticket, now: float) -> Permit | None:
        """Return the ticket's permit, granted before or now.

        Raises:
            ClosedError: there is none, and there will be none.
        """
        with self._lock:
            nudges = self._advance(now)
            permit = ticket.permit
            if permit is None:
                ticket.renew_nudge()
        self._conclude(nudges)
        if permit is None and self._closed:
            raise ClosedError("this Router was closed while the request waited for the limiter")
        return permit

    def wait(self, ticket: Ticket, now: float) -> float | None:
        """Return the ticket's wait in seconds, for the rates or for a hold, or None for others."""
        wait = None
        with self._lock:
            ticket.knows_when = ticket.guesses = False
            if ticket.permit is not None:
                wait = 0.0
            elif len(self._out) < self._most and self._line.head is ticket:
                ticket.knows_when = True
                wait = self._wait_of(ticket.charges, max(now, self._latest))
                if wait < self._look_at - now:
                    wait, ticket.guesses = self._look_at - now, True
        self._conclude([])
        return wait

    # -- learning

    def settle(self, permit: Permit, now: float, cost: float | None, costs: Costs) -> None:
        """Let a request have cost so much in the end; see `Permit.settle`."""
        with self._lock:
            self._ledger.settle(permit, cost, costs, max(now, self._latest))
            nudges = self._wake_head()
        self._conclude(nudges)

    def charge(self, permit: Permit, of: str) -> float:
        """Return what a request took of what is `counted`."""
        return self._ledger.told.charge(permit, of)

    def heard(
        self,
        permit: Permit,
        now: float,
        *,
        words: Iterable[Word] = (),
        refused: bool = False,
        doubted: bool = False,
    ) -> None:
        """Take an answer: what it says of the service's limits, and if it was refused for load.

        `doubted`: whether other endpoints may say otherwise, see `told`.
        """
        permit.heard = True
        if not words and self._window is None:
            return
        with self._lock:
            self._adapt(permit, now, refused=refused)
            for word in words:
                if word.of in self._words or len(self._words) < MOST_WORDS:
                    self._words[word.of] = word, now
                if word.of in self.counted:
                    self._ledger.told.hear(word, self._out, now, doubted=doubted)
            self._quick = self._inline and now >= self._ledger.told.ends
            nudges = self._wake_head()
        self._conclude(nudges)

    def _adapt(self, permit: Permit, now: float, *, refused: bool) -> None:
        if self._window is None:
            return
        if refused:
            self._window.refused(permit.at, now)
        else:
            self._window.served(len(self._out))
        self._most = math.floor(self._window.size)

    def replenished(self) -> None:
        """Say that a quota has more than it told: the head looks again, at the time it knows."""
        with self._lock:
            nudges = self._wake_head()
        self._conclude(nudges)

    def _wake_head(self) -> Nudges:
        head = self._line.head if self._waiting else None
        return [] if head is None else head.take_nudge(surely=True)

    # -- taking back

    def returned(self, permit: Permit) -> None:
        """Take back a permit, now or when the lock is free (rule 7)."""
        if not self._lock.locked():
            with self._lock:
                if self._slots is None:
                    self._out.discard(permit)
                else:
                    self._drop(permit)
            if not self._waiting and not self._laid_aside:
                return
        self.take_back(permit)

    def take_back(self, returned: Permit | Ticket) -> None:
        """Take back a permit or a place in the queue, now or when the lock is free (rule 7)."""
        self._laid_aside.append(returned)
        self._conclude([])

    def _conclude(self, nudges: Nudges) -> None:
        """Do what the lock forbade: wake the granted, put away what came back meanwhile."""
        resolve(nudges)
        while self._laid_aside and not self._lock.locked():
            with self._lock:
                while self._laid_aside:
                    self._put_away(self._laid_aside.popleft())
                nudges = self._after_a_return()
            resolve(nudges)

    def _after_a_return(self) -> Nudges:
        """Let the next ones in. Who is limited by a rate has to say what time it is.

        The latest time that is known here may be long past: granted as of then, it would be granted
        once more as of now.
        """
        if not self._rated and self._slots is None:
            return self._advance(self._latest)
        head = self._line.head
        if head is None or len(self._out) >= self._most:
            return []
        if head.knows_when and not head.guesses:
            return []
        return head.take_nudge(surely=True)

    def _put_away(self, returned: Permit | Ticket) -> None:
        if isinstance(returned, Permit):
            self._drop(returned)
        elif returned.permit is not None:
            self._drop(returned.permit)
            returned.permit = None
        elif returned in self._waiting:
            self._line.leave(returned)

    def _drop(self, permit: Permit) -> None:
        if permit in self._out:
            self._out.remove(permit)
            if self._slots is not None:
                self._slots.give_back()

    def _advance(self, now: float) -> Nudges:
        """Grant every head that fits; return the futures to resolve once the lock is released."""
        self._latest = now = max(now, self._latest)
        self._quick = self._inline and now >= self._ledger.told.ends
        nudges: Nudges = []
        while self._waiting and (head := self._line.head) is not None:
            permit = self._granted(head.charges, now)
            if permit is None:
                if len(self._out) < self._most and not head.knows_when:
                    nudges += head.take_nudge()
                break
            self._line.leave(head)
            head.permit = permit
            nudges += head.take_nudge()
        return nudges

    def _granted(self, charges: tuple[float, ...], now: float) -> Permit | None:
        """Return a permit if there is one now."""
        if len(self._out) >= self._most or now < self._held_until:
            return None
        if self._slots is not None and not self._takes_slot(now):
            return None
        receipts = self._ledger.take(charges, now)
        if receipts is None:
            if self._slots is not None:
                self._slots.give_back()
            return None
        permit = Permit(self, charges, receipts, now)
        self._out.add(permit)
        return permit

    def _takes_slot(self, now: float) -> bool:
        assert self._slots is not None
        wait = self._slots.take(now, waiting=max(1, len(self._waiting)))
        self._look_at = now + wait if wait > 0 else -math.inf
        return wait <= 0

    def _wait_of(self, charges: tuple[float, ...], now: float) -> float:
        return max(self._ledger.wait(charges, now), self._held_until - now)
