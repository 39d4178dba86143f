"""What a ScriptedPort plays: the steps of a script, and two attempts beside each other.

Rule: the first attempt's end is known when it begins. So the second one runs from where the first
      one waits, as far as it comes by then, and the rest of it afterwards.
"""

from __future__ import annotations

import math
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.errors import RouterError
from router.failover.verdict import Phase, Verdict
from router.racing import Lead, Runner

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator, Sequence

    from router.call import Header, Timeouts
    from router.outcome import Outcome
    from router.racing import Attempting, Spare
    from router.testing.clock import FakeClock

__all__ = ["FAILURES", "Scripted", "ScriptedRace", "Step", "step_of"]

FAILURES: dict[str, tuple[Phase, str, Exception]] = {
    "refused": (Phase.NOT_SENT, "connection refused", ConnectionRefusedError()),
    "reset": (Phase.SENT, "reset by the server", ConnectionResetError()),
    "timeout": (Phase.SENT, "no answer in time", TimeoutError()),
    "stale": (Phase.SENT, "closed without an answer", ConnectionResetError()),
    "invalid": (Phase.LOCAL, "the request is not valid HTTP", ValueError()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """One step of a script.

    Attributes:
        status: of the answer.
        headers: of the answer.
        body: of the answer.
        failure: `refused`, `reset`, `timeout`, `stale` or `invalid`, in place of an answer.
        takes: seconds to the answer or the failure; None: as the port says.
        breaks: the body breaks off when it is read.
        executed: whether the server acts on the request.
    """

    status: int = 200
    headers: Sequence[Header] = ()
    body: bytes = b""
    failure: str | None = None
    takes: float | None = None
    breaks: bool = False
    executed: bool = True


Step = int | tuple[int, "list[Header]"] | tuple[int, "list[Header]", bytes] | str | Scripted


def step_of(step: Step) -> Scripted:
    """Return the step in full."""
    if isinstance(step, Scripted):
        return step
    if isinstance(step, str):
        return Scripted(failure=step, executed=step in {"reset", "timeout"})
    if isinstance(step, int):
        return Scripted(status=step)
    status, headers, *body = step
    return Scripted(status=status, headers=headers, body=body[0] if body else b"")


class OutrunError(BaseException):
    """Raised in an attempt where it waits: the other one was quicker."""


@types.coroutine
def _pause() -> Generator[None, None, None]:
    yield


class ScriptedRace:
    """Two attempts at one request."""

    def __init__(self, attempt: Attempting, spare: Spare, clock: FakeClock) -> None:
        self._attempt = attempt
        self._spare = spare
        self._clock = clock
        self._first = Lead(self._arm, self._disarm)
        self._second = Runner()
        self._late_at = math.inf
        self._until = math.inf
        self._other: Coroutine[Any, Any, Outcome] | None = None
        self._found: Outcome | None = None

    async def run(self) -> list[Outcome]:
        """Return the outcomes that count, the result last."""
        try:
            outcome = await self._attempt(self._first)
        except OutrunError:
            return [self._winner()]
        except RouterError:
            self._resume()
            if self._found is None:
                raise
            return [self._found]
        if outcome.verdict is Verdict.DELIVERED:
            self._drop()
            return [outcome]
        self._resume()
        return [outcome] if self._found is None else [outcome, self._found]

    async def pass_time(self, timeouts: Timeouts, until: float) -> None:
        """Let an attempt wait until then, or until the other one has won."""
        if timeouts is self._second.timeouts:
            if until > self._until:
                await _pause()
        elif timeouts is self._first.timeouts and self._late_at < until:
            self._clock.time = self._late_at
            self._until = until
            self._begin()
            if self._found is not None and self._found.verdict is Verdict.DELIVERED:
                self._first.end()
                raise OutrunError

    def _arm(self, seconds: float) -> None:
        self._late_at = self._clock() + seconds

    def _disarm(self) -> None:
        self._late_at = math.inf

    def _begin(self) -> None:
        permit = self._spare()
        if permit is not None:
            self._other = self._attempt(self._second, permit)
            self._resume()

    def _resume(self) -> None:
        """Run the second attempt, as far as it comes."""
        if self._other is None:
            return
        try:
            self._other.send(None)
        except StopIteration as stop:
            self._found, self._other = stop.value, None
        except RouterError:
            self._other = None

    def _winner(self) -> Outcome:
        assert self._found is not None
        return self._found

    def _drop(self) -> None:
        if self._found is not None and self._found.flight is not None:
            self._found.flight.lease.give_back()
        if self._other is not None:
            self._second.end()
            try:
                self._other.throw(OutrunError())
            except OutrunError:
                self._other = None
