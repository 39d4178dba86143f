"""All waiting: a port sleeps, waits and sends, for threads or for tasks.

Rule 1: the flow is one coroutine. `AsyncioPort` suspends it; `BlockingPort` never does, so that
        `run` can drive it with a single `send(None)`; anything that suspends there is a bug and
        raises.
Rule 2: waiting on a shared future never cancels it: the waiter goes, the flight goes on.
Rule 3: a cancelled task stops where it is, and the wire closes what its library left open of it.
        A task of its own for each send, shielded, would cost more than all the rest of the router.
Rule 4: what was not seen because nobody could look (`pulse`) is told by `lost`. An asyncio port
        counts for the loop that asks, a blocking one for the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from router.errors import ClosedError
from router.failover.verdict import SendFailure
from router.peek import apeek, peek
from router.pulse import pulse_of
from router.racing import Alarm, AsyncioRace, BlockingRace, bell_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    from router.call import Answer, Outgoing
    from router.flight import Flight
    from router.outcome import Outcome
    from router.pulse import Pulse
    from router.racing import Attempting, Bell, Spare
    from router.wires.choice import AsyncWires, Wires

__all__ = ["AsyncioPort", "BlockingPort", "Port", "run"]

T = TypeVar("T")


class Port(Protocol):
    """How the flow waits."""

    def now(self) -> float:
        """Return monotonic seconds."""
        ...

    def lost(self) -> float:
        """Return the seconds so far for which nobody could look at what came in."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    async def wait(self, future: Future[T], timeout: float | None) -> T:
        """Return the future's result; raise TimeoutError after `timeout` seconds."""
        ...

    async def send(self, flight: Flight) -> Answer:
        """Send one attempt, and note in it when its head came; raise SendFailure where none did."""
        ...

    async def peek(self, answer: Answer) -> str:
        """Return the beginning of the body as text, and leave the body whole."""
        ...

    async def read(self, answer: Answer) -> Answer:
        """Read the whole body, close, and return the answer in memory; raise SendFailure."""
        ...

    async def race(self, attempt: Attempting, spare: Spare) -> list[Outcome]:
        """Run an attempt, and a second one when it is late and `spare` pays for it.

        Returns the outcomes that count: one, or a bad one and the result.
        """
        ...

    def close(self) -> None:
        """Let go of what waiting needs."""
        ...

    async def keep(self, answer: Answer) -> Answer:
        """Close an answer and return a copy in memory, without a long or late body."""
        ...


class BlockingPort:
    """Waits by blocking the thread."""

    __slots__ = ("_alarm", "_wires", "lost")

    now = staticmethod(time.monotonic)

    def __init__(self, wires: Wires, *, lost: Callable[[], float] = lambda: 0.0) -> None:
        """`lost`: tells the seconds that this process lost."""
        self._wires = wires
        self._alarm = Alarm()
        self.lost = lost

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)  # noqa: ASYNC251 - this port is the one that blocks

    async def wait(self, future: Future[T], timeout: float | None) -> T:
        return future.result(timeout)

    async def send(self, flight: Flight) -> Answer:
        flight.lost = self.lost()
        try:
            return self._wires.send(flight.request)
        finally:
            flight.head_came(time.monotonic(), self.lost())

    async def peek(self, answer: Answer) -> str:
        return peek(answer)

    async def read(self, answer: Answer) -> Answer:
        return self._wires.read(answer)

    async def race(self, attempt: Attempting, spare: Spare) -> list[Outcome]:
        race = BlockingRace(attempt, spare, run=run, discard=self._discard, alarm=self._alarm)
        return await race.run()

    def stand_by(self, request: Outgoing) -> None:
        """Send what keeps a connection open, for itself."""
        with contextlib.suppress(SendFailure, ClosedError):
            self._wires.keep(self._wires.send(request))

    def close(self) -> None:
        """End the thread that races need."""
        self._alarm.close()

    def _discard(self, outcome: Outcome) -> None:
        answer, flight = outcome.answer, outcome.flight
        try:
            if answer is not None and answer.stream is not None:
                with contextlib.suppress(Exception):  # nobody wants it
                    answer.stream.close()
        finally:
            if flight is not None:
                flight.lease.give_back()

    async def keep(self, answer: Answer) -> Answer:
        return self._wires.keep(answer)


class AsyncioPort:
    """Waits by suspending the task."""

    __slots__ = ("_left_behind", "_of_loop", "_wires")

    now = staticmethod(time.monotonic)

    def __init__(self, wires: AsyncWires) -> None:
        self._wires = wires
        self._left_behind: set[asyncio.Task[Any]] = set()
        self._of_loop: tuple[weakref.ref[asyncio.AbstractEventLoop], Pulse, Bell] | None = None

    def _here(self) -> tuple[asyncio.AbstractEventLoop, Pulse, Bell]:
        """Return the running loop with its pulse and its bell; the last ones are at hand."""
        loop, known = asyncio.get_running_loop(), self._of_loop
        if known is None or known[0]() is not loop:
            known = self._of_loop = weakref.ref(loop), pulse_of(loop), bell_of(loop)
        return loop, known[1], known[2]

    def lost(self) -> float:
        return self._here()[1].lost(time.monotonic())

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def wait(self, future: Future[T], timeout: float | None) -> T:
        waiter = asyncio.wrap_future(future)
        waiter.add_done_callback(_retrieve)
        await asyncio.wait([waiter], timeout=timeout)
        if not waiter.done():
            raise TimeoutError
        return waiter.result()

    async def send(self, flight: Flight) -> Answer:
        loop, pulse, _ = self._here()
        flight.lost = pulse.begin(loop)
        try:
            return await self._wires.send(flight.request)
        finally:
            now = time.monotonic()
            flight.head_came(now, pulse.end(now))

    async def peek(self, answer: Answer) -> str:
        try:
            return await apeek(answer)
        except asyncio.CancelledError:
            self.sweep()
            raise

    def read(self, answer: Answer) -> Coroutine[Any, Any, Answer]:
        return self._wires.read(answer)

    def race(self, attempt: Attempting, spare: Spare) -> Coroutine[Any, Any, list[Outcome]]:
        race = AsyncioRace(
            attempt,
            spare,
            bell=self._here()[2],
            discard=self._discard,
            left_behind=self._left_behind,
        )
        return race.run()

    async def stand_by(self, request: Outgoing) -> None:
        """Send what keeps a connection open, for itself."""
        with contextlib.suppress(SendFailure, ClosedError):
            await self._wires.keep(await self._wires.send(request))

    def close(self) -> None:
        """Nothing is held: tasks end with their loop."""

    async def _discard(self, outcome: Outcome) -> None:
        answer, flight = outcome.answer, outcome.flight
        try:
            if answer is not None and answer.stream is not None:
                with contextlib.suppress(Exception):  # nobody wants it
                    await answer.stream.aclose()
        finally:
            if flight is not None:
                flight.lease.give_back()

    def sweep(self) -> None:
        """Tidy up after a task that was cancelled while it read or closed a body itself."""
        self._wires.sweep()

    async def end(self, stream: Any) -> None:
        """Close a body."""
        await self._wires.end(stream)

    async def keep(self, answer: Answer) -> Answer:
        return await self._wires.keep(answer)


def _retrieve(waiter: asyncio.Future[Any]) -> None:
    """Look at the outcome, so that a waiter nobody is left to read raises no alarm."""
    if not waiter.cancelled():
        waiter.exception()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Drive a coroutine whose port blocks.

    Raises:
        RuntimeError: it suspended, which a blocking port never does.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError("the flow suspended over a blocking port: this is a bug in region-router")
