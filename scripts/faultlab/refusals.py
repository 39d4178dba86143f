"""F01, F03, F29: nobody is there, or packets are lost, or everybody is gone.

Rule: what was never sent may be sent elsewhere, whatever its method.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from faultlab.lab import FAILOVER
from faultlab.load import percentile
from faultlab.row import Row, all_of, at_most
from faultlab.stage import breaking
from router.testing.faults import HangConnect, Refuse

if TYPE_CHECKING:
    from faultlab.lab import Lab
    from faultlab.life import Life
    from faultlab.load import Done
    from faultlab.stage import Stage
    from router.testing import Region

__all__ = ["all_refuse", "connects_hang", "refuses"]

METHODS = ("GET", "POST")
FEW = 5
GRACE = 0.05
PACE = 100.0


def back(life: Life) -> Row:
    """Return the line of the way back."""
    return at_most(life.fault, f"{life.method}: as before within", life.back, 10.0, " s")


async def refuses(lab: Lab) -> list[Row]:
    """F01: A's process is dead."""
    rows = []
    for method in METHODS:
        life = await lab.live("F01 refuses", breaking(Refuse()), method)
        rows += [
            all_of(life.fault, f"{method}: all answered", life.good, life.count),
            at_most(life.fault, f"{method}: duplicates", life.duplicates, 0),
            at_most(life.fault, f"{method}: tries at A", life.tries_at_home, FEW),
            back(life),
        ]
    return rows


def _lose(region: Region) -> None:
    region.fault = HangConnect()
    region.reset_connections()  # or a POST over an open one would be lost on its way


async def connects_hang(lab: Lab) -> list[Row]:
    """F03: packets to A are lost."""
    rows = []
    for method in METHODS:
        life = await lab.live("F03 connects hang", _lose, method)
        slowest = max((one.slowest for one in life.done), default=math.nan)
        bound = FAILOVER["connect_timeout"] + GRACE
        rows += [
            all_of(life.fault, f"{method}: all answered", life.good, life.count),
            at_most(life.fault, f"{method}: duplicates", life.duplicates, 0),
            at_most(life.fault, f"{method}: longest try", slowest, bound, " s"),
            back(life),
        ]
    return rows


async def all_refuse(lab: Lab) -> list[Row]:
    """F29: A, B and C are dead, and come back."""
    fault, method = "F29 all refuse", "GET" if lab.takes("GET") else "POST"
    async with lab.stage() as stage:
        await stage.send(method, 60)
        for region in stage.world:
            region.fault = Refuse()
        life = await stage.held(fault, method, lab.count(1000, 200), rate=200.0)
        first = await _first_success(stage, method)
    life.back = first
    lab.lives.append(life)
    errors = [one.took for one in life.done if not one.good]
    return [
        at_most(fault, "attempts", life.tries, 1.1 * life.count + 10),
        at_most(fault, "p99 of an error", percentile(errors, 0.99), 0.1, " s"),
        at_most(fault, "first answer after the heal", first, 1.0, " s"),
    ]


async def _first_success(stage: Stage, method: str) -> float:
    """Heal while requests keep coming; return the seconds to the first that is answered."""
    coming = asyncio.create_task(stage.send(method, int(6 * PACE), rate=PACE))
    await asyncio.sleep(0.5)
    healed = time.monotonic()
    stage.world.heal()
    done: list[Done] = await coming
    ends = [one.at + one.took for one in done if one.good and one.at + one.took >= healed]
    return min(ends, default=math.inf) - healed
