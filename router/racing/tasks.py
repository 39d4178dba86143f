"""The race of tasks: the first attempt in the caller's own, the second in one beside it.

Rule 1: who has lost is cancelled, and its answer is closed by a task that nobody waits for.
Rule 2: a cancellation that comes from outside is no loss of the race: it ends both.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from router.errors import RouterError
from router.racing.runner import Runner, is_good, tried

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from router.limits.permit import Permit
    from router.outcome import Outcome
    from router.racing.bell import Bell, Ring
    from router.racing.runner import Attempting, Spare

__all__ = ["AsyncioRace"]


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
            return tried(await self._other)
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
