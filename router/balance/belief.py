"""Whether an endpoint is broken: a belief in log-odds that every outcome moves.

Two worlds are weighed: in one the endpoint fails a request in a hundred, in the other every second
one. A failure speaks for the second by ln(0.50 / 0.01), an answer for the first by ln(0.99 / 0.50);
silence adds what `load.Load.silence` says.

Rule 1: it needs no window and no least number of requests: at a request a second it takes the same
        few failures as at a thousand, and a stray failure among answers is made up for by them.
Rule 2: it is bounded on both sides, so that news always counts.
Rule 3: it fades where nothing is heard; then somebody may try again.
Rule 4: what it costs to be wrong is `risk`: a failed attempt takes its own time, the way to another
        endpoint, and, where it must not be repeated, the caller's patience.
"""

from __future__ import annotations

from math import exp, log

__all__ = ["FAILURE", "MOST", "UNLIKELY", "Belief", "risk"]

UNLIKELY = -7.0
MOST = 8.0
FAILURE = log(0.50 / 0.01)
ANSWER = log(0.99 / 0.50)
FADES = 4.5  # seconds
SURE = 30.0
PENALTY = 1.0  # seconds
PENALTY_SHARE = 10.0


class Belief:
    """Log-odds that the endpoint is broken."""

    __slots__ = ("_at", "_odds")

    def __init__(self) -> None:
        self._odds = UNLIKELY
        self._at = 0.0

    def odds(self, now: float, *, waiting: bool = False) -> float:
        """Return the log-odds as of `now`; `waiting`: an answer is on its way, so none is lost."""
        if waiting or self._odds <= UNLIKELY:
            return self._odds
        return UNLIKELY + (self._odds - UNLIKELY) * exp(min(0.0, self._at - now) / FADES)

    def failed(self, now: float, *, late: float = 0.0) -> None:
        """Take a failure; `late`: what the silence before it says, in nats."""
        self._set(self.odds(now) + FAILURE + late, now)

    def silent(self, late: float, now: float) -> None:
        """Take a request that was given up while it was late by so many nats."""
        self._set(self.odds(now) + min(late, FAILURE), now)

    def answered(self, now: float) -> None:
        """Take an answer."""
        if self._odds > UNLIKELY:
            self._set(self.odds(now) - ANSWER, now)

    def absolve(self, now: float) -> None:
        """Take a failure back that was not the endpoint's own."""
        self._set(self.odds(now) - FAILURE, now)

    def begin(self, odds: float, now: float) -> None:
        """Believe this from now on."""
        self._set(odds, now)

    def _set(self, odds: float, now: float) -> None:
        self._odds = min(max(odds, UNLIKELY), MOST)
        self._at = now


def risk(odds: float, alone: float) -> float:
    """Return the seconds that a request is expected to lose by failing there."""
    if odds <= UNLIKELY:
        return 0.0
    chance = 1.0 if odds > SURE else 1 / (1 + exp(-odds))
    return chance * (PENALTY + PENALTY_SHARE * alone)
