"""F14: a token that the regions take no longer, and 64 tasks and 64 threads that all bring it.

Rule: one token request serves them all, and no request is sent more than twice.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from faultlab.clients import OURS
from faultlab.guarded import OK, guarded
from faultlab.load import Load
from faultlab.row import Row, all_of, at_most

if TYPE_CHECKING:
    from faultlab.guarded import Guarded
    from faultlab.lab import Lab
    from faultlab.load import Done

__all__ = ["stale"]

EACH = 64
UNAUTHORIZED, FORBIDDEN = 401, 403
SLOW = 0.1
APART = 1.1
"""A rejection within a second of another is not believed, and a server asked once a second."""


class Crowd(NamedTuple):
    """What became of a crowd: its requests, how often one was sent at most, token requests."""

    done: list[Done]
    sent: int
    asked: int

    def got(self, status: int) -> int:
        """Return how many were answered so."""
        return sum(one.status == status for one in self.done)


async def stale(lab: Lab) -> list[Row]:
    """F14: the token is revoked; then nobody is let in; then all are forbidden."""
    if lab.peer is not None or lab.kind.startswith("threads"):
        return []  # tasks bring the threads along
    async with guarded(lab) as world:
        await world.stage.send("GET", 1)
        world.server.delay = SLOW
        rounds = [await _revoked(world, lab) for _ in range(lab.count(5, 1))]
        world.status = FORBIDDEN
        forbidden = await _crowd(world, lab)
        await asyncio.sleep(APART)
        world.status = UNAUTHORIZED
        refused = await _crowd(world, lab)
    count = 2 * EACH
    return [
        all_of("F14 stale", "all let in", sum(r.got(OK) for r in rounds), count * len(rounds)),
        at_most("F14 stale", f"token requests for {count}", max(r.asked for r in rounds), 1),
        at_most("F14 stale", "times one is sent", max(r.sent for r in rounds), 2),
        all_of("F14 403", "the caller gets it", forbidden.got(FORBIDDEN), count),
        at_most("F14 403", "token requests", forbidden.asked, 0),
        all_of("F14 401 for ever", "the caller gets it", refused.got(UNAUTHORIZED), count),
        at_most("F14 401 for ever", "times one is sent", refused.sent, 2),
        at_most("F14 401 for ever", "token requests", refused.asked, 1),
    ]


async def _revoked(world: Guarded, lab: Lab) -> Crowd:
    await asyncio.sleep(APART)
    for token in world.tokens:
        world.server.revoke(token)
    return await _crowd(world, lab)


async def _crowd(world: Guarded, lab: Lab) -> Crowd:
    """Send from as many threads as tasks, all at once, over one router."""
    stage, asked = world.stage, world.server.requests
    kind, make = OURS["threads httpx2" if lab.kind.endswith("httpx2") else "threads"]
    others = kind(stage.shared.config, lambda _: make(stage.shared))  # type: ignore[arg-type]
    loads = [Load("GET", EACH, at_once=EACH).numbered() for _ in range(2)]
    subjects = zip((stage.subject, others), loads, strict=True)
    try:
        done = await asyncio.gather(*(subject.send(load) for subject, load in subjects))
    finally:
        await others.close()
    sent = [times for load in loads for times in stage.world.executions(load.run).values()]
    return Crowd(
        [one for each in done for one in each], max(sent, default=0), world.server.requests - asked
    )
