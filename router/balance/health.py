"""Whether an endpoint may be asked: ejection, trial, and the way back.

Rule 1: failures in a row eject, or a success rate that lies under 80 % with confidence, over about
        half a minute. A success ends a row.
Rule 2: an ejection doubles each time, is jittered, and ends in a half-open state in which one trial
        decides. It begins at the first length again once the endpoint has been well for twice as
        long as it was out.
Rule 3: an endpoint that could not be reached comes back as soon as a probe reaches it, since that
        is the very evidence that was missing; one that answered badly waits for its trial.
Rule 4: what the caller did wrong never reaches this module.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import random

    from router.config.settings import Failover

__all__ = ["Availability", "Cause", "Health", "Standing"]

Cause = Literal["unreachable", "failing"]

PROBE_FAILURES = 3
TRAFFIC_PROVES = 30.0  # seconds
PROBE_SPEAKS = 10.0  # seconds
TRIALS_APART = 1.0  # seconds
LONGEST_EXPONENT = 32
COUNTS_FADE = 15.0  # seconds; on average as old as what a window of 30 s holds
LEAST_SUCCESS = 0.8
SURE = 1.96  # deviations: one chance in forty, on this side
WELL_FOR = 2.0  # times as long as it was out


class Availability(enum.Enum):
    """Whether an endpoint can take a request now."""

    READY = "healthy"
    TRIAL = "on trial"
    EJECTED = "ejected"
    COOLING = "cooling"
    DRAINED = "drained"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a process knows of an endpoint, to tell others or to judge what they say.

    Attributes:
        out_until: when a trial may decide; -inf while it serves.
        cooling_until: until when it asked to be left alone.
        answered_at: when it last answered this process's own traffic.
        failures: of its own traffic there, in a row.
    """

    out_until: float
    cooling_until: float
    answered_at: float
    failures: int


