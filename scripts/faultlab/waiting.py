"""How long something takes to come true.

Rule: it is looked at again and again, for a bounded time.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["until"]

LOOK = 0.005
GIVEN_UP = 60.0


async def until(true: Callable[[], bool]) -> float:
    """Return the seconds until something holds; infinite, if it does not within a minute."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > GIVEN_UP:
            return float("inf")
        await asyncio.sleep(LOOK)
    return time.monotonic() - began
