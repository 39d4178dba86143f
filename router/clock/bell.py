"""How a thread ends the sleep of an event loop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Bell"]


class Bell:
    """Wakes the loop in which it was made, from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = False
        self._heard = asyncio.Event()

    def ring(self) -> None:
        """End the wait, or the next one."""
        self._rung = True
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(self._hear)

    def _hear(self) -> None:
        if self._rung:  # and was not silenced since
            self._heard.set()

    def silence(self) -> None:
        """Forget that it was rung, even if the loop has yet to hear of it."""
        self._rung = False
        self._heard.clear()

    async def rings_during(self, sleep: Callable[[float], Awaitable[None]], seconds: float) -> bool:
        """Sleep that long, or until it is rung; return whether it was."""
        if self._rung:
            return True
        waits = [asyncio.ensure_future(sleep(seconds)), asyncio.create_task(self._heard.wait())]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in done:
                wait.result()
            return self._rung
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
