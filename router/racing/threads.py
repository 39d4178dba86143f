"""The race of threads: the first attempt in the caller's own, the second in one beside it.

Rule 1: what both touch is changed under the race's lock, which is held for that alone.
Rule 2: who has lost has its socket shut, and its thread ends by itself.
"""

from __future__ import annotations

import contextvars
import threading
import time
from typing import TYPE_CHECKING, Any

from router.errors import RouterError
from router.racing.runner import Lead, Runner, is_good, tried

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from router.limits.permit import Permit
    from router.outcome import Outcome
    from router.racing.alarm import Alarm
    from router.racing.runner import Attempting, Spare

__all__ = ["BlockingRace"]


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
        return tried(self._found)

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
