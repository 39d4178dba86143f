"""Two attempts at one request, the second begun when the answer of the first is late.

    for outcome in await port.race(first, spare): …     # the last one is the result

Rule 1: the first good outcome wins. A bad one does not win while the other attempt runs.
Rule 2: whoever has lost is ended at once and gives back what it held: a task is cancelled, a
        thread's socket is shut (`Timeouts.abandon`). One that had finished has its answer closed.
Rule 3: the first attempt runs where its caller waits, with no task and no thread of its own; a
        timer is armed when its request leaves. Only when that rings is a second one made.
Rule 4: threads for second attempts are bounded; where none is free, there is no second attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import heapq
import itertools
import threading
import time
from typing import TYPE_CHECKING, Protocol

from router.errors import RouterError
from router.failover.verdict import Verdict
from router.forks import register

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from router.bell import Bell, Ring
    from router.call import Timeouts
    from router.limits.permit import Permit
    from router.outcome import Outcome

    Spare = Callable[[], Permit | None]
    """Pays for a second attempt and returns its permit; None: there is to be none."""

__all__ = ["Alarm", "AsyncioRace", "Attempting", "BlockingRace", "Lead", "Runner"]

MOST_THREADS = 32
LINGERS = 5.0
"""Seconds that the alarm's thread waits for work."""


def nothing() -> None:
    """Do nothing."""


class Attempting(Protocol):
    """Makes an attempt's coroutine."""

    def __call__(
        self, runner: Runner, permit: Permit | None = None
    ) -> Coroutine[Any, Any, Outcome]:
        """`permit` was taken for it already."""
        ...


class Runner:
    """One attempt's part in a race; as it is here, that of the second one.

    Attributes:
        leads: whether it is the first.
        outrun: whether the other attempt was quicker.
        timeouts: what ends it.
        gone: notes that it was given up; it may go on for a while.
    """

    __slots__ = ("gone", "outrun", "timeouts")

    leads = False

    def __init__(self) -> None:
        self.outrun = False
        self.timeouts: Timeouts | None = None
        self.gone: Callable[[], None] = nothing

    def left(self, late_after: float | None) -> None:
        """Note that the request left; its answer is late after so many seconds."""

    def head_came(self) -> None:
        """Note that the head of the answer is there: it is not late, however long its body is."""

    def take_off(self, timeouts: Timeouts, gone: Callable[[], None]) -> None:
        """Take what ends the attempt, and what notes that; it may have been ended meanwhile."""
        self.timeouts, self.gone = timeouts, gone
        if self.outrun:
            timeouts.abandon()

    def through(self) -> None:
        """Forget the attempt: it has an outcome, whose lease has to go with its last holder."""
        self.gone = nothing

    def end(self) -> None:
        """End the attempt: the other one was quicker."""
        self.outrun = True
        if self.timeouts is not None:
            self.timeouts.abandon()


class Lead(Runner):
    """The part of the first attempt: it has a timer."""

    __slots__ = ("_came", "_late")

    leads = True

    def __init__(self, late: Callable[[float], None], came: Callable[[], None] = nothing) -> None:
        """`late` arms the timer, `came` disarms it."""
        super().__init__()
        self._late = late
        self._came = came

    def left(self, late_after: float | None) -> None:
        if late_after is not None:
            self._late(late_after)

    def head_came(self) -> None:
        self._came()


def is_good(outcome: Outcome) -> bool:
    """Return whether an outcome ends a race."""
    return outcome.verdict is Verdict.DELIVERED


def _tried(outcome: Outcome | None) -> Outcome | None:
    """Return the outcome of a second attempt, unless it found nobody to ask."""
    return None if outcome is None or outcome.verdict is Verdict.COOLING else outcome


