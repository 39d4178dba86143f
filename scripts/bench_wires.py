#!/usr/bin/env python3
"""The time of a request over each wire, and of bare httpx: scripts/bench_wires.py [--quick].

The speed bench's server answers over loopback, in a process of its own; each client sends GETs over
kept connections, one at a time and 32 at once, in tasks and in threads, and reads the bodies.

Rule: what is compared takes turns in short blocks, and the medians of the blocks are compared, so
      that a noisy machine is noisy to all alike. Ratios count; the times are this machine's. The
      processor's time tells more than the clock where others use the machine too.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx
from speedlab.answers import SHORT, whole
from speedlab.lab import servers

import router

__all__ = ["main"]

AT_ONCE = 32
ANSWER = whole(SHORT)
REQUESTS = 320
US = 1e6


class Took(NamedTuple):
    """Seconds of a request: by the clock, and of this process's processor."""

    clock: float
    processor: float


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few blocks")
    parser.add_argument("--ways", default="tasks,threads", help="such as threads")
    arguments = parser.parse_args()
    with servers(1) as (url,):
        for way in arguments.ways.split(","):
            asyncio.run(measure(way, url, blocks=7 if arguments.quick else 25))
    return 0


def clients(way: str, url: str) -> dict[str, Any]:
    """Return what is compared; the first is what the others are measured by."""
    module = {"tasks": "AsyncClient", "threads": "Client"}[way]

    def over(wire: Any) -> Any:
        endpoints = (router.Endpoint(url=url),)
        config = router.Config(endpoints=endpoints, probe=router.Probe(enabled=False), wire=wire)
        return getattr(router, module)(config)

    return {
        "bare httpx": getattr(httpx, module)(base_url=url),
        "router, wire: httpx": over("httpx"),
        "router, wire: aiohttp": over("aiohttp"),
    }


async def measure(way: str, url: str, *, blocks: int) -> None:
    """Print the time of a request for each client, and its ratio to the first."""
    for at_once in (1, AT_ONCE):
        made = clients(way, url)
        took: dict[str, list[Took]] = {name: [] for name in made}
        for block in range(blocks + 1):
            for name, client in made.items():
                seen = threaded(client, at_once) if way == "threads" else tasked(client, at_once)
                one = await seen if inspect.isawaitable(seen) else seen
                took[name] += [one] if block else []  # the first one opens connections
        for client in made.values():
            client.close() if way == "threads" else await client.aclose()
        told(way, at_once, took)


def told(way: str, at_once: int, took: dict[str, list[Took]]) -> None:
    """Print the medians and the ratios of one row."""
    base = medians(next(iter(took.values())))
    for name, each in took.items():
        mine = medians(each)
        shown = [
            f"{word} {own * US:7.1f} µs, ratio {own / other:.3f}"
            for word, own, other in zip(Took._fields, mine, base, strict=True)
        ]
        print(f"{way:7} {at_once:2} at once, {name:22} {'; '.join(shown)}")


def medians(took: list[Took]) -> Took:
    """Return the median of each."""
    return Took(*(statistics.median(each) for each in zip(*took, strict=True)))


async def tasked(client: Any, at_once: int) -> Took:
    """Return what a request took, with `at_once` tasks."""

    async def some(count: int) -> None:
        for _ in range(count):
            response = await client.get("/")
            assert response.content == ANSWER

    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(some(REQUESTS // at_once) for _ in range(at_once)))
    return since(began, used)


def threaded(client: Any, at_once: int) -> Took:
    """Return the same with `at_once` threads."""

    def some(count: int) -> None:
        for _ in range(count):
            assert client.get("/").content == ANSWER

    with ThreadPoolExecutor(at_once) as threads:
        for future in [threads.submit(time.sleep, 0.01) for _ in range(at_once)]:
            future.result()  # each is a thread by now
        began, used = time.perf_counter(), time.process_time()
        for future in [threads.submit(some, REQUESTS // at_once) for _ in range(at_once)]:
            future.result()
        return since(began, used)


def since(began: float, used: float) -> Took:
    """Return what a request took since these readings of the clocks."""
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    return Took(wall / REQUESTS, cpu / REQUESTS)


if __name__ == "__main__":
    sys.exit(main())
