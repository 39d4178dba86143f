"""F15, F16, F18: a token server that is dead, slow, or odd about how long its tokens live.

Rule 1: while a token serves nobody notices; without one a request fails soon, and says so.
Rule 2: a server in trouble is asked once in each step of the backoff: 1, 2, 4 … 30 s, or longer.
Rule 3: what a refresh costs is seen in pairs: each request has a twin, sent beside it by a client
        that has nothing to renew.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from faultlab.guarded import guarded, served
from faultlab.lab import FAILOVER
from faultlab.load import percentile
from faultlab.row import Row, all_of, at_most

if TYPE_CHECKING:
    from faultlab.guarded import Guarded
    from faultlab.lab import Lab
    from faultlab.load import Done

__all__ = ["dead", "odd_lifetimes", "slow_refresh"]

PACE = 50.0
WAYS = ("refused", "500", "hanging")
TIMEOUT = 1.0
"""Of a token request: within the deadline, or a request would see that pass first."""
AFTER = 2.5
MARGIN = 0.1
GRACE = 0.05
EARLIEST = 1.25
"""A renewal begins so many times the usual lead before the end, at the earliest."""
LONGEST_STEP = 30.0
LONGEST_LEAD = 60.0
JITTER = 1.5


async def dead(lab: Lab) -> list[Row]:
    """F15: it refuses, answers 500 or hangs, while the token is good for a minute."""
    if lab.peer is not None:
        return []
    left = lab.seconds(60, 3)
    lives = await asyncio.gather(*(_dead(lab, how, left) for how in lab.some(WAYS)))
    return [row for rows in lives for row in rows]


async def _dead(lab: Lab, how: str, left: float) -> list[Row]:
    within = dict.fromkeys(("attempt_timeout", "deadline"), FAILOVER["deadline"])
    async with guarded(lab, lifetime=left, timeout=TIMEOUT, **within) as world:
        began = time.monotonic()
        await world.stage.send("GET", 1)
        world.break_down(how)
        done = await world.stage.send("GET", round((left + AFTER) * PACE), rate=PACE)
        failures = world.told()["failures"]
        world.mend()
        back = await world.until_served()
    ends, fault = began + left, f"F15 token server {how}"
    before = [one for one in done if one.at + one.took < ends]
    after = [one for one in done if one.at > ends + MARGIN]
    lead = EARLIEST * min(LONGEST_LEAD, left / 2)
    step = min(LONGEST_STEP, JITTER * 2.0 ** (failures - 1))
    slowest = percentile((one.took for one in after), 1.0)
    return [
        all_of(fault, f"answered in the {left:g} s", served(before), len(before)),
        at_most(fault, "token requests in vain", failures, _steps(lead + AFTER)),
        all_of(fault, "then TokenError", _token_errors(after), len(after)),
        at_most(fault, "it takes", slowest, FAILOVER["deadline"] + GRACE, " s"),
        at_most(fault, "back within one step,", back, step + GRACE, " s"),
    ]


def _token_errors(done: list[Done]) -> int:
    return sum(one.error == "TokenError" for one in done)


def _steps(seconds: float) -> int:
    """Return how often a server may be asked in vain in this time."""
    count, step = 1, 1.0
    while seconds >= step:
        seconds, count, step = seconds - step, count + 1, min(LONGEST_STEP, 2 * step)
    return count


async def slow_refresh(lab: Lab) -> list[Row]:
    """F16: the token server takes 5 s, time and again, while traffic runs."""
    if lab.peer is not None:
        return []
    life, delay = (4.0, 1.5) if lab.quick else (12.0, 5.0)
    async with guarded(lab, lifetime=life) as world, guarded(lab) as twin:
        for each in (world, twin):
            await each.stage.send("GET", 1)
        world.server.delay = delay
        count = round(lab.seconds(80, 2 * life) * PACE)
        done = await asyncio.gather(
            *(each.stage.send("GET", count, rate=PACE) for each in (world, twin))
        )
    return _compared(world, *done, delay=delay)


def _compared(world: Guarded, ours: list[Done], twins: list[Done], *, delay: float) -> list[Row]:
    """Return the lines of those pairs that were sent during a renewal."""
    pairs = [pair for pair in zip(ours, twins, strict=True) if world.server.was_busy(pair[0].at)]
    renewed, without = (
        percentile((o.took for o in each), 0.99) for each in zip(*pairs, strict=True)
    )
    fault = f"F16 a refresh of {delay:g} s"
    seen = f"{renewed / without:.2f} x: {renewed * 1e3:.1f} of {without * 1e3:.1f} ms"
    return [
        all_of(fault, "all answered", served(ours), len(ours)),
        Row(
            fault,
            "p99 at most 1.2 x that without",
            f"{seen}, {len(pairs)} pairs in {len(world.server.spells) - 1} refreshes",
            renewed <= 1.2 * without,
        ),
    ]


async def odd_lifetimes(lab: Lab) -> list[Row]:
    """F18: expires_in is 0, 1 or -1, or is not there."""
    if lab.peer is not None:
        return []
    lives = await asyncio.gather(*(_odd(lab, value) for value in (0, 1, -1, None)))
    return [row for rows in lives for row in rows]


async def _odd(lab: Lab, lifetime: int | None) -> list[Row]:
    async with guarded(lab, lifetime=lifetime) as world:
        began = time.monotonic()
        done = await world.stage.send("GET", round(lab.seconds(20, 2.5) * PACE), rate=PACE)
        asked, elapsed = world.server.requests, time.monotonic() - began
    fault = f"F18 expires_in {'missing' if lifetime is None else lifetime}"
    return [
        all_of(fault, "all answered", served(done), len(done)),
        at_most(fault, f"token requests in {elapsed:.1f} s", asked, 1 + int(elapsed)),
    ]
