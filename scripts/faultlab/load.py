"""Requests in number, and what became of each; by the standard library alone.

Rule 1: a request's id is made here, rides in its body and its query, and is unique in a run.
Rule 2: this is imported by peers in environments of their own, so it imports nothing of theirs.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import re
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

__all__ = ["ID", "SERVER_ERROR", "Done", "Load", "driven", "late", "percentile", "total"]

ID = re.compile(r"id-\d+-\d+")
SERVER_ERROR = 500
_runs = itertools.count()


class Load(NamedTuple):
    """What to send.

    Attributes:
        number: how many.
        at_once: how many at a time, where no `rate` (requests a second) is given.
        keyed: whether each has an idempotency key.
        streamed: whether its answer is streamed.
        headers: what each carries besides.
        follow: whether redirects are followed.
        run: makes its ids unique.
    """

    method: str
    number: int
    at_once: int = 4
    rate: float | None = None
    keyed: bool = False
    streamed: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    follow: bool = False
    run: int = -1

    def numbered(self) -> Load:
        """Return the same with ids of its own."""
        return self._replace(run=next(_runs))

    @property
    def ids(self) -> list[str]:
        """The id of each request."""
        return [f"id-{self.run}-{number}" for number in range(self.number)]


class Done(NamedTuple):
    """What became of one request.

    Attributes:
        at, took: monotonic seconds of its beginning, and how many it took.
        status: of its answer; None: an error was raised.
        region: who answered.
        whole: whether the answer's body was complete.
        error: the exception's class.
        maybe: whether the error says that it may have been processed.
        later: seconds after which the error says to come back.
        tries: where it was tried, as far as the client tells.
        slowest: seconds of its longest try.
        hedges: how many of the tries ran beside another.
        waited: seconds before its first try began: for a permit, and for a token.
    """

    id: str
    at: float
    took: float
    status: int | None = None
    region: str | None = None
    whole: bool = False
    error: str | None = None
    maybe: bool = False
    later: float | None = None
    tries: tuple[str, ...] = ()
    slowest: float = 0.0
    hedges: int = 0
    waited: float = 0.0

    @property
    def good(self) -> bool:
        """Whether a whole answer came that is no server's error."""
        return self.status is not None and self.status < SERVER_ERROR and self.whole


async def driven(load: Load, one: Callable[[str], Awaitable[Done]]) -> list[Done]:
    """Send all of a load, `one` request each; return them in the order of their ids."""
    if load.rate is None:
        return await _closed(load, one)
    began, tasks = time.monotonic(), []
    async with asyncio.TaskGroup() as group:
        for number, name in enumerate(load.ids):
            await asyncio.sleep(began + number / load.rate - time.monotonic())
            tasks.append(group.create_task(_awaited(one, name)))
    return [task.result() for task in tasks]


async def _awaited(one: Callable[[str], Awaitable[Done]], name: str) -> Done:
    return await one(name)


async def _closed(load: Load, one: Callable[[str], Awaitable[Done]]) -> list[Done]:
    names, done = iter(load.ids), {}

    async def work() -> None:
        for name in names:
            done[name] = await one(name)

    async with asyncio.TaskGroup() as group:
        for _ in range(load.at_once):
            group.create_task(work())
    return [done[name] for name in load.ids]


def percentile(seconds: Iterable[float], rank: float) -> float:
    """Return what this share did not exceed; of nothing, not a number."""
    ordered = sorted(seconds)
    return ordered[max(0, math.ceil(rank * len(ordered)) - 1)] if ordered else math.nan


def late(done: Iterable[Done], seconds: float) -> int:
    """Return how many took longer than so many seconds."""
    return sum(one.took > seconds for one in done)


def total(done: Iterable[Done]) -> int:
    """Return how many tries the client tells of."""
    return sum(len(one.tries) for one in done)
