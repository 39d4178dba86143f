"""An event loop in which waiting takes no time.

Rule: when nothing is left to do at this moment, it is the moment of the next timer. Only timers
      are waited for: code that waits for the outside world has no place in a simulation.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["VirtualLoop", "run"]

T = TypeVar("T")
Ready = list[tuple[selectors.SelectorKey, int]]


class Leap(selectors.SelectSelector):
    """Lets time pass in place of waiting for files.

    Attributes:
        now: seconds since the simulation began.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Ready:
        """Let `timeout` seconds pass; no file is ever looked at."""
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing is going to happen")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs as asyncio's own loop does, on a time of its own."""

    def __init__(self) -> None:
        self._leap = Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        """Return the seconds since the simulation began."""
        return self._leap.now


def run(main: Coroutine[None, None, T]) -> T:
    """Return what `main` returns, at the end of its virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
