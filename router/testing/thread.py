"""An event loop in a thread of its own, where loopback servers live.

Rule 1: what is asked of it from another thread is done when `run` returns; what is asked from its
        own thread is done soon after.
Rule 2: `stop` leaves nothing: tasks are cancelled, transports closed, the thread joined.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["LoopThread"]

T = TypeVar("T")

ANSWER_WITHIN = 10.0
LAST_WORDS = 0.01


class LoopThread:
    """Runs coroutines between `start` and `stop`."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._soon: set[asyncio.Task[Any]] = set()

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result; within 10 s, or TimeoutError."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(ANSWER_WITHIN)

    def tell(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run it, and wait for its end unless this is the loop's own thread."""
        if threading.current_thread() is not self._thread:
            return self.run(coroutine)
        task = self._loop.create_task(coroutine)
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)
        return None

    def stop(self) -> None:
        """Cancel what still runs, and end the thread."""
        if self.running:
            self.run(_cancel_others())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(ANSWER_WITHIN)
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(LAST_WORDS)  # transports close their sockets in a later turn of the loop
