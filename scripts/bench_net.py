#!/usr/bin/env python3
"""The time of a request over httpcore's network backend and ours: scripts/bench_net.py [--quick].

The speed bench's server answers over loopback, in a process of its own; each pool sends GETs over
kept connections, one at a time and 32 at once, from threads and from tasks.

Rule: what is compared takes turns in short blocks, and the medians of the blocks are compared, so
      that a noisy machine is noisy to both alike.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import httpcore
from speedlab.lab import servers

from router.call import Timeouts
from router.net.blocking import BlockingBackend
from router.net.resolver import Resolver
from router.net.suspending import SuspendingBackend

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

LIMITS = {"connect": 5.0, "read": 5.0, "write": 5.0, "pool": 5.0}
AT_ONCE = 32
US = 1e6


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few blocks")
    arguments = parser.parse_args()
    with servers(1) as (url,):
        measure(url, blocks=5 if arguments.quick else 25)
    return 0


def measure(url: str, *, blocks: int) -> None:
    """Print the time of a request for each kind of pool, and the ratio."""
    resolver = Resolver()
    ours, theirs = BlockingBackend(httpcore, resolver), httpcore.SyncBackend()
    for count in (1, AT_ONCE):
        with _pool(ours) as one, _pool(theirs) as other:
            told = _compared(
                partial(threaded, one, url, count), partial(threaded, other, url, count), blocks
            )
        print(f"threads, {count:2} at once: {told}")
    asyncio.run(measure_async(url, SuspendingBackend(httpcore, resolver), blocks))


def _pool(backend: Any) -> Any:
    return httpcore.ConnectionPool(
        network_backend=backend, max_connections=100, max_keepalive_connections=AT_ONCE
    )


def _compared(ours: Callable[[], float], theirs: Callable[[], float], blocks: int) -> str:
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(blocks)]
    return _told([pair[0] for pair in pairs], [pair[1] for pair in pairs])


def _told(ours: list[float], theirs: list[float]) -> str:
    mine, other = statistics.median(ours) * US, statistics.median(theirs) * US
    return f"ours {mine:6.1f} µs, httpcore's {other:6.1f} µs, ratio {mine / other:.3f}"


def _timeouts() -> Timeouts:
    return Timeouts(LIMITS, time.monotonic() + 10.0, pause=10.0, now=time.monotonic)


def threaded(pool: Any, url: str, at_once: int, requests: int = 320) -> float:
    """Return the seconds that a request took, with `at_once` threads."""

    def some(count: int) -> None:
        for _ in range(count):
            pool.request("GET", url, extensions={"timeout": _timeouts()})

    began = time.perf_counter()
    if at_once == 1:
        some(requests)
    else:
        with ThreadPoolExecutor(at_once) as threads:
            list(threads.map(some, [requests // at_once] * at_once))
    return (time.perf_counter() - began) / requests


async def measure_async(url: str, backend: Any, blocks: int) -> None:
    """Print the time of a request for each kind of asynchronous pool."""
    kept: dict[str, Any] = {"max_connections": 100, "max_keepalive_connections": AT_ONCE}
    for count in (1, AT_ONCE):
        ours: Any = httpcore.AsyncConnectionPool(network_backend=backend, **kept)
        theirs: Any = httpcore.AsyncConnectionPool(**kept)
        async with ours, theirs:
            await tasked(ours, url, count), await tasked(theirs, url, count)
            pairs = [
                (await tasked(ours, url, count), await tasked(theirs, url, count))
                for _ in range(blocks)
            ]
        told = _told([pair[0] for pair in pairs], [pair[1] for pair in pairs])
        print(f"tasks,   {count:2} at once: {told}")


async def tasked(pool: Any, url: str, at_once: int, requests: int = 320) -> float:
    """Return the seconds that a request took, with `at_once` tasks."""

    async def some(count: int) -> None:
        for _ in range(count):
            await pool.request("GET", url, extensions={"timeout": _timeouts()})

    began = time.perf_counter()
    await asyncio.gather(*(some(requests // at_once) for _ in range(at_once)))
    return (time.perf_counter() - began) / requests


if __name__ == "__main__":
    sys.exit(main())
