"""The port of the simulated world: it waits in virtual time, and sends to simulated servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.call import Answer
from router.failover.verdict import Phase, SendFailure

if TYPE_CHECKING:
    from router.call import Outgoing
    from router.lease import Lease
    from traffic.world import World

__all__ = ["NO_ANSWER", "REFUSED", "Port"]

NO_ANSWER = "no answer in time"
REFUSED = "connection refused"


class Port:
    """What `flow.route` waits and sends by, for one client."""

    def __init__(self, world: World, client: int) -> None:
        self._world = world
        self._client = client

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._world.now()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        if seconds > 0:
            await self._world.engine.sleep(seconds)

    async def wait(self, *_: Any) -> Any:
        """Refuse: nothing here waits for a token or a permit."""
        raise NotImplementedError

    async def send(self, request: Outgoing, lease: Lease) -> Answer:  # noqa: ARG002
        """Return the answer when it is there."""
        request.timeouts.get("write")  # this is where it leaves
        engine, limit = self._world.engine, request.timeouts.get("read")
        work = request.extensions["work"]
        fate = self._world.sent(request.endpoint.name, work, client=self._client)
        if fate.at - engine.now > limit:
            await engine.sleep(limit)
            raise SendFailure(Phase.SENT, NO_ANSWER, TimeoutError(), timed_out=True)
        await engine.sleep(fate.at - engine.now)
        if fate.status is None:
            raise SendFailure(Phase.NOT_SENT, REFUSED, ConnectionRefusedError())
        return Answer(fate.status, [], None, {}, b"")

    async def peek(self, _: Answer) -> str:
        """Refuse: no answer is about the time."""
        raise NotImplementedError

    async def keep(self, answer: Answer) -> Answer:
        """Return the answer, which holds nothing."""
        return answer