@dataclass(slots=True)
class Health:
    """Failures and what follows from them; instants are monotonic seconds.

    Attributes:
        failures, probe_failures: in a row.
        ejections: since it was last well for long.
        ejected_until: when a trial may decide; 0 while it serves.
        cause: why it is out, or None.
        trial: whether the attempt that decides is under way.
        success_at: when traffic last got an answer.
        trouble: the last failure in words, while it matters.
        hearsay: whether it is out only because other processes say so.
    """

    failures: int = 0
    probe_failures: int = 0
    ejections: int = 0
    ejected_until: float = 0.0
    cause: Cause | None = None
    trial: bool = False
    success_at: float = -math.inf
    trouble: str | None = None
    hearsay: bool = False
    _probe_failed_at: float = -math.inf
    _length: float = 0.0
    _ejected_at: float = -math.inf
    _back_since: float = -math.inf
    _good: float = 0.0
    _bad: float = 0.0
    _counted_at: float = 0.0

    @property
    def down(self) -> bool:
        """Whether a probe would have something to find out: it is out, or the last probe failed."""
        return self.cause is not None or self.probe_failures > 0

    def back_at(self, now: float) -> float:
        """Return when a trial may decide; where probes are at work, they decide before it."""
        if not self.proved_down or now - self._probe_failed_at > PROBE_SPEAKS:
            return self.ejected_until
        return max(self.ejected_until, self._probe_failed_at + PROBE_SPEAKS)

    @property
    def proved_down(self) -> bool:
        """Whether a probe too found that it cannot be reached."""
        return self.cause == "unreachable" and self.probe_failures > 0

    def availability(self, now: float) -> Availability:
        """Return READY, TRIAL or EJECTED."""
        if self.cause is None:
            return Availability.READY
        out = self.trial or now < self.back_at(now)
        return Availability.EJECTED if out else Availability.TRIAL

    def answered(self, now: float, *, sent: float = math.inf) -> None:
        """Take an answer to a request sent at `sent`; from before an ejection it is old news."""
        self._count(now, good=1.0)
        self.success_at = now
        if sent < self._ejected_at:
            return
        if self.cause is not None or self.failures or self.trouble:
            self.recover(now)

    def failed(
        self,
        words: str,
        *,
        reached: bool,
        trial: bool,
        now: float,
        failover: Failover,
        chance: random.Random,
    ) -> None:
        """Take a failure; `reached` tells whether the endpoint was there at all.

        Only a trial prolongs an ejection: what was sent before it is late news.
        """
        self._count(now, bad=1.0)
        self.failures += 1
        self.trouble = words
        if trial if self.cause is not None else self._is_too_much(failover):
            cause: Cause = "failing" if reached else "unreachable"
            self.eject(cause, now=now, failover=failover, chance=chance)

    def _is_too_much(self, failover: Failover) -> bool:
        enough = self._good + self._bad >= failover.eject_after  # one failure alone is no rate
        unlikely = enough and self.success_bound() < LEAST_SUCCESS
        return unlikely or self.failures >= failover.eject_after

    def success_bound(self) -> float:
        """Return the largest success rate that fits what was seen (the upper end of Wilson's)."""
        count = self._good + self._bad
        if count <= 0:
            return 1.0
        rate, z2 = self._good / count, SURE * SURE
        spread = SURE * math.sqrt(rate * (1 - rate) / count + z2 / (4 * count * count))
        return (rate + z2 / (2 * count) + spread) / (1 + z2 / count)

    def _count(self, now: float, *, good: float = 0.0, bad: float = 0.0) -> None:
        age = now - self._counted_at
        if age > COUNTS_FADE / 10:
            kept = math.exp(-age / COUNTS_FADE)
            self._good, self._bad, self._counted_at = self._good * kept, self._bad * kept, now
        self._good += good
        self._bad += bad

    def absolve(self, *, now: float, failover: Failover) -> bool:
        """Take one failure back that was not the endpoint's own; return whether it is back by that.

        Only a first ejection ends so, and only if it would not have come without that failure.
        """
        self._bad = max(0.0, self._bad - 1.0)
        self.failures = max(0, self.failures - 1)
        if self.cause is None:
            return False
        probes_do = self.probe_failures >= PROBE_FAILURES
        if self.ejections > 1 or probes_do or self._is_too_much(failover):
            return False
        trouble = self.trouble
        self.recover(now)
        self.trouble = trouble  # it did fail, whosever fault that was
        return True

    def probed(self, now: float) -> bool:
        """Take a probe that ended well; return whether it ended an outage."""
        self.probe_failures = 0
        if self.cause == "unreachable":
            self.recover(now)
            return True
        if self.cause is None and not self.failures:
            self.trouble = None  # only probes had failed
        return False

    def probe_failed(
        self,
        words: str,
        *,
        reached: bool,
        suspected: bool,
        now: float,
        failover: Failover,
        chance: random.Random,
    ) -> None:
        """Take a probe that failed.

        Three in a row eject, unless traffic still gets through; one is enough where traffic itself
        waits in vain. While probes find that an endpoint cannot be reached, no request has to.
        """
        self.probe_failures += 1
        if not reached:
            self._probe_failed_at = now
        if self.cause is None and not suspected and now - self.success_at < TRAFFIC_PROVES:
            return
        self.trouble = words
        if not reached and self.cause == "failing" and not self.trial:
            self.cause = "unreachable"  # a silent endpoint looked like a failing one to traffic
        enough = suspected or self.probe_failures >= PROBE_FAILURES
        if self.cause is None and enough:
            self.eject("unreachable", now=now, failover=failover, chance=chance)

    def eject(self, cause: Cause, *, now: float, failover: Failover, chance: random.Random) -> None:
        """Take it out for a time; of two ejections the later end holds."""
        if self.cause is None and now - self._back_since > WELL_FOR * self._length:
            self.ejections = 0
        doubled = failover.eject_for * 2.0 ** min(self.ejections, LONGEST_EXPONENT)
        self._length = min(failover.eject_cap, doubled) * chance.uniform(0.8, 1.2)
        self.ejections += 1
        self.cause, self.hearsay = cause, False
        self._ejected_at = now
        self.ejected_until = max(self.ejected_until, now + self._length)

    def told(self, words: str, *, until: float, now: float) -> None:
        """Take it out because others did: no failure of its own, so no longer next time."""
        self.cause = "unreachable"
        self._ejected_at = now
        self.ejected_until = until
        self.trouble = words
        self.hearsay = True

    def put_off(self, now: float) -> None:
        """Take a trial that decided nothing: the next one has to wait a little."""
        self.ejected_until = max(self.ejected_until, now + TRIALS_APART)

    def recover(self, now: float) -> None:
        """Let it serve again."""
        if self.cause is not None:
            self._back_since = now
            self._good = self._bad = 0.0
        self.failures = self.probe_failures = 0
        self.ejected_until = 0.0
        self._ejected_at = -math.inf
        self.cause, self.hearsay = None, False
        self.trouble = None
