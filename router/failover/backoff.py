"""How long to wait before the next attempt.

Rule: nothing here waits; a wait is a number of seconds that the flow hands to its port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from router.config.settings import Backoff

__all__ = ["jittered"]

HIGHEST_EXPONENT = 64


def jittered(backoff: Backoff, *, retries: int, chance: random.Random, least: float = 0.0) -> float:
    """Return full-jitter seconds: uniform up to base * factor^retries, capped.

    `least`: the share of that which is waited in any case.
    """
    exponent = min(retries, HIGHEST_EXPONENT)
    ceiling = min(backoff.cap, backoff.base * backoff.factor**exponent)
    return chance.uniform(least * ceiling, ceiling)
