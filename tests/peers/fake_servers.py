"""NTP servers without a network, on a FakeTime: for what is about the loop alone."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from fake_time import FakeTime

from router.clock import Clock
from router.clock.exchange import Answer
from router.clock.ntp import Sample
from router.clock.sync import Synchroniser
from router.config.settings import ClockSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["FakeServers", "World"]


class FakeServers:
    """Stands in for `query_all`.

    Attributes:
        ahead: by how many seconds each server's clock is ahead of `utc`; None: it is silent.
        utc: how far UTC is ahead of boot time.
        rounds: the boot times at which somebody asked.
        during: is called while the servers are being asked.
        heard_each: is called after each answer.
    """

    def __init__(self, time: FakeTime, names: str = "abcde") -> None:
        self.ahead: dict[str, float | None] = dict.fromkeys(names, 0.0)
        self.utc = time.wall - time.boot
        self.rounds: list[float] = []
        self.during: Callable[[], None] = lambda: None
        self.heard_each: Callable[[], None] = lambda: None
        self._time = time

    def all_jump(self, seconds: float) -> None:
        """Let UTC move against boot time, as when a virtual machine was paused unnoticed."""
        self.utc += seconds

    async def __call__(
        self, servers: Iterable[str], *, heard: Callable[[Answer], None], **_: object
    ) -> list[Answer]:
        self.rounds.append(self._time.boot)
        asked = list(servers)
        self.during()
        answers = {name: self._answer(name) for name in asked}
        for answer in answers.values():
            heard(answer)
            self.heard_each()
        return [answers[name] for name in asked]

    def _answer(self, name: str) -> Answer:
        ahead = self.ahead[name]
        if ahead is None:
            return Answer(name, reason="no valid reply in time")
        theta, taken = self.utc + ahead, self._time.boot
        return Answer(name, Sample(theta, delta=0.02, epsilon=0.002, taken=taken, stratum=2))


class Middle(Random):
    """Chance without jitter: the middle of every range."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


class World:
    """A host, its five servers, and what keeps its clock.

    A sleep of up to `longest` seconds passes at once; a longer one lasts until it is ended.
    """

    def __init__(self, *, longest: float = 64.0, names: str = "abcde") -> None:
        self.time = FakeTime()
        self.servers = FakeServers(self.time, names)
        host = self.time.host()
        self.clock = Clock(host=host)
        self.slept: list[float] = []
        self._longest = longest
        self.synchroniser = Synchroniser(
            ClockSettings(servers=tuple(names)),
            self.clock,
            random=Middle(),
            host=host,
            sleep=self.sleep,
            ask=self.servers,
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if seconds > self._longest:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        self.time.pass_by(seconds)

    def once(self) -> bool:
        return asyncio.run(self.synchroniser.once())

    def error(self) -> float:
        """Return by how many seconds the clock is off."""
        return self.clock.now().ns / 1e9 - (self.servers.utc + self.time.boot)

    def bound(self) -> float:
        return self.clock.now().bound_ns / 1e9

    def verdicts(self) -> list[str]:
        return [report.verdict for report in self.synchroniser.report()]

    def rounds_after(self, *steps: Callable[[], object], rounds: int) -> list[float]:
        """Run the loop, take each step once the loop rests, and return when rounds began."""

        async def story() -> None:
            running = asyncio.create_task(self.synchroniser.run())
            for step in steps:
                await settled()
                await asyncio.to_thread(step)
            await settled()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        async def settled() -> None:
            for _ in range(1000):
                await asyncio.sleep(0)

        asyncio.run(story())
        assert len(self.servers.rounds) == rounds
        return self.servers.rounds
