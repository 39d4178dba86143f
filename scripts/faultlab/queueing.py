"""F36: a thousand requests wait for a permit, and half of them are cancelled.

Rule: half of those while nothing moves, half while the queue is served. The order in which the
      others arrive is seen at the server; who has several permits may be passed by as many.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import router
from faultlab.load import ID
from faultlab.row import Row, all_of, at_most
from faultlab.waiting import until
from faultlab.world import World
from router.testing.region import Region

if TYPE_CHECKING:
    import h11

    from faultlab.lab import Lab
    from faultlab.stage import Stage
    from router.testing import Received
    from router.testing.line import Line

__all__ = ["cancelled"]

SEED = 36
PERMITS = (1, 4)
QUICKLY = 0.001
BETWEEN = 20
PATIENCE: dict[str, Any] = {"attempt_timeout": 10.0, "deadline": 60.0}


class Gated(Region):
    """A region that answers nobody while its gate is shut."""

    shut = False

    async def _answer(self, connection: h11.Connection, line: Line, request: Received) -> None:
        await until(lambda: not self.shut)
        await super()._answer(connection, line, request)


async def cancelled(lab: Lab) -> list[Row]:
    """F36: with one permit, and with four; threads cannot be cancelled."""
    if lab.peer is not None or lab.kind.startswith("threads"):
        return []
    rows = []
    for permits in lab.some(PERMITS):
        sections = {"limits": router.Limits(concurrency=permits)}
        async with lab.stage(World(kind=Gated, a=QUICKLY), sections=sections, **PATIENCE) as stage:
            rows += await _crowded(stage, permits, lab.count(1000, 200))
    return rows


async def _crowded(stage: Stage, permits: int, count: int) -> list[Row]:
    region, random = stage.world["a"], Random(SEED)
    assert isinstance(region, Gated)
    client: Any = stage.subject.client  # type: ignore[attr-defined]
    region.shut = True
    held = [asyncio.create_task(client.get("/held")) for _ in range(permits)]
    await _waiting(stage, 0, permits)
    tasks = [asyncio.create_task(client.get(f"/?id=id-36-{n}")) for n in range(count)]
    await _waiting(stage, count, permits)
    unlucky = random.sample(range(count), count // 2)
    await _cancel([tasks[n] for n in unlucky[: count // 4]])
    region.shut = False
    await asyncio.gather(*held)
    await _cancel([tasks[n] for n in unlucky[count // 4 :]])
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    asked = set(range(count)) - set(unlucky)
    answered = sum(not isinstance(ended[n], BaseException) for n in asked)
    order, left = _arrived(stage), stage.shared.snapshot()["limiter"]
    at_once = await _at_once(stage, permits, client)
    fault = f"F36 {count} wait for {permits}, {count // 2} cancelled"
    return [
        all_of(fault, "all others answered", answered, len(asked)),
        at_most(fault, "later ones that came before", _passed(order), permits - 1),
        at_most(fault, "permits and places kept", left["in_use"] + left["waiting"], 0),
        all_of(fault, "permits afterwards", at_once, permits),
    ]


async def _waiting(stage: Stage, waiting: int, in_use: int) -> None:
    wanted = {"in_use": in_use, "waiting": waiting}
    await until(lambda: stage.shared.snapshot()["limiter"] == wanted)


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel one after the other, and let the others have a turn now and then."""
    for number, task in enumerate(tasks):
        task.cancel()
        if number % BETWEEN == 0:
            await asyncio.sleep(QUICKLY)


def _arrived(stage: Stage) -> list[int]:
    """Return the numbers of the requests as they came to the server."""
    found = (ID.search(request.target) for request in list(stage.world.received))
    return [int(each[0].rpartition("-")[2]) for each in found if each]


def _passed(order: list[int]) -> int:
    """Return by how many later ones somebody was passed at most."""
    return max(
        (sum(other > number for other in order[:at]) for at, number in enumerate(order)), default=0
    )


async def _at_once(stage: Stage, permits: int, client: Any) -> int:
    """Return how many are under way at once when twice as many come."""
    stage.world["a"].latency, stage.world.most_at_once = 0.1, 0
    await asyncio.gather(*(client.get("/again") for _ in range(2 * permits)))
    return stage.world.most_at_once