class AsyncioRace(Runner):
    """Runs the first attempt in the caller's task, and the second in one of its own.

    It is the first one's part as well: one object for each request, where most need no other.
    """

    __slots__ = (
        "_attempt",
        "_bell",
        "_cancelling",
        "_discard",
        "_left_behind",
        "_loop",
        "_other",
        "_ring",
        "_running",
        "_second",
        "_spare",
        "_task",
        "_unused",
        "_won",
    )

    leads = True

    def __init__(
        self,
        attempt: Attempting,
        spare: Spare,
        *,
        bell: Bell,
        discard: Callable[[Outcome], Coroutine[Any, Any, None]],
        left_behind: set[asyncio.Task[Any]],
    ) -> None:
        """Take both attempts.

        Args:
            attempt: makes the coroutine of an attempt.
            spare: pays for the second one, or returns None.
            bell: rings when the first one is late.
            discard: closes an answer that nobody wants.
            left_behind: keeps what ends by itself.
        """
        super().__init__()
        self._attempt = attempt
        self._spare = spare
        self._bell = bell
        self._discard = discard
        self._left_behind = left_behind
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(self._loop)
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._ring: Ring | None = None
        self._other: asyncio.Task[Outcome] | None = None
        self._unused: Permit | None = None
        self._second: Runner | None = None
        self._running = True
        self._won = False

    async def run(self) -> list[Outcome]:
        """Return the outcomes that count, the result last."""
        try:
            try:
                outcome = await self._attempt(self)
            finally:  # from here on no second one begins, and none ends the first
                self._running = False
                self.head_came()
        except (Exception, asyncio.CancelledError) as error:
            if self._has_lost():
                return [self._result()]
            found = await self._the_other() if isinstance(error, RouterError) else None
            if found is not None:
                return [found]
            self._drop()
            raise
        except BaseException:
            self._drop()
            raise
        if self._other is None:
            return [outcome]
        if self._has_lost():
            self._leave_behind(self._discard(outcome))
            return [self._result()]
        return await self._after(outcome)

    def _has_lost(self) -> bool:
        """Return whether the first attempt was ended for the second one, and for nothing else."""
        return self._won and self._task.uncancel() <= self._cancelling

    async def _after(self, outcome: Outcome) -> list[Outcome]:
        if is_good(outcome):
            self._drop()
            return [outcome]
        try:
            found = await self._the_other()
        except BaseException:
            self._drop()
            self._leave_behind(self._discard(outcome))
            raise
        return [outcome] if found is None else [outcome, found]

    async def _the_other(self) -> Outcome | None:
        """Return what the second attempt brings, or None if it brings nothing."""
        if self._other is None:
            return None
        try:
            return _tried(await self._other)
        except RouterError:
            return None

    def left(self, late_after: float | None) -> None:
        self.head_came()
        if late_after is not None:
            self._ring = self._bell.set(self._loop, late_after, self._begin)

    def head_came(self) -> None:
        ring, self._ring = self._ring, None
        if ring is not None:
            ring.call = ring.context = None  # as `call_off` does, without the call

    def _begin(self) -> None:
        """Begin the second attempt."""
        permit = self._unused = self._spare() if self._running else None
        if permit is not None:
            self._other = self._loop.create_task(self._follow(permit))
            self._other.add_done_callback(self._over)

    async def _follow(self, permit: Permit) -> Outcome:
        self._unused = None
        self._second = Runner()
        return await self._attempt(self._second, permit)

    def _over(self, other: asyncio.Task[Outcome]) -> None:
        """End the first attempt, if the second one is good."""
        if self._unused is not None:  # it was cancelled before its first step
            self._unused.cancel(self._loop.time())
            self._unused.give_back()
        if other.cancelled() or other.exception() is not None or not self._running:
            return
        if is_good(other.result()):
            self._won = True
            self.end()
            self._task.cancel()

    def _result(self) -> Outcome:
        assert self._other is not None
        return self._other.result()

    def _drop(self) -> None:
        """End the second attempt, whatever it is at."""
        other = self._other
        if other is None:
            return
        second = self._second
        if second is not None:
            second.outrun = True
        if other.cancel():
            if second is not None:
                second.gone()
            self._keep_alive(other)
        elif not other.cancelled() and other.exception() is None:
            self._leave_behind(self._discard(other.result()))

    def _leave_behind(self, closing: Coroutine[Any, Any, None]) -> None:
        """Let something end by itself."""
        self._keep_alive(self._loop.create_task(closing))

    def _keep_alive(self, task: asyncio.Task[Any]) -> None:
        self._left_behind.add(task)
        task.add_done_callback(self._left_behind.discard)


