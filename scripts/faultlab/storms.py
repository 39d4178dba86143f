"""F32: capacity collapses for a while, and clients that try again must not keep it down.

Rule 1: the server serves one request after the other, also those whose clients have left: that is
        what makes retries dangerous.
Rule 2: the yardstick is a client that never tries again, in the same minute on the same machine.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from faultlab.lab import Lab
from faultlab.life import Life
from faultlab.row import Row, at_most
from faultlab.world import Queueing, World

if TYPE_CHECKING:
    from faultlab.load import Done

__all__ = ["capacity_falls"]

OFFERED = 80.0
BEFORE = 3.0
DIP = 10.0
QUICK, SLOW = 0.010, 0.100
BACKLOG_PER_DIP = 3.5
"""Seconds, for each of the dip, until what waits has been served: 70 more a second come, 20 go."""
GRACE = 8.0
BUDGET = 500
GOODPUT = 0.9
WINDOW = 2.0
PATIENCE = {"attempt_timeout": 1.0, "connect_timeout": 1.0, "deadline": 4.0}


class Storm(NamedTuple):
    """What one client made of it."""

    amplification: float
    recovered: float


async def capacity_falls(lab: Lab) -> list[Row]:
    """F32: from 100 to 10 requests a second, while 80 are offered."""
    dip = lab.seconds(DIP, 2.0)
    ours, without = await asyncio.gather(
        _storm(lab, dip, attempts=3), _storm(Lab(), dip, attempts=1)
    )
    fault = "F32 capacity falls"
    return [
        at_most(fault, "amplification in the dip", ours.amplification, 1.10),
        Row(
            fault,
            "90 % goodput at most 1.1 x later than without retries",
            f"{ours.recovered:.1f} s after {without.recovered:.1f} s",
            ours.recovered <= 1.1 * without.recovered,
        ),
    ]


async def _storm(lab: Lab, dip: float, *, attempts: int) -> Storm:
    world = World(kind=Queueing, a=0.0)
    server = world["a"]
    assert isinstance(server, Queueing)
    server.service = QUICK
    budget = round(BUDGET * dip / DIP)  # or a short dip would be over before it is spent
    failover: dict[str, Any] = {**PATIENCE, "attempts": attempts, "retry_budget": budget}
    method = "GET" if lab.takes("GET") else "POST"
    seconds = BEFORE + dip + BACKLOG_PER_DIP * dip + GRACE
    async with lab.stage(world, **failover) as stage:
        began = time.monotonic()
        coming = asyncio.create_task(stage.send(method, int(seconds * OFFERED), rate=OFFERED))
        await asyncio.sleep(BEFORE)
        server.service = SLOW
        sent = world.requests
        await asyncio.sleep(dip)
        sent = world.requests - sent
        server.service = QUICK
        done = await coming
    offered = [o for o in done if BEFORE <= o.at - began < BEFORE + dip]
    recovered = _recovered(done, began + BEFORE + dip)
    if attempts > 1:
        life = Life("F32", method, offered, sent, sent, Counter(), back=recovered)
        lab.lives.append(life)
    return Storm(sent / len(offered), recovered)


def _recovered(done: list[Done], healed: float) -> float:
    """Return the seconds from the heal to the first window in which 90 % were answered."""
    later = [one for one in done if one.at >= healed]
    for first in later:
        window = [one.good for one in later if first.at <= one.at < first.at + WINDOW]
        if sum(window) >= GOODPUT * len(window):
            return first.at - healed
    return math.inf
