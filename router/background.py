"""One background thread with one event loop, for everything that does not belong to a request.

Rule 1: probes, clock synchronisation and token requests run here, for sync and async callers alike.
Rule 2: it starts when first needed, is a daemon, and dies with its owner.
Rule 3: a fork leaves the child without the thread; the child starts one of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from router.forks import register

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

__all__ = ["Background"]

logger = logging.getLogger("router")

T = TypeVar("T")

STOP_WITHIN = 5.0


class Background:
    """Owns the thread; `jobs` are run for ever once it is started."""

    def __init__(self, jobs: Callable[[], list[Coroutine[Any, Any, None]]]) -> None:
        self._jobs = jobs
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        register(self)

    def reset_after_fork(self) -> None:
        """Forget the parent's thread; `start` makes one for the child."""
        self._lock = threading.Lock()
        self._loop = self._thread = None

    def start(self) -> None:
        """Start the thread and its jobs, unless they run."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None:
                self._start()

    def _start(self) -> None:
        loop = asyncio.new_event_loop()
        self._loop = loop
        thread = threading.Thread(
            target=_serve, args=(loop, self._jobs()), name="region-router", daemon=True
        )
        thread.start()
        self._thread = thread

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the background loop."""
        self.start()
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def stop(self) -> None:
        """Cancel everything and join the thread."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop ended by itself
            loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join(STOP_WITHIN)


def _serve(loop: asyncio.AbstractEventLoop, jobs: list[Coroutine[Any, Any, None]]) -> None:
    asyncio.set_event_loop(loop)
    tasks = [loop.create_task(_guard(job)) for job in jobs]
    try:
        loop.run_forever()
    finally:
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
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    if pending:
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
