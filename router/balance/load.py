"""How long a request takes at one endpoint, and how long one more would take.

    expected = alone * max(1, (in flight + 1) / limit) + surplus

`alone` is the time of a request that meets no queue, to the head of its answer. `limit` is how many
requests the endpoint holds before they queue: the bandwidth-delay product, so that what is
under way on a long road does not count as a queue. `surplus` is what answers took beyond that
of late: the load of others, a region that became slow.

Rule 1: answers correct the surplus (`surplus`) quickly and `alone` slowly; one that is out of all
        proportion counts for three deviations, so that a lone stall moves nothing.
Rule 2: the limit grows while answers show no queue and shrinks when they show one (after TCP
        Vegas); from the start, and after a return, it doubles until the first queue.
Rule 3: silence is evidence. While requests sent after the last one that was answered are older than
        they should be, each adds its lateness in deviations (`silence`), before anything returned.
        A request overtaken by a later one is a stall of its own and says nothing of the endpoint.
Rule 4: what is not heard of any more is forgotten: a surplus fades, but while a request is out that
        will tell, it does not. So a doubtful endpoint is tried by one request, not by a crowd.
Rule 5: of answers that come within LEARN_EVERY of each other one is learnt from: at such a rate the
        others say the same. Not while it begins, and not near its limit, where each one counts
        (`sated`).
Rule 6: `alone` fades too, towards what probes and the other endpoints suggest, far more slowly: the
        more slowly, the more answers stand behind it and the more often it was confirmed.

Against `latency * (in flight + 1)`, as Peak-EWMA has it: that spills to a region 200 ms away
because a near one holds ten requests that it could serve at once (`scripts/simulate.py`).
"""

from __future__ import annotations

import copy
from math import exp, isnan, nan
from typing import TYPE_CHECKING

from router.balance.host import IDLE
from router.balance.surplus import STAYS, Surplus, clipped

if TYPE_CHECKING:
    from router.balance.choice import Choice
    from router.balance.host import Host

__all__ = ["FIRST_LIMIT", "Load"]

FIRST_LIMIT = 8.0
LEAST_LIMIT = 1.0
LEAST_SURPLUS = -0.5
LEAST_ALONE = 1e-6  # seconds
ALONE_SETTLES = 20.0  # seconds
ALONE_FADES, LONGEST_FADES = 120.0, 7200.0  # seconds
FADES_EACH = 6.0  # seconds, for each answer
CONFIRMED = 3.0  # deviations
ALONE_GAIN = 0.1
WARM_UP = 20  # answers
SUGGESTION = 4  # answers that what else suggests itself is worth
TRUSTED = 9  # answers from which one that is out of proportion is doubted
FIRST_DEVIATION = 0.3
LEAST_DEVIATION = 0.1
STALLS = 0.003
"""Seconds that a busy host may delay anything by, whatever the endpoint does."""
OUTLIER = 3.0
NO_QUEUE, A_QUEUE = 1.0, 3.0  # requests
QUEUE_MEMORY = 0.1
NEARLY = 0.8
UNSURE = 0.3
TOTAL_GAIN = 0.1
LEARN_EVERY = 0.001  # seconds
FRESH = 2.0  # seconds


