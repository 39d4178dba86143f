"""F35: requests are cancelled at random; what is left behind of them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from wire_pools import slots

import router
import router.httpx2
from router.testing import Regions
from router.wires import bounds

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Left", "cancelled"]

ASYNC: dict[str, Any] = {"httpx": router.AsyncClient, "httpx2": router.httpx2.AsyncClient}
AT_ONCE = 200
LONGEST = 0.05
PATIENCE = 10.0
NEXT = 100


class Left(NamedTuple):
    """What is left when all ended: permits out, attempts in flight, slots of pools that are taken.

    Attributes:
        cut: how many requests were cancelled before their answer.
        good: how many of the next hundred were answered.
    """

    permits: int
    in_flight: int
    slots: int
    cut: int
    good: int


@contextlib.contextmanager
def most_connections(count: int) -> Iterator[None]:
    """Let pools made meanwhile have so many connections at most."""
    before, bounds.MOST_CONNECTIONS = bounds.MOST_CONNECTIONS, count
    try:
        yield
    finally:
        bounds.MOST_CONNECTIONS = before


async def cancelled(
    family: str, *, requests: int, pool: int, of: Literal["permits", "connections"], seed: int = 35
) -> Left:
    """Send `requests` and cancel each after 0 to 50 ms, over a pool of so many permits or so on."""
    chance = random.Random(seed)
    limits = router.Limits(concurrency=pool) if of == "permits" else router.Limits()
    bound = most_connections(pool) if of == "connections" else contextlib.nullcontext()
    with Regions(None, a=0.02, b=0.03) as regions, bound:
        config = regions.config(limits=limits)
        async with ASYNC[family](config) as client:
            cut = 0
            for start in range(0, requests, AT_ONCE):
                count = min(AT_ONCE, requests - start)
                waits = [chance.uniform(0.0, LONGEST) for _ in range(count)]
                cut += sum(await asyncio.gather(*(_cancelled(client, wait) for wait in waits)))
            await _settled(client)
            permits, in_flight, slots = _taken(client)
            answers = await asyncio.gather(*(client.get("/") for _ in range(NEXT)))
    good = sum(answer.status_code == 200 for answer in answers)
    return Left(permits, in_flight, slots, cut, good)


async def _cancelled(client: Any, after: float) -> bool:
    try:
        async with asyncio.timeout(after):
            await client.get("/")
    except TimeoutError:
        return True
    return False


async def _settled(client: Any) -> None:
    """Wait until nothing is under way: where the wire must not be cancelled, sends end later."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while any(_taken(client)):  # noqa: ASYNC110 - it looks at another's state
                await asyncio.sleep(0.01)


def _taken(client: Any) -> tuple[int, int, int]:
    it = client.router
    return it.limiter.in_use, sum(it.pool.in_flight().values()), slots(client)
