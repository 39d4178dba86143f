"""The loop that asks the servers and keeps the clock right.

Rule 1: the first round starts at once, and the clock is published as soon as a majority agrees: a
        dead server does not delay the first request.
Rule 2: whoever suspects the time calls `nudge`, from any thread: a round follows at once, or after
        the one under way, and what the servers said before counts no longer. A round looks at the
        host's clocks before it begins, and answers the suspicion that comes of it itself.
Rule 3: if the servers that we believed have moved, it was this host that moved (a silent pause of
        a virtual machine), and the majority is followed. If half as many as it has still vouch for
        the old time, a majority of liars is as likely: the clock is told, and that round has
        failed. Fewer do not count: a few broken servers must not hold the clock back for ever.
Rule 4: nothing of an event loop outlives `run`, so that a forked child may run it on its own.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from typing import TYPE_CHECKING

from router.clock.bell import Bell
from router.clock.exchange import TIMEOUT, Answer, query_all
from router.clock.host import THIS_HOST, Host
from router.clock.schedule import Spacing, poll_wait
from router.clock.select import Selection, meet, select
from router.clock.source import Source, accuse, judge
from router.forks import register

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from random import Random

    from router.clock.clock import Clock
    from router.clock.host import Hands
    from router.clock.report import SourceReport
    from router.config.settings import ClockSettings

__all__ = ["Synchroniser"]

NS = 1e9
log = logging.getLogger("router.clock")


class Synchroniser:
    """Keeps a `Clock` right from the background event loop; the only one that gives it NTP's time.

    Args:
        settings: the servers, and the error that the user allows.
        clock: what is kept right.
        random: the jitter of the schedule.
        host: the clocks of this machine, the same as the `clock`'s.
        entropy: the random bits of requests.
        sleep: what waits between rounds.
        timeout: seconds one server may take.
        ask: what asks the servers, as `query_all` does.
    """

    def __init__(
        self,
        settings: ClockSettings,
        clock: Clock,
        *,
        random: Random,
        host: Host = THIS_HOST,
        entropy: Callable[[int], bytes] = os.urandom,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeout: float = TIMEOUT,
        ask: Callable[..., Awaitable[list[Answer]]] = query_all,
    ) -> None:
        self._clock = clock
        self._target = settings.max_error
        self._random = random
        self._host = host
        self._entropy = entropy
        self._sleep = sleep
        self._timeout = timeout
        self._ask = ask
        self._sources = {name: Source(name) for name in settings.servers}
        self._failures = 0
        self._believed: tuple[str, ...] = ()
        self._suspected = -math.inf
        self._suspicions = self._allayed = 0
        self._spacing = Spacing()
        self._bell: Bell | None = None
        clock.on_disturbance(self.nudge)
        register(self)

    def reset_after_fork(self) -> None:
        """Forget the parent's loop; the child runs this on its own."""
        self._bell = None

    def nudge(self) -> None:
        """Have the servers asked at once, because what they said may no longer hold."""
        self._suspected = self._host.boottime()
        self._suspicions += 1
        bell = self._bell
        if bell is not None:
            bell.ring()

    def report(self) -> list[SourceReport]:
        """Return what is known of each configured server, in their order."""
        hands = self._host.hands()
        return [source.report(hands) for source in self._sources.values()]

    # -- the loop

    async def run(self) -> None:
        """Synchronise for ever; return only if no server is left to ask."""
        self._bell = Bell()
        try:
            while self._asking():
                await self.once()
                if self._asking():
                    await self._rest()
        finally:
            self._bell = None
        self._clock.settle()

    async def _rest(self) -> None:
        """Wait for the time of the next round, or for the first at which a nudge may have one."""
        assert self._bell is not None
        wait = self._wait()
        planned = self._host.boottime() + wait
        if not await self._bell.rings_during(self._sleep, wait):
            return
        now = self._host.boottime()
        start = max(min(now + self._spacing.wait(now), planned), self._due())
        if start > now:
            await self._sleep(start - now)
        self._spacing.note(self._host.boottime())

    def _wait(self) -> float:
        now = self._host.boottime()
        wait = poll_wait(
            bound=self._clock.bound(now) if self._suspicions == self._allayed else math.inf,
            target=self._target,
            failures=self._failures,
            random=self._random,
        )
        return max(wait, self._due() - now)

    def _due(self) -> float:
        """Return the boot time at which the first server may be asked."""
        return min((source.due for source in self._asking()), default=-math.inf)

    def _asking(self) -> list[Source]:
        return [source for source in self._sources.values() if not source.dropped]

    # -- one round

    async def once(self) -> bool:
        """Ask the servers that are not resting; return whether a majority was believed."""
        since = self._clock.begin()  # first: it may nudge, and this round is the answer to that
        if self._bell is not None:
            self._bell.silence()
        now, suspicions = self._host.boottime(), self._suspicions
        due = [source for source in self._asking() if source.due <= now]
        for source in self._asking():
            source.forget(self._suspected)
        for source in due:
            source.ask(now)
        answers = await self._ask(
            [source.server for source in due],
            near=self._host.wall_ns() / NS,
            heard=lambda answer: self._hear(answer, since),
            timeout=self._timeout,
            boottime=self._host.boottime,
            entropy=self._entropy,
        )
        believed = self._publish(answers, since)
        if believed:
            self._allayed = suspicions
        self._clock.settle()
        return believed

    def _hear(self, answer: Answer, since: Hands) -> None:
        """Remember one answer; a first majority is published without waiting for the rest."""
        source = self._sources[answer.server]
        source.hear(answer)
        if source.dropped:
            log.warning("NTP server %s: %s; it is not asked again", answer.server, answer.reason)
        if self._clock.settled or not (selection := self._select()):
            return
        old = self._clock.ntp_interval(selection.taken)
        if old is None or meet(selection.interval, old):
            self._clock.update(selection, selection.taken, since=since)
            self._believed = selection.used

    def _select(self) -> Selection | None:
        now = self._host.boottime()
        best = {source.server: source.best(now) for source in self._asking()}
        samples = {name: sample for name, sample in best.items() if sample}
        return select(samples, len(self._sources), now)

    def _publish(self, answers: list[Answer], since: Hands) -> bool:
        """Publish what a majority with at least one fresh sample says, or hold what was known."""
        selection = self._select()
        fresh = {answer.server for answer in answers if answer.sample}
        if selection is None or fresh.isdisjoint(selection.used):
            judge(self._asking(), None, answers, since.boot)
            self._clock.hold()
            return self._fail(f"no majority of NTP servers agrees: {_reasons(answers)}")
        vouchers = self._vouchers(selection, answers)
        judge(self._asking(), selection, answers, since.boot)
        vouched = 2 * len(vouchers) >= len(selection.used)
        if not self._clock.update(selection, selection.taken, since=since, vouched=vouched):
            accuse(self._sources, selection, vouchers)
            return self._fail()
        if self._failures:
            log.info("the NTP servers agree again: %s", ", ".join(selection.used))
        self._failures = 0
        self._believed = selection.used
        return True

    def _fail(self, words: str = "") -> bool:
        self._failures += 1
        if words and self._failures == 1:
            log.warning(words)
        return False

    def _vouchers(self, selection: Selection, answers: Iterable[Answer]) -> list[str]:
        """Return who was believed, contradicts the majority, and now says what it said before."""
        now = selection.taken
        old = self._clock.ntp_interval(now)
        if old is None:
            return []
        standing = set(self._believed) & set(selection.falsetickers)
        said = {answer.server: answer.sample for answer in answers if answer.server in standing}
        return [name for name, sample in said.items() if sample and meet(sample.interval(now), old)]


def _reasons(answers: Iterable[Answer]) -> str:
    return "; ".join(f"{answer.server}: {answer.reason or 'answered'}" for answer in answers)
