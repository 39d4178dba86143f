"""A port without a network: answers come from a script, and time passes only by sleeping.

Rule: it never suspends, so `ports.run` drives the flow over it as over the blocking port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from router.call import Answer
from router.failover.verdict import Phase, SendFailure
from router.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from router.call import Header, Outgoing
    from router.lease import Lease

__all__ = ["ScriptedPort"]

T = TypeVar("T")

Step = int | tuple[int, "list[Header]"] | tuple[int, "list[Header]", bytes] | str


class ScriptedPort:
    """Plays one step for each attempt, and keeps what was sent.

    A step is a status, a status with headers and perhaps a body, or a failure: `refused`, `reset`
    or `invalid`. A callable in place of the list decides by the request.
    """

    def __init__(
        self,
        script: list[Step] | Callable[[Outgoing], Step],
        *,
        clock: FakeClock | None = None,
        takes: float = 0.01,
    ) -> None:
        """`takes`: seconds that each attempt lasts."""
        self._script = script
        self._takes = takes
        self.clock = clock or FakeClock()
        self.sent: list[Outgoing] = []
        self.slept: list[float] = []

    def now(self) -> float:
        return self.clock()

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.slept.append(seconds)
            self.clock.advance(seconds)

    async def wait(self, future: Future[T], timeout: float | None) -> T:
        if not future.done() and timeout is not None:
            self.clock.advance(timeout)
        return future.result(0)

    async def send(self, request: Outgoing, lease: Lease) -> Answer:  # noqa: ARG002
        request.headers = list(request.headers)  # this is where they leave
        self.sent.append(request)
        request.timeouts.get("write")
        self.clock.advance(self._takes)
        step = self._script.pop(0) if isinstance(self._script, list) else self._script(request)
        if isinstance(step, str):
            raise SendFailure(*FAILURES[step])
        status, headers, *body = step if isinstance(step, tuple) else (step, [])
        return Answer(status, headers, None, {}, *body or [b""])

    async def peek(self, answer: Answer) -> str:
        return (answer.content or b"").decode()

    async def keep(self, answer: Answer) -> Answer:
        return answer


FAILURES = {
    "refused": (Phase.NOT_SENT, "connection refused", ConnectionRefusedError()),
    "reset": (Phase.SENT, "reset by the server", ConnectionResetError()),
    "invalid": (Phase.LOCAL, "the request is not valid HTTP", ValueError()),
}
