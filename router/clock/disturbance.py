"""Whether one of this host's clocks was moved: stepped, slept through, slewed.

The offset of UTC from boot time holds only while boot time runs evenly. Three differences tell:

    wall - boot        steps: somebody set the clock, perhaps since boot time is behind: a virtual
                       machine was paused and its host set it right. Up to the whole step is doubt.
                       (Who then steps it back by as much hides the pause from everybody.)
    boot - monotonic   sleep, which was measured by a clock that counts in whole seconds.
    monotonic - raw    slews: a daemon, chrony up to 83 000 ppm, turns boot time and the wall clock
                       alike, so that only the bare oscillator shows it.

Rule 1: a movement counts for as much as the readings prove: both differences are taken to be off by
        twice their width to its disadvantage, so a reading that was interrupted is no step. What
        that leaves out, microseconds, is within the millisecond that each NTP sample allows.
Rule 2: doubt covers what was measured at any time since the anchor, so it is the farthest that two
        looks since then were apart, and not a sum: a clock that jitters for hours is as doubtful as
        its widest swing. It never falls before the next anchor.
Rule 3: PHI, by which every bound grows, is half for the oscillator and half for whoever corrects
        it; a slew counts as doubt from PHI / 2 on and is news from PHI on.
Rule 4: what decides is a two-sided cumulative sum (CUSUM; Page, 1954), so neither a long time of
        quiet nor many small movements hide one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from router.clock.ntp import PHI

if TYPE_CHECKING:
    from router.clock.host import Hands

__all__ = ["Detector", "Disturbance", "Kind"]

Kind = Literal["step", "suspend", "slew"]

THRESHOLD = 0.005
RTC_GRAIN = 1.0
SAID: dict[Kind, str] = {
    "step": "the wall clock was stepped by {:+.3f} s",
    "suspend": "the host slept for {:.3f} s",
    "slew": "the host's clocks were slewed by {:+.3f} s",
}


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What a look found moved: seconds by kind, ahead being positive."""

    moved: dict[Kind, float]

    @property
    def doubt(self) -> float:
        """Return by how many seconds what was measured before may be off because of it."""
        moved = {**self.moved, "suspend": RTC_GRAIN} if "suspend" in self.moved else self.moved
        return sum(abs(seconds) for seconds in moved.values())

    @property
    def words(self) -> str:
        """Return what happened, for a line of the log."""
        return "; ".join(SAID[kind].format(seconds) for kind, seconds in self.moved.items())


class Detector:
    """Compares what a host's clocks show at each look with what they showed before.

    Attributes:
        doubt: seconds to add to the bound of everything measured since the anchor.
    """

    def __init__(self) -> None:
        self.doubt = 0.0
        self._last: Hands | None = None
        self._news: dict[Kind, Cusum] = {}
        self._tally: Tally | None = None

    def anchor(self, hands: Hands) -> None:
        """Forget all doubt that is older than `hands`; movements are counted from there on."""
        self._tally = Tally(hands)
        if self._last is None:
            self._start(hands)
        elif self._last.boot > hands.boot:
            self._tally.count(self._last)
        self.doubt = self._tally.doubt

    def look(self, hands: Hands) -> Disturbance | None:
        """Return what was moved since the last look, if anything; the first look is an anchor."""
        if self._last is None or self._tally is None:
            self.anchor(hands)
            return None
        self._last = hands
        self._tally.count(hands)
        self.doubt = self._tally.doubt
        return self._whats_new(hands)

    def _start(self, hands: Hands) -> None:
        self._last = hands
        self._news = {kind: Cusum(hands, kind, PHI) for kind in SAID}

    def _whats_new(self, hands: Hands) -> Disturbance | None:
        moved: dict[Kind, float] = {}
        for kind, cusum in self._news.items():
            if cusum.excess(hands) > THRESHOLD:
                moved[kind] = cusum.moved
                self._news[kind] = Cusum(hands, kind, PHI)
        return Disturbance(moved) if moved else None


class Tally:
    """The doubt that has gathered since one moment."""

    def __init__(self, hands: Hands) -> None:
        self._step = Cusum(hands, "step", 0.0)
        self._suspend = Cusum(hands, "suspend", PHI)
        self._slew = Cusum(hands, "slew", PHI / 2)
        self._stepped = self._slept = self._slewed = 0.0

    @property
    def doubt(self) -> float:
        return self._stepped + self._slept + self._slewed

    def count(self, hands: Hands) -> None:
        """Add what a look shows."""
        self._stepped = max(self._stepped, self._step.excess(hands))
        self._slewed = max(self._slewed, self._slew.excess(hands))
        if self._suspend.excess(hands) > THRESHOLD:
            self._slept += RTC_GRAIN
            self._suspend = Cusum(hands, "suspend", PHI)


class Cusum:
    """How far one difference of clocks has surely moved, faster than `slope`, since it started.

    Attributes:
        moved: seconds between the last look and the one, since the start, that is farthest from it.
    """

    def __init__(self, hands: Hands, kind: Kind, slope: float) -> None:
        self._kind: Kind = kind
        self._slope = slope
        value = _difference(hands, kind)
        drift, noise = slope * hands.boot, 2 * hands.width
        self._lowest = value + noise - drift, value
        self._highest = value - noise + drift, value
        self.moved = 0.0

    def excess(self, hands: Hands) -> float:
        """Return by how many seconds it has moved beyond what the slope allows; 0 or more."""
        value = _difference(hands, self._kind)
        drift, noise = self._slope * hands.boot, 2 * hands.width
        rise = value - noise - drift - self._lowest[0]
        fall = self._highest[0] - (value + noise + drift)
        self.moved = value - (self._lowest if rise > fall else self._highest)[1]
        self._lowest = min(self._lowest, (value + noise - drift, value))
        self._highest = max(self._highest, (value - noise + drift, value))
        return max(0.0, rise, fall)


def _difference(hands: Hands, kind: Kind) -> float:
    if kind == "step":
        return hands.wall - hands.boot
    if kind == "suspend":
        return hands.boot - hands.monotonic
    return hands.monotonic - hands.raw
