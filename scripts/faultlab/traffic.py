"""Requests at a steady rate, and what became of each."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from typing import TYPE_CHECKING, NamedTuple

import httpx

import router

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Seen", "percentile", "requests", "share", "switches"]


class Seen(NamedTuple):
    """One request: when it began, seconds it took, who answered (None: nobody), and its tries."""

    at: float
    took: float
    endpoint: str | None
    attempts: int


async def requests(
    client: router.AsyncClient,
    *,
    seconds: float,
    rate: float,
    options: router.Options | None = None,
) -> list[Seen]:
    """Send GETs at `rate` a second for so long; return them in the order of their beginnings."""
    began, tasks = time.monotonic(), []
    async with asyncio.TaskGroup() as group:
        for number in range(math.ceil(seconds * rate)):
            await asyncio.sleep(began + number / rate - time.monotonic())
            tasks.append(group.create_task(_request(client, options or router.Options())))
    return [task.result() for task in tasks]


async def _request(client: router.AsyncClient, options: router.Options) -> Seen:
    at = time.monotonic()
    try:
        response = await client.get("/", extensions={"router": options})
    except httpx.TransportError as error:
        tries = len(error.attempts) if isinstance(error, router.RouterError) else 1
        return Seen(at, time.monotonic() - at, None, tries)
    trace = response.extensions["router"]
    answered = trace.endpoint if response.status_code < 500 else None  # noqa: PLR2004 - HTTP
    return Seen(at, time.monotonic() - at, answered, len(trace.attempts))


def share(seen: Iterable[Seen], name: str) -> float:
    """Return the share of requests that `name` answered."""
    answered = [one.endpoint == name for one in seen]
    return sum(answered) / len(answered) if answered else 0.0


def percentile(seen: Iterable[Seen], rank: float) -> float:
    """Return the seconds that this share of the requests did not exceed."""
    ordered = sorted(one.took for one in seen)
    return ordered[max(0, math.ceil(rank * len(ordered)) - 1)]


def switches(seen: Sequence[Seen], *, window: float) -> int:
    """Return how often the region that got most of a window's requests changed."""
    leaders, start = [], seen[0].at
    while start < seen[-1].at:
        names = [one.endpoint for one in seen if start <= one.at < start + window]
        if names:
            leaders.append(max(set(names), key=names.count))
        start += window
    return sum(a != b for a, b in itertools.pairwise(leaders))
