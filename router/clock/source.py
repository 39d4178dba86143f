"""An NTP server: what it said, what is thought of it, and when it may be asked again.

Rule 1: its best sample is the one with the least bound now; a new sample that contradicts older
        ones of the same server ends them.
Rule 2: its kiss code is obeyed: RATE doubles its interval, DENY and RSTR end it.
Rule 3: only the loop that asks writes here; any thread may read, so what it reads is replaced and
        not changed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from router.clock.report import SourceReport
from router.clock.schedule import FLOOR
from router.clock.select import meet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from router.clock.exchange import Answer
    from router.clock.host import Hands
    from router.clock.ntp import Sample
    from router.clock.report import Verdict
    from router.clock.select import Selection

__all__ = ["Source", "accuse", "judge"]

LONGEST_REST = 36 * 3600.0
KEPT = 8
FINAL = {"DENY", "RSTR"}


class Source:
    """A configured server and its last samples."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.samples: tuple[Sample, ...] = ()
        self.dropped = False
        self.asked = -math.inf
        self.interval = 0.0
        self.spacing = 0.0
        self._opinion: tuple[Verdict, str] = ("waiting", "")

    @property
    def due(self) -> float:
        """Boot time before which the server is left alone."""
        return self.asked + self.spacing

    def ask(self, now: float) -> None:
        """Note that the server is asked at boot time `now`."""
        self.interval = now - self.asked if math.isfinite(self.asked) else 0.0
        self.asked = now

    def hear(self, answer: Answer) -> None:
        """Keep a sample, and of the older ones those that it does not contradict; obey a kiss."""
        if answer.sample:
            self._keep(answer.sample)
        elif answer.kiss == "RATE":
            self._rest()
        elif answer.kiss in FINAL:
            self.dropped = True
            self.judge("dropped", answer.reason)
            self.samples = ()
        if not self.dropped and not self.samples:
            self.judge("rejected", answer.reason)

    def _keep(self, sample: Sample) -> None:
        now, said = sample.taken, sample.interval(sample.taken)
        agreeing = [old for old in self.samples if meet(old.interval(now), said)]
        self.samples = (*agreeing[1 - KEPT :], sample)

    def _rest(self) -> None:
        """Double the interval at which the server is asked."""
        self.spacing = min(2 * max(FLOOR, self.spacing, self.interval), LONGEST_REST)

    def forget(self, before: float) -> None:
        """Drop the samples that were taken before that boot time."""
        self.samples = tuple(sample for sample in self.samples if sample.taken >= before)

    def best(self, now: float) -> Sample | None:
        """Return the sample with the least bound at boot time `now`."""
        return min(self.samples, key=lambda sample: sample.bound(now), default=None)

    def judge(self, verdict: Verdict, reason: str = "") -> None:
        """Note what the last round made of the server."""
        self._opinion = (verdict, reason)

    def report(self, hands: Hands) -> SourceReport:
        """Return what is known at this reading of the host's clocks."""
        verdict, reason = self._opinion
        best = self.best(hands.boot)
        if best is None:
            return SourceReport(self.server, verdict, reason)
        return SourceReport(
            self.server,
            verdict,
            reason,
            offset=best.theta + hands.boot - hands.wall,
            delay=best.delta,
            bound=best.bound(hands.boot),
            stratum=best.stratum,
            age=hands.boot - best.taken,
        )


def judge(
    sources: Iterable[Source], selection: Selection | None, answers: Iterable[Answer], now: float
) -> None:
    """Note of each source what a round makes of it; None: the round brought no majority."""
    silent = {answer.server: answer.reason for answer in answers if not answer.sample}
    for source in sources:
        name, best = source.server, source.best(now)
        if best is None:
            continue
        reason = f"last asked: {silent[name]}" if name in silent else ""
        if selection is None:
            source.judge("rejected", reason or "there is no majority that it belongs to")
        elif name in selection.used:
            source.judge("used", reason)
        else:
            source.judge("falseticker", _apart(best.theta - selection.theta))


def _apart(ahead: float) -> str:
    return f"its clock is {abs(ahead):.3f} s {'ahead of' if ahead > 0 else 'behind'} the majority"


def accuse(sources: Mapping[str, Source], selection: Selection, vouchers: list[str]) -> None:
    """Mark a majority that moved away from those who vouch for the time before."""
    reason = f"it has moved from the time of {' and '.join(vouchers)}"
    for name in selection.used:
        sources[name].judge("rejected", reason)
    for name in vouchers:
        sources[name].judge("used", "it still says what the majority said before")
