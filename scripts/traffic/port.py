"""The port of the simulated world: it waits in virtual time, and sends to simulated servers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from router.call import Answer
from router.failover.verdict import Phase, SendFailure, Verdict
from router.racing import Lead, Runner

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from router.call import Outgoing, Timeouts
    from router.flight import Flight
    from router.outcome import Outcome
    from router.racing import Attempting, Spare
    from traffic.engine import Engine
    from traffic.world import World

__all__ = ["NO_ANSWER", "REFUSED", "Port"]

NO_ANSWER = "no answer in time"
REFUSED = "connection refused"


class Port:
    """What `flow.route` waits and sends by, for one client."""

    def __init__(self, world: World, client: int) -> None:
        self._world = world
        self._client = client
        self._races: dict[Timeouts, Race] = {}

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._world.now()

    def lost(self) -> float:
        """Return 0: somebody looks at all times."""
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        if seconds > 0:
            await self._world.engine.sleep(seconds)

    async def wait(self, *_: Any) -> Any:
        """Refuse: nothing here waits for a token or a permit."""
        raise NotImplementedError

    async def send(self, flight: Flight) -> Answer:
        """Return the answer when it is there."""
        try:
            return await self._answered(flight.request)
        finally:
            flight.head_came(self.now(), self.lost())

    async def _answered(self, request: Outgoing) -> Answer:
        request.timeouts.get("write")  # this is where it leaves
        engine, limit = self._world.engine, request.timeouts.get("read")
        work = request.extensions["work"]
        fate = self._world.sent(request.endpoint.name, work, client=self._client)
        in_time = fate.at - engine.now <= limit
        await self._until(fate.at if in_time else engine.now + limit, request.timeouts)
        if not in_time:
            raise SendFailure(Phase.SENT, NO_ANSWER, TimeoutError(), timed_out=True)
        if fate.status is None:
            raise SendFailure(Phase.NOT_SENT, REFUSED, ConnectionRefusedError())
        return Answer(fate.status, [], None, {}, b"")

    async def _until(self, moment: float, timeouts: Timeouts) -> None:
        """Sleep until then; if the request is late, let a second attempt run meanwhile."""
        engine, race = self._world.engine, self._races.pop(timeouts, None)
        if race is not None and race.late_at < moment:
            await engine.sleep(race.late_at - engine.now)
            await race.second_until(moment)
        await engine.sleep(moment - engine.now)

    async def read(self, answer: Answer) -> Answer:
        """Return it: bodies take no time here."""
        return answer

    async def race(self, attempt: Attempting, spare: Spare) -> list[Outcome]:
        """Run an attempt, and a second one in its own time when it is late."""
        race = Race(attempt, spare, self._world.engine)
        race.first = Lead(lambda seconds: self._arm(race, seconds))
        try:
            outcome = await attempt(race.first)
        except OutrunError:
            return [race.found()]
        if not race.runs or outcome.verdict is Verdict.DELIVERED:
            race.drop()
            return [outcome]
        await race.second_until(math.inf)
        return [outcome, race.found()]

    def _arm(self, race: Race, seconds: float) -> None:
        assert race.first.timeouts is not None
        race.late_at = self._world.engine.now + seconds
        self._races[race.first.timeouts] = race

    def close(self) -> None:
        """Nothing is held."""

    async def peek(self, _: Answer) -> str:
        """Refuse: no answer is about the time."""
        raise NotImplementedError

    async def keep(self, answer: Answer) -> Answer:
        """Return the answer, which holds nothing."""
        return answer


class OutrunError(BaseException):
    """The second attempt was quicker; raised where the first one waits."""


class Race:
    """Two attempts; the second is driven from where the first one sleeps."""

    first: Runner

    def __init__(self, attempt: Attempting, spare: Spare, engine: Engine) -> None:
        self._attempt = attempt
        self._spare = spare
        self._engine = engine
        self._other: Coroutine[Any, Any, Outcome] | None = None
        self._wakes = -math.inf
        self._outcome: Outcome | None = None
        self._second = Runner()
        self.late_at = math.inf

    @property
    def runs(self) -> bool:
        """Whether the second attempt began and has not ended."""
        return self._other is not None

    async def second_until(self, moment: float) -> None:
        """Let the second attempt run until then; raise OutrunError if it ends well before."""
        if self._outcome is None and self._other is None:
            permit = self._spare()
            if permit is None:
                return
            self._other = self._attempt(self._second, permit)
        while self._other is not None and self._wakes < moment:
            await self._engine.sleep(self._wakes - self._engine.now)
            self._step(self._other)
        good = self._outcome is not None and self._outcome.verdict is Verdict.DELIVERED
        if good and moment < math.inf:
            self.first.outrun = True
            raise OutrunError

    def _step(self, other: Coroutine[Any, Any, Outcome]) -> None:
        try:
            self._wakes = other.send(None)
        except StopIteration as stop:
            self._outcome, self._other = stop.value, None

    def found(self) -> Outcome:
        """Return what the second attempt brought."""
        assert self._outcome is not None
        return self._outcome

    def drop(self) -> None:
        """End the second attempt."""
        if self._other is not None:
            self._second.outrun = True
            self._other.close()
            self._other = None
