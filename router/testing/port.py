"""A port without a network: answers come from a script, and time passes only by sleeping.

Rule 1: it never suspends, so `ports.run` drives the flow over it as over the blocking port.
Rule 2: a step that takes longer than its attempt may take ends with the attempt's time.
Rule 3: two attempts at one request run beside each other in the script's time (`script`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from router.call import Answer
from router.failover.verdict import SendFailure
from router.testing.clock import FakeClock
from router.testing.script import FAILURES, ScriptedRace, Step, step_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from router.call import Outgoing, Timeouts
    from router.flight import Flight
    from router.outcome import Outcome
    from router.racing import Attempting, Spare
    from router.testing.script import Scripted

__all__ = ["ScriptedPort"]

T = TypeVar("T")


class ScriptedPort:
    """Plays one step for each attempt, and keeps what was sent.

    A step is a status, a status with headers and perhaps a body, a failure (`refused`, `reset`,
    `timeout`, `stale` or `invalid`), or a `Scripted` that says more. A callable in place of the
    list decides by the request.

    Attributes:
        sent: every attempt's request.
        executed: those that the server acted on.
        slept: seconds of every wait between attempts.
    """

    def __init__(
        self,
        script: list[Step] | Callable[[Outgoing], Step],
        *,
        clock: FakeClock | None = None,
        takes: float = 0.01,
    ) -> None:
        """`takes`: seconds that an attempt lasts, where its step does not say."""
        self._script = script
        self._takes = takes
        self._race: ScriptedRace | None = None
        self._broken: list[Answer] = []
        self.clock = clock or FakeClock()
        self.sent: list[Outgoing] = []
        self.executed: list[Outgoing] = []
        self.slept: list[float] = []

    def now(self) -> float:
        return self.clock()

    def lost(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.slept.append(seconds)
            self.clock.advance(seconds)

    async def wait(self, future: Future[T], timeout: float | None) -> T:
        if not future.done() and timeout is not None:
            self.clock.advance(timeout)
        return future.result(0)

    async def send(self, flight: Flight) -> Answer:
        try:
            return await self._played(flight.request)
        finally:
            flight.head_came(self.clock(), self.lost())

    async def _played(self, request: Outgoing) -> Answer:
        request.headers = list(request.headers)  # this is where they leave
        self.sent.append(request)
        request.timeouts.get("write")
        step = self._next(request)
        if step.executed:
            self.executed.append(request)
        takes, limit = self._takes if step.takes is None else step.takes, self._limit(request)
        await self._pass_time(request.timeouts, self.clock() + min(takes, limit))
        if step.failure is not None or takes > limit:
            failure = step.failure or "timeout"
            late = takes > limit or failure == "timeout"
            raise SendFailure(*FAILURES[failure], timed_out=late, stale=failure == "stale")
        answer = Answer(step.status, list(step.headers), None, {}, step.body)
        if step.breaks:
            self._broken.append(answer)
        return answer

    def _next(self, request: Outgoing) -> Scripted:
        script = self._script
        return step_of(script.pop(0) if isinstance(script, list) else script(request))

    @staticmethod
    def _limit(request: Outgoing) -> float:
        return float(request.timeouts.get("read"))

    async def _pass_time(self, timeouts: Timeouts, until: float) -> None:
        if self._race is not None:
            await self._race.pass_time(timeouts, until)
        self.clock.time = max(self.clock.time, until)

    async def peek(self, answer: Answer) -> str:
        return (answer.content or b"").decode()

    async def read(self, answer: Answer) -> Answer:
        if any(answer is broken for broken in self._broken):
            raise SendFailure(*FAILURES["reset"])
        return answer

    async def race(self, attempt: Attempting, spare: Spare) -> list[Outcome]:
        self._race = ScriptedRace(attempt, spare, self.clock)
        try:
            return await self._race.run()
        finally:
            self._race = None

    def close(self) -> None:
        pass

    async def keep(self, answer: Answer) -> Answer:
        return answer
