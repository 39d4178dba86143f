"""F04, F05, F06, F49: connections that break off: before, in, and after an answer.

Rule 1: a request that a server executed is executed once, unless its method is safe to repeat.
Rule 2: what breaks off is never told as a success.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultlab.lab import RATE
from faultlab.refusals import back
from faultlab.row import Row, all_of, at_most
from faultlab.stage import breaking
from router.testing.faults import Cut, Reset, StaleKeepAlive

if TYPE_CHECKING:
    from faultlab.lab import Lab
    from faultlab.life import Life
    from faultlab.stage import Breaking
    from router.testing.faults import Fault

__all__ = ["breaks_in_body", "breaks_in_head", "resets", "stale_connections"]

IN_STATUS_LINE = 5
IN_HEADERS = 40
IN_BODY = 25
PLACES = (("status line", IN_STATUS_LINE), ("headers", IN_HEADERS))


async def resets(lab: Lab) -> list[Row]:
    """F04: A reads and executes the request, then resets the connection."""
    return await _broken(lab, "F04 resets", Reset(), 1000)


async def breaks_in_head(lab: Lab) -> list[Row]:
    """F05: the connection is reset, or ends, inside the status line or the headers."""
    rows = []
    for kind in lab.some((Reset, Cut)):
        for where, at in lab.some(PLACES):
            fault = f"F05 {kind.__name__.lower()} in {where}"
            rows += await _broken(lab, fault, kind(at_byte=at), 250)
    return rows


async def _broken(lab: Lab, fault: str, kind: Fault, count: int) -> list[Row]:
    get = await lab.live(fault, breaking(kind), "GET", count)
    post = await lab.live(fault, breaking(kind), "POST", count)
    return [
        all_of(fault, "GET: all answered", get.good, get.count),
        *_once(post),
        back(get),
        back(post),
    ]


def _once(post: Life) -> list[Row]:
    """Return the lines of POSTs that are executed once each; one that failed, once at most."""
    once = sum(post.executions[one.id] in ({1} if one.good else {0, 1}) for one in post.done)
    failed = [one for one in post.done if not one.good]
    told = sum(one.maybe for one in failed)
    return [
        all_of(post.fault, "POST: executed once, or once at most if it failed", once, post.count),
        all_of(post.fault, "POST: errors say maybe processed", told, len(failed)),
    ]


async def breaks_in_body(lab: Lab) -> list[Row]:
    """F06: the connection is reset, or ends, inside the body."""
    rows = []
    for kind in lab.some((Reset, Cut)):
        fault = f"F06 {kind.__name__.lower()} in the body"
        rows += await _broken(lab, fault, kind(in_body=True, at_byte=IN_BODY), 500)
        rows += await _streamed(lab, fault, kind(in_body=True, at_byte=IN_BODY))
    return rows


async def _streamed(lab: Lab, fault: str, kind: Fault) -> list[Row]:
    life = await lab.live(fault, breaking(kind), "GET", 500, streamed=True, heal=False)
    ended = [one for one in life.done if one.status is not None]
    failed = life.count - len(ended)
    return [
        all_of(fault, "streamed: success is whole", sum(o.whole for o in ended), len(ended)),
        at_most(fault, "streamed: sent again", life.tries - life.count, 0),
        all_of(fault, "streamed: all that A broke raise", failed, life.at_home),
    ]


async def stale_connections(lab: Lab) -> list[Row]:
    """F49: A closes connections that were used once, just as they are used again."""
    rows = []
    for reset in lab.some((False, True)):
        fault = f"F49 stale, {'reset' if reset else 'closed'}"
        start = breaking(StaleKeepAlive(reset=reset))
        if lab.takes("GET"):
            rows += await _replaced(lab, fault, start)
        post = await lab.live(fault, start, "POST", 1000)
        rows += [
            at_most(fault, "POST: duplicates", post.duplicates, 0),
            back(post),
        ]
    return rows


async def _replaced(lab: Lab, fault: str, start: Breaking) -> list[Row]:
    """Return the lines of GETs, and of what replacing connections took from the budget."""
    count = lab.count(1000)
    async with lab.stage() as stage:
        life = await stage.live(fault, start, "GET", count, heal=False, rate=RATE)
        lab.lives.append(life)
        rows = [all_of(fault, "GET: all answered", life.good, life.count)]
        if lab.peer is None:
            spent = stage.shared.config.failover.retry_budget - stage.shared.desk().budget.tokens
            rows.append(at_most(fault, "GET: tokens of the budget spent", spent, 0))
    return rows
