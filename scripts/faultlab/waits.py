"""F10: a server says how long to leave it alone, or says it badly.

Rule 1: while it wants to be left alone nobody calls, whichever worker heard of it.
Rule 2: if that is longer than a request's deadline, its caller hears of it at once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from faultlab.refusals import back
from faultlab.row import Row, all_of, at_most
from router.testing import replies

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultlab.lab import Lab
    from faultlab.stage import Stage
    from router.testing import Received, Region, Reply

__all__ = ["retry_after"]

WORKERS = 8
LONG = 60.0
AT_ONCE = 0.05
SAID = {"2": 2.0, "a date": 2.0, "1e9": math.inf, "-5": 0.0, "soon": 0.0}
"""What Retry-After says, and for how many seconds that is."""


def _limited(text: str) -> Callable[[Received], Reply]:
    """Return what answers 429 with this Retry-After; a date is made anew each time."""
    if text != "a date":
        return replies.always(replies.rate_limited("1000000000" if text == "1e9" else text))
    return lambda _: replies.rate_limited(replies.in_seconds(3.0))  # a date has whole seconds


async def retry_after(lab: Lab) -> list[Row]:
    """F10: A answers 429 with Retry-After in five forms; then every region does."""
    rows = []
    for text, seconds in lab.some(SAID.items()):
        fault = f"F10 Retry-After: {text}"

        def start(region: Region, text: str = text) -> None:
            region.respond = _limited(text)

        life = await lab.live(fault, start, "POST", 1000, at_once=WORKERS, heal=not seconds)
        rows += [
            all_of(fault, "all answered", life.good, life.count),
            at_most(fault, "amplification", life.amplification, 1.1),
        ]
        if seconds:
            bound = WORKERS * (1 + math.floor(_lasted(life.done) / seconds))
            rows.append(at_most(fault, f"calls of {WORKERS} workers at A", life.at_home, bound))
        else:
            rows.append(back(life))
    return rows + (await _all_limited(lab) if lab.peer is None else [])


def _lasted(done: list[Any]) -> float:
    return max(one.at for one in done) - min(one.at for one in done) if done else 0.0


async def _all_limited(lab: Lab) -> list[Row]:
    async with lab.stage() as stage:
        await stage.send("GET", 60)
        for region in stage.world:
            region.respond = replies.always(replies.rate_limited(LONG))
        await stage.send("GET", WORKERS, at_once=WORKERS)
        return await _refused(stage)


async def _refused(stage: Stage) -> list[Row]:
    fault = "F10 everywhere"
    life = await stage.held(fault, "GET", 100, at_once=1)
    typed = sum(one.error == "RetryLaterError" for one in life.done)
    told = sum(one.later is not None and LONG / 2 < one.later <= LONG for one in life.done)
    return [
        all_of(fault, "a RetryLaterError", typed, life.count),
        all_of(fault, "that says when", told, life.count),
        at_most(fault, "p99 of it", life.p99, AT_ONCE, " s"),
        at_most(fault, "calls meanwhile", life.attempts, 0),
    ]
