"""Faults of routing: a slow region, one that fails half its requests, ten thousand of them."""

from __future__ import annotations

import asyncio
import random
import time
import tracemalloc
from typing import TYPE_CHECKING

import yaml

import router
from faultlab.row import Row
from faultlab.traffic import Seen, percentile, requests, share, switches
from router.options import NO_OPTIONS
from router.testing import Regions, Reply

if TYPE_CHECKING:
    from pathlib import Path

    from router.balance.choice import Choice
    from router.balance.pool import EndpointPool
    from router.testing import Received

__all__ = ["Row", "failing_half", "many_endpoints", "slower", "steady"]

RATE = 100.0
HALF = 0.5
MANY = 10_000
LATENCIES = {"near": 0.005, "middle": 0.030, "far": 0.080}


def regions() -> Regions:
    """Return three regions at 5, 30 and 80 ms."""
    return Regions(None, **LATENCIES)


async def slower(*, hold: float) -> list[Row]:
    """F30: the best region becomes ten times slower for `hold` seconds, and well again."""
    with regions() as three:
        async with router.AsyncClient(three.config()) as client:
            await asyncio.to_thread(client.router.wait_until_measured)
            only = router.Options(regions="middle")
            await requests(client, seconds=1, rate=RATE, options=only)
            alone = await requests(client, seconds=2, rate=RATE, options=only)
            before = await requests(client, seconds=1, rate=RATE)
            three["near"].latency *= 10
            during = await requests(client, seconds=hold, rate=RATE)
            three["near"].latency /= 10
            after = await _until_back(client, "near")
    moved = 1 - share([s for s in during if s.at > during[0].at + min(5.0, hold / 2)], "near")
    tail = percentile(during, 0.99) / percentile(alone, 0.99)
    flaps = switches([*before, *during, *after], window=1.0)
    back, home = after[-1].at - after[0].at, share(after[-int(RATE) :], "near")
    fault = "F30 latency x 10"
    return [
        Row(fault, "90 % moved within 5 s", f"{moved:.1%}", moved >= 0.9),  # noqa: PLR2004
        Row(fault, "p99 at most 1.5 x the next one's", f"{tail:.2f} x", tail <= 1.5),  # noqa: PLR2004
        Row(fault, "back within 30 s", f"{home:.0%} after {back:.1f} s", home >= HALF),
        Row(fault, "at most 3 switches", str(flaps), flaps <= 3),  # noqa: PLR2004
    ]


async def _until_back(client: router.AsyncClient, name: str) -> list[Seen]:
    """Send until `name` answers most requests of a second again, for 30 s at most."""
    seen: list[Seen] = []
    for _ in range(30):
        second = await requests(client, seconds=1, rate=RATE)
        seen += second
        if share(second, name) >= HALF:
            break
    return seen


async def failing_half(*, hold: float) -> list[Row]:
    """F31: the best region answers 500 to half of its requests."""
    chance = random.Random(31)

    def respond(_: Received) -> Reply:
        return Reply(500 if chance.random() < HALF else 200)

    with regions() as three:
        async with router.AsyncClient(three.config()) as client:
            await asyncio.to_thread(client.router.wait_until_measured)
            await requests(client, seconds=1, rate=RATE)
            three["near"].respond = respond
            during = await requests(client, seconds=hold, rate=RATE)
    answered = sum(s.endpoint is not None for s in during) / len(during)
    late = [s for s in during if s.at > during[0].at + min(10.0, hold / 2)]
    near, tries = share(late, "near"), sum(s.attempts for s in during) / len(during)
    fault = "F31 fails half"
    return [
        Row(fault, "99.9 % answered", f"{answered:.2%}", answered >= 0.999),  # noqa: PLR2004
        Row(fault, "at most 10 % of traffic within 10 s", f"{near:.1%}", near <= 0.1),  # noqa: PLR2004
        Row(fault, "amplification at most 1.1", f"{tries:.3f}", tries <= 1.1),  # noqa: PLR2004
    ]


async def steady(*, seconds: float) -> list[Row]:
    """Three regions that differ by little, and the noise of this machine: the favourite stays."""
    with Regions(None, a=0.010, b=0.011, c=0.012) as close:
        async with router.AsyncClient(close.config()) as client:
            await asyncio.to_thread(client.router.wait_until_measured)
            await requests(client, seconds=2, rate=RATE)
            seen = await requests(client, seconds=seconds, rate=RATE)
    flaps = switches(seen, window=1.0)
    asked = f"no change of the favourite in {seconds:g} s"
    return [Row("stationary noise", asked, str(flaps), flaps == 0)]


async def many_endpoints(folder: Path, *, seconds: float) -> list[Row]:
    """F40: ten thousand endpoints, all of them real sockets of one server."""
    with Regions(None, all=0.001) as one:
        path = folder / "many.yaml"
        port = one["all"].port
        path.write_text(yaml.safe_dump({"endpoints": [_endpoint(n, port) for n in range(MANY)]}))
        began = time.perf_counter()
        config = router.Router.from_yaml(path)
        loaded = time.perf_counter() - began
        config.close()
        tracemalloc.start()
        shared = router.Router(config.config)
        size = tracemalloc.get_traced_memory()[0] / MANY
        tracemalloc.stop()
        began = time.perf_counter()
        with shared:
            async with router.AsyncClient(shared) as client:
                await client.get("/")
                first = time.perf_counter() - began
                seen = await requests(client, seconds=seconds, rate=RATE)
                chosen = _choices(shared.pool)
        probes = one["all"].probes
    answered = sum(s.endpoint is not None for s in seen)
    most = 2 * 3 * 20 + 2 * (2 + seconds)
    fault = "F40 10 000 endpoints"
    return [
        Row(fault, "file loaded in 2 s", f"{loaded:.2f} s", loaded <= 2),  # noqa: PLR2004
        Row(fault, "first answer within 3 s of the start", f"{first:.2f} s", first <= 3),  # noqa: PLR2004
        Row(fault, "at most 10 KB each", f"{size / 1e3:.2f} KB", size <= 10e3),  # noqa: PLR2004
        Row(fault, "all answered", f"{answered} of {len(seen)}", answered == len(seen)),
        Row(fault, "p99 of a choice at most 1 ms", f"{chosen * 1e3:.3f} ms", chosen <= 1e-3),  # noqa: PLR2004
        Row(fault, f"at most {most:.0f} probe requests", str(probes), probes <= most),
    ]


def _endpoint(number: int, port: int) -> dict[str, str]:
    return {
        "name": f"e{number}",
        "url": f"http://e{number}.example:{port}",
        "address": "127.0.0.1",
    }


def _choices(pool: EndpointPool) -> float:
    """Return the 99th percentile of the seconds of a choice, over 2000."""
    took: list[float] = []
    for _ in range(2000):
        began = time.perf_counter()
        choice: Choice = pool.choose(NO_OPTIONS, tried=(), now=time.monotonic())
        took.append(time.perf_counter() - began)
        choice.give_back()
    return sorted(took)[int(0.99 * len(took))]