class Load:
    """What traffic tells of one endpoint; times are seconds.

    Attributes:
        alone: the time of a request that meets no queue.
        deviation: of single answers from what was expected of them.
        limit: requests in flight beyond which they queue.
        heard: the instant of the last answer.
        total: seconds from sending to the end of the body, of late; nan: not known. It is told, and
            decides nothing: how long a body is, is the request's doing.
        ahead: requests sent after all that were answered, oldest first.
        samples: answers that it has learnt from.
    """

    __slots__ = (
        "_fades",
        "_host",
        "_queue",
        "_starting",
        "_surplus",
        "ahead",
        "alone",
        "deviation",
        "heard",
        "limit",
        "samples",
        "total",
    )

    def __init__(self, alone: float, *, now: float, host: Host = IDLE) -> None:
        """Begin with a guess of `alone`; the first answer takes its place."""
        self._host = host
        self.alone = alone
        self.total = nan
        self.heard = now
        self.ahead: dict[Choice, None] = {}
        self.begin(FIRST_LIMIT)

    def copied(self) -> Load:
        """Return a copy that learns on its own, without what is under way."""
        own = copy.copy(self)
        own._surplus = copy.copy(self._surplus)  # noqa: SLF001 - one of its own class
        own.ahead = {}
        return own

    @property
    def measured(self) -> bool:
        """Whether any answer came."""
        return self.samples > 0

    def begin(self, limit: float = LEAST_LIMIT) -> None:
        """Begin anew: what it was like is no evidence of what it is. The limit grows from here."""
        self.samples = 0
        self._fades = ALONE_FADES
        self._surplus = Surplus()
        self.deviation = FIRST_DEVIATION * self.alone + STALLS
        self.limit = limit
        self._starting = True
        self._queue = 0.0

    @property
    def _memory(self) -> float:
        """Seconds that `alone` takes to fade: less where few answers stand behind it."""
        return min(self._fades, FADES_EACH * self.samples)

    @property
    def surplus(self) -> float:
        """By how many seconds answers took longer than the model says, of late."""
        return self._surplus.value

    @property
    def noise(self) -> float:
        """By how many seconds the surplus may be off by chance: one deviation."""
        return self._surplus.noise

    def faded_surplus(self, now: float, *, waiting: bool) -> float:
        """Return the surplus as far as it still counts; `waiting`: an answer is on its way."""
        return self._surplus.value if waiting else self._surplus.faded(now - self.heard)

    def faded_alone(self, now: float, suggested: float) -> float:
        """Return `alone` as far as it still counts, against what else suggests itself."""
        idle = now - self.heard - STAYS
        if idle <= 0:
            return self.alone
        return suggested + (self.alone - suggested) * exp(-idle / self._memory)

    def silence(self, now: float) -> float:
        """Return the evidence that nothing comes back, in nats; 0 while everything is in time."""
        evidence = 0.0
        for choice in list(self.ahead):  # a finalizer may end one meanwhile
            late = self.lateness(choice, now)
            if late <= 0:
                break
            evidence += late
        return evidence

    def lateness(self, choice: Choice, now: float) -> float:
        """Return by how many deviations an answer is overdue."""
        computed = self._host.busy - choice.busy  # meanwhile nobody could have looked
        late = now - choice.sent - max(computed, 0.0) - choice.predicted - max(self.surplus, 0.0)
        return max(0.0, late / self.deviation)

    def passed(self, choice: Choice) -> None:
        """Note that this attempt ended; those sent before it are overtaken."""
        ahead = self.ahead
        try:
            oldest = next(iter(ahead), None)
        except RuntimeError:  # a finalizer has just ended one
            oldest = None
        if oldest is choice:
            ahead.pop(choice, None)
        elif choice in ahead:
            for other in list(ahead):  # a finalizer may end one meanwhile
                ahead.pop(other, None)
                if other is choice:
                    break

    def sated(self, in_flight: int, now: float) -> bool:
        """Return whether one more answer says nothing new, of so many that were under way."""
        return (
            now - self.heard < LEARN_EVERY
            and self.samples >= TRUSTED
            and in_flight < NEARLY * self.limit
        )

    def answered(
        self, elapsed: float, *, in_flight: int, now: float, suggested: float | None = None
    ) -> None:
        """Learn from an answer.

        Args:
            elapsed: seconds that it took.
            in_flight: of how many its request was one when it was sent.
            now: monotonic seconds.
            suggested: what else suggests itself for `alone`; the first answers are weighed with it.
        """
        since, self.heard = max(0.0, now - self.heard), now
        if since > FADES_EACH / 2 and self.samples and since > self._memory / 2:
            self._check(elapsed)
        if not self.samples:
            self.alone = max(elapsed if suggested is None else suggested, LEAST_ALONE)
            self.deviation = FIRST_DEVIATION * self.alone + STALLS
            self.samples = 0 if suggested is None else SUGGESTION
        self.samples += 1
        crowd = in_flight / self.limit if in_flight > self.limit else 1.0
        cap = OUTLIER * self.deviation
        gain = self._gain(since)
        beyond = elapsed - self.alone * crowd
        surplus = self._surplus
        surplus.take(beyond, deviation=self.deviation, since=since)
        surplus.value = max(surplus.value, LEAST_SURPLUS * self.alone)
        self._correct_deviation(abs(beyond - surplus.value), gain)
        if in_flight >= NEARLY * self.limit:
            self._correct_limit(elapsed, in_flight, crowd)
        step = elapsed / crowd - self.alone
        if crowd > 1 and step < 0:
            step *= UNSURE  # it may as well hold more than the limit says
        self.alone += gain * (step if self.samples < TRUSTED else clipped(step, cap))
        self.alone = max(self.alone, LEAST_ALONE)

    def _check(self, elapsed: float) -> None:
        """After a long silence, see whether what was known still holds."""
        if abs(elapsed - self.alone) <= CONFIRMED * self.deviation:
            self._fades = min(2 * self._fades, LONGEST_FADES)
        else:
            self.begin(self.limit)

    def _gain(self, since: float) -> float:
        gain = since / ALONE_SETTLES
        if self.samples < WARM_UP:
            return max(1 / self.samples, min(2 * ALONE_GAIN, gain))
        return min(ALONE_GAIN, gain)

    def _correct_deviation(self, size: float, gain: float) -> None:
        least, most = LEAST_DEVIATION * self.alone + STALLS, 4 * self.deviation
        size = least if size < least else min(size, most)
        gain = 0.02 if gain < 0.02 else min(gain, 0.2)  # noqa: PLR2004 - its range
        self.deviation += gain * (size - self.deviation)

    def _correct_limit(self, elapsed: float, in_flight: int, crowd: float) -> None:
        """Grow or shrink the limit by how many of those in flight seem to queue.

        Where many are always under way, whatever the limit, it is what they and their time tell.
        """
        waiting = in_flight * max(-0.5, elapsed / self.alone - 1) / crowd
        self._queue += QUEUE_MEMORY * (waiting - self._queue)
        if self._queue > A_QUEUE:
            self._starting = False
            held = in_flight * self.alone / max(elapsed, LEAST_ALONE)
            step = (1 if held > self.limit else -1) / self.limit
            self.limit = max(LEAST_LIMIT, self.limit + step)
        elif self._queue < NO_QUEUE:
            self.limit += 1.0 if self._starting else 1 / self.limit

    def ended(self, total: float) -> None:
        """Learn how long a request took to the end of its body."""
        self.total = total if isnan(self.total) else self.total + TOTAL_GAIN * (total - self.total)

    def moved(self, step: float, *, least: float, now: float) -> None:
        """Take the news that the way there became longer or shorter by `step`.

        Where traffic has seen it already it stands in the surplus, and is not counted twice.
        """
        self.alone = max(self.alone + step, least)
        if now - self.heard <= FRESH:
            self._surplus.seen_elsewhere(step)
