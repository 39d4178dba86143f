"""Which token endpoint is asked next, and how long one that failed is left alone.

Rule 1: after a failure an endpoint is left alone for 1, 2, 4 … 30 s, with jitter on top, or for as
        long as it asked. The memory is shared by all who would ask it.
Rule 2: who answered last is asked first; among equals the order of the configuration holds.
Rule 3: an endpoint that refuses the client speaks for all of them: they share the client.

Instants are monotonic seconds. These decide; none of them waits, and their owner has the lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from random import Random

__all__ = ["Backoff", "Servers"]

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 30.0
LONGEST_ASKED = 300.0
JITTER = 0.5
FORGOTTEN_AFTER = 300.0
NEVER = float("-inf")


class Backoff:
    """How long something that failed is left alone.

    Attributes:
        failures: in a row.
        failure: the last one, in words.
        retry_at: when it may be tried again.
    """

    __slots__ = ("_chance", "failure", "failures", "retry_at")

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self.succeeded()

    def succeeded(self) -> None:
        """Forget the failures."""
        self.failures = 0
        self.failure = ""
        self.retry_at = NEVER

    def failed(self, words: str, now: float, *, asked: float | None = None) -> None:
        """Take a failure; `asked` is for how many seconds the server wants to be left alone."""
        step = FIRST_BACKOFF * 2.0 ** min(self.failures, 10)
        pause = min(LONGEST_BACKOFF, step * self._chance.uniform(1, 1 + JITTER))
        self.failures += 1
        self.failure = words
        self.retry_at = now + max(pause, min(asked or 0.0, LONGEST_ASKED))

    def is_remembered(self, now: float) -> bool:
        """Return whether its failures still say something."""
        return self.failures > 0 and now < self.retry_at + FORGOTTEN_AFTER


class Servers:
    """The token endpoints of one client, each with its memory of failures."""

    def __init__(self, urls: Iterable[str], chance: Random) -> None:
        self._by_url = {url: Backoff(chance) for url in urls}
        self._last = ""

    @property
    def failure(self) -> str:
        """The failure of each that has one, in words, or the last there was."""
        words = dict.fromkeys(each.failure for each in self._by_url.values() if each.failure)
        return "; ".join(words) or self._last

    @property
    def retry_at(self) -> float:
        """When the first of them may be asked."""
        return min(backoff.retry_at for backoff in self._by_url.values())

    def best(self, now: float, tried: Collection[str] = ()) -> str | None:
        """Return whom to ask, or None: all were tried, or are left alone."""
        ready = [
            (backoff.is_remembered(now), place, url)
            for place, (url, backoff) in enumerate(self._by_url.items())
            if url not in tried and now >= backoff.retry_at
        ]
        return min(ready)[2] if ready else None

    def answered(self, url: str) -> None:
        """Note that it granted what was asked for."""
        self._by_url[url].succeeded()

    def failed(self, url: str, words: str, now: float, *, asked: float | None = None) -> None:
        """Note that it could not be reached, or had trouble of its own."""
        self._last = words
        self._by_url[url].failed(words, now, asked=asked)

    def refused(self, words: str, now: float, *, asked: float | None = None) -> None:
        """Note that the client was refused: each of them would say the same."""
        for url in self._by_url:
            self.failed(url, words, now, asked=asked)

    def describe(self, now: float) -> list[dict[str, Any]]:
        """Return the state of each as plain data; times are seconds from now."""
        return [
            {
                "url": url.partition("?")[0],  # a query may hold a key
                "failures": backoff.failures,
                "failure": backoff.failure or None,
                "retry_in_s": max(0.0, backoff.retry_at - now),
            }
            for url, backoff in self._by_url.items()
        ]