class BlockingRace:
    """Runs the first attempt in the caller's thread, and the second in one of its own."""

    def __init__(
        self,
        attempt: Attempting,
        spare: Spare,
        *,
        run: Callable[[Coroutine[Any, Any, Outcome]], Outcome],
        discard: Callable[[Outcome], None],
        alarm: Alarm,
    ) -> None:
        """Take both attempts; `run` drives one, `discard` closes an answer that nobody wants."""
        self._attempt = attempt
        self._spare = spare
        self._run = run
        self._discard = discard
        self._alarm = alarm
        self._first = Lead(self._arm, self._end_timer)
        self._second = Runner()
        self._lock = threading.Lock()
        self._context: contextvars.Context | None = None
        self._ring: list[Any] | None = None
        self._running = True
        self._begun = False
        self._ended: threading.Event | None = None
        self._over = False
        self._found: Outcome | None = None

    async def run(self) -> list[Outcome]:
        """Return the outcomes that count, the result last."""
        try:
            outcome = await self._attempt(self._first)
        except RouterError:
            found = self._the_other() if self._stop() else None
            if found is None:
                raise
            return [found]
        except BaseException:
            self._stop()
            self._leave()
            raise
        return self._after(outcome) if self._stop() else [outcome]

    def _stop(self) -> bool:
        """Let no second attempt begin from now on; return whether one has begun."""
        self._end_timer()
        with self._lock:  # the alarm may be ringing already
            self._running = False
            return self._begun

    def _after(self, outcome: Outcome) -> list[Outcome]:
        with self._lock:
            won = self._first.outrun
            self._over = is_good(outcome) and not won
        if won:
            self._discard(outcome)
            assert self._found is not None
            return [self._found]
        if self._over:
            self._leave()
            return [outcome]
        try:
            found = self._the_other()
        except BaseException:
            self._discard(outcome)
            raise
        return [outcome] if found is None else [outcome, found]

    def _the_other(self) -> Outcome | None:
        """Return what the second attempt brings, or None if it brings nothing."""
        assert self._ended is not None, "there is another one"
        try:
            self._ended.wait()
        except BaseException:
            self._leave()
            raise
        return _tried(self._found)

    def _leave(self) -> None:
        """Let the second attempt end by itself; its answer is closed."""
        with self._lock:
            self._over = True
            found, self._found = self._found, None
        if found is not None:
            self._discard(found)
        elif self._ended is not None and not self._ended.is_set():
            self._second.end()
            self._second.gone()

    def _arm(self, seconds: float) -> None:
        self._context = contextvars.copy_context()
        self._ring = self._alarm.set(seconds, self._begin)

    def _end_timer(self) -> None:
        if self._ring is not None:
            self._alarm.cancel(self._ring)
            self._ring = None

    def _begin(self) -> None:
        """Begin the second attempt; this runs in the alarm's thread."""
        with self._lock:
            if not self._running or self._begun or not self._alarm.take_thread():
                return
            permit = self._spare()
            if permit is None:
                self._alarm.free_thread()
                return
            self._begun, self._ended = True, threading.Event()
        context = self._context or contextvars.copy_context()
        thread = threading.Thread(
            target=context.run, args=(self._run_second, permit), name="router-hedge", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # this host has no thread left
            permit.cancel(time.monotonic())
            permit.give_back()
            self._alarm.free_thread()
            self._end_second(None)

    def _run_second(self, permit: Permit) -> None:
        found: Outcome | None = None
        try:
            found = self._run(self._attempt(self._second, permit))
        except RouterError:
            pass  # the first one may still do better
        finally:
            self._alarm.free_thread()
            self._end_second(found)

    def _end_second(self, found: Outcome | None) -> None:
        with self._lock:
            unwanted = self._over
            if not unwanted:
                self._found = found
                wins = found is not None and is_good(found)
                self._first.outrun = wins
        if self._ended is not None:
            self._ended.set()
        if unwanted and found is not None:
            self._discard(found)
        elif not unwanted and self._first.outrun:
            self._first.end()


class Alarm:
    """One thread that rings for all blocking races, and counts the threads of second attempts."""

    def __init__(self) -> None:
        self.reset_after_fork()
        register(self)

    def reset_after_fork(self) -> None:
        """Begin anew: the thread stayed with the parent."""
        self._due: list[list[Any]] = []
        self._count = itertools.count()
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._closed = False
        self._threads = threading.Semaphore(MOST_THREADS)

    def take_thread(self) -> bool:
        """Take the place of a thread, if one is free."""
        return self._threads.acquire(blocking=False)

    def free_thread(self) -> None:
        """Give the place back."""
        self._threads.release()

    def set(self, seconds: float, ring: Callable[[], object]) -> list[Any]:
        """Ring after so many seconds; return what `cancel` takes."""
        entry = [time.monotonic() + seconds, next(self._count), ring]
        with self._changed:
            heapq.heappush(self._due, entry)
            if self._thread is None and not self._closed:
                self._begin()
            if self._due[0] is entry:
                self._changed.notify()
        return entry

    def _begin(self) -> None:
        thread = threading.Thread(target=self._run, name="router-alarm", daemon=True)
        with contextlib.suppress(RuntimeError):  # this host has no thread left: the next one tries
            thread.start()
            self._thread = thread

    def cancel(self, entry: list[Any]) -> None:
        """Do not ring; it may be ringing already."""
        entry[2] = None

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while (ring := self._next()) is not None:
            ring()

    def _next(self) -> Callable[[], object] | None:
        """Wait for the next one that is due; None: it is closed, or nothing was set for long."""
        with self._changed:
            while not self._closed:
                while self._due and self._due[0][2] is None:
                    heapq.heappop(self._due)
                if not self._due:
                    if not self._changed.wait(LINGERS) and not self._due:
                        break
                    continue
                wait = self._due[0][0] - time.monotonic()
                if wait <= 0:
                    ring: Callable[[], object] | None = heapq.heappop(self._due)[2]
                    if ring is not None:
                        return ring
                    continue
                self._changed.wait(wait)
            if not self._closed:
                self._thread = None  # who sets another begins another
        return None
