"""One background thread with one event loop, for everything that does not belong to a request.

Rule 1: probes, clock synchronisation and token requests run here, for sync and async callers alike.
Rule 2: it starts when first needed, is a daemon, and dies with its owner: so it must not keep the
        owner alive, and what was stopped stays stopped.
Rule 3: a fork leaves the child without the thread; the child starts one of its own. It closes
        nothing of the parent's loop, whose epoll set both processes share.
Rule 4: the end of the process stops it too, and daemon threads whose requests go on until they are
        frozen are told nothing of that.
Rule 5: its loop's pulse tells what the whole process lost: it was stopped, or nobody got to run.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from router.errors import ClosedError, HostError
from router.forks import register
from router.pulse import pulse_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    from router.pulse import Pulse

    Jobs = Callable[[], list[Coroutine[Any, Any, None]]]

__all__ = ["Background"]

logger = logging.getLogger("router")

T = TypeVar("T")

STOP_WITHIN = 5.0


class Background:
    """Owns the thread; `jobs` are run for ever once it is started. A method is held weakly."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = weakref.WeakMethod(jobs) if inspect.ismethod(jobs) else lambda: jobs
        self._lock = threading.RLock()  # the owner's finalizer may call `stop` in any allocation
        self._stopped = self._ended_with_process = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.runs = False
        """Whether its thread was started, in this process."""
        self._pulse: Pulse | None = None
        register(self)

    def reset_after_fork(self) -> None:
        """Forget the parent's thread; `start` makes one for the child."""
        self._lock = threading.RLock()
        self._loop = self._thread = self._pulse = None
        self.runs = False

    def start(self) -> None:
        """Start the thread and its jobs, unless they run.

        Raises:
            ClosedError: it was stopped.
            HostError: this host has no thread left.
        """
        if not (self.runs or self._ended_with_process):
            with self._lock:
                self._running_loop()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._stopped:
            raise ClosedError("this Router is closed: make a new one")
        if self._loop is None:
            jobs = self._jobs()
            loop = asyncio.new_event_loop()
            pulse = pulse_of(loop)
            made = [] if jobs is None else jobs()
            thread = threading.Thread(
                target=_serve, args=(loop, made), name="region-router", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:
                _undo(loop, made)
                raise HostError("this host has no thread left for the Router") from error
            self._loop, self._thread, self._pulse = loop, thread, pulse
            self.runs = True
        return self._loop

    def lost(self) -> float:
        """Return the seconds so far for which this process could not look at what came in."""
        pulse = self._pulse
        return 0.0 if pulse is None else pulse.lost(time.monotonic())

    def busy(self) -> float:
        """Return the seconds that this process computed or lost, as the pool asks for them."""
        return time.process_time() + self.lost()

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the background loop; its future ends at the latest with `stop`.

        Raises:
            ClosedError: it was stopped; the coroutine is closed.
        """
        try:
            with self._lock:  # so that what is taken here is seen before the loop's end
                return asyncio.run_coroutine_threadsafe(coroutine, self._running_loop())
        except BaseException:
            coroutine.close()
            raise

    def stop(self) -> None:
        """Cancel everything and join the thread, for good."""
        with self._lock:
            self._ended_with_process = not (self._stopped or threading.main_thread().is_alive())
            self._stopped = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            self.runs = False
            if loop is not None:
                with contextlib.suppress(RuntimeError):  # the loop ended by itself
                    loop.call_soon_threadsafe(loop.stop)
        if thread is not None and thread is not threading.current_thread():
            thread.join(STOP_WITHIN)


def _undo(loop: asyncio.AbstractEventLoop, jobs: list[Coroutine[Any, Any, None]]) -> None:
    for job in jobs:
        job.close()
    loop.close()


def _serve(loop: asyncio.AbstractEventLoop, jobs: list[Coroutine[Any, Any, None]]) -> None:
    asyncio.set_event_loop(loop)
    pulse = pulse_of(loop)
    pulse.begin(loop)
    tasks = [loop.create_task(_guard(job)) for job in jobs]
    try:
        loop.run_forever()
    finally:
        pulse.stop()
        _cancel_all(loop)
        del tasks
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _guard(job: Coroutine[Any, Any, None]) -> None:
    """Say so when a job ends by a bug; the others go on."""
    try:
        await job
    except Exception:
        logger.exception("a background job of region-router ended")


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    while pending := asyncio.all_tasks(loop):
        for task in pending:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
