"""What answers took of late beyond what was expected of them: a filter with two speeds.

Rule 1: two answers in a row that are late, or early, by more than a deviation are news, and
        followed at once. A single one is chance: it counts for one deviation at most, and slowly.
Rule 2: what few answers said is forgotten within a second or two, so that somebody asks again; what
        many said is believed for longer.
Rule 3: it knows how far it may be off by chance (`noise`), for whoever compares.
"""

from __future__ import annotations

from math import exp, sqrt

__all__ = ["STAYS", "Surplus", "clipped"]

SETTLES = 0.5  # seconds
LEAST_GAIN = 0.1
MOST_GAIN = 0.4
MOST_STEP = 3.0  # deviations
CALM_SETTLES = 3.0  # seconds
CALM_LEAST = 0.06
CALM_MOST = 0.1
CALM_STEP = 1.0  # deviations
STAYS = 1.0  # seconds
NEWS = 1.0  # deviations
FADES_EACH = 2.0  # seconds
MOST_FADES = 20.0  # seconds


class Surplus:
    """Seconds beyond the expected; `value` is as of the last answer."""

    __slots__ = ("_agreeing", "_fades", "_side", "_variance", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self._variance = 0.0
        self._side = self._agreeing = 0
        self._fades = MOST_FADES

    @property
    def noise(self) -> float:
        """By how many seconds `value` may be off by chance: one deviation."""
        return sqrt(self._variance)

    def faded(self, idle: float) -> float:
        """Return what is left of it after so many seconds without an answer."""
        return self.value if idle <= STAYS else self.value * exp((STAYS - idle) / self._fades)

    def take(self, beyond: float, *, deviation: float, since: float) -> None:
        """Learn from an answer.

        Args:
            beyond: by how many seconds it took longer than expected.
            deviation: of single answers, in seconds.
            since: seconds since the one before.
        """
        if since > STAYS:
            kept = exp((STAYS - since) / self._fades)
            self.value *= kept
            self._variance *= kept * kept
        step = beyond - self.value
        news = NEWS * deviation
        side = 1 if step > news else -1 if step < -news else 0
        if side and side == self._side:
            gain = _between(LEAST_GAIN, since / SETTLES, MOST_GAIN)
            step = clipped(step, MOST_STEP * deviation)
            self._agreeing += 1
            self._fades = min(MOST_FADES, FADES_EACH * (1 + self._agreeing))
        else:
            gain = _between(CALM_LEAST, since / CALM_SETTLES, CALM_MOST)
            step = clipped(step, CALM_STEP * deviation)
            self._agreeing = 0
            self._fades = min(MOST_FADES, FADES_EACH + self._fades)
        self._side = side
        self.value += gain * step
        self._variance += gain * (gain * deviation * deviation - (2 - gain) * self._variance)

    def seen_elsewhere(self, step: float) -> None:
        """Take out of it what is known to have another reason: a way that is longer by `step`."""
        if step * self.value > 0:
            self.value -= min(step, self.value, key=abs)


def clipped(step: float, cap: float) -> float:
    """Return `step`, but no further from 0 than `cap`."""
    return cap if step > cap else max(step, -cap)


def _between(least: float, value: float, most: float) -> float:
    return least if value < least else min(value, most)
