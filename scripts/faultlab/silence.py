"""F02, F07: the request is read and nothing comes, or it comes a byte at a time.

Rule: what was sent and not answered may have been processed; only what is safe is sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultlab.lab import FAILOVER
from faultlab.load import late
from faultlab.refusals import back
from faultlab.row import Row, all_of, at_most
from faultlab.stage import breaking
from router.testing.faults import Drip, Silent

if TYPE_CHECKING:
    from faultlab.lab import Lab

__all__ = ["drips", "silent"]

SLOW = 0.25
MOST_SLOW = 5
GRACE = 0.05
PART = 0.9
"""Of the read timeout, between two bytes."""


async def silent(lab: Lab) -> list[Row]:
    """F02: A accepts and never answers."""
    fault = "F02 silent"
    get = await lab.live(fault, breaking(Silent(executed=True)), "GET")
    post = await lab.live(fault, breaking(Silent(executed=True)), "POST")
    failed = [one for one in post.done if not one.good]
    return [
        all_of(fault, "GET: all answered", get.good, get.count),
        at_most(fault, "GET: slow", late(get.done, SLOW), MOST_SLOW),
        back(get),
        at_most(fault, "POST: sent twice", post.duplicates + post.tries - post.count, 0),
        all_of(
            fault, "POST: errors say maybe processed", sum(e.maybe for e in failed), len(failed)
        ),
        at_most(fault, "POST: errors", post.errors, MOST_SLOW),
        back(post),
    ]


async def drips(lab: Lab) -> list[Row]:
    """F07: one byte every 0.9 read timeouts, in the head or in the body."""
    rows = []
    every = PART * FAILOVER["attempt_timeout"]
    for where, in_body in (("head", False), ("body", True)):
        fault = f"F07 drips in the {where}"
        life = await lab.live(fault, breaking(Drip(every, in_body=in_body)), "GET", 200)
        longest = max((one.took for one in life.done), default=float("nan"))
        whole = sum(one.whole for one in life.done if one.status is not None)
        ended = sum(one.status is not None for one in life.done)
        rows += [
            at_most(fault, "elapsed", longest, FAILOVER["deadline"] + GRACE, " s"),
            all_of(fault, "answers whole", whole, ended),
            back(life),
        ]
    return rows
