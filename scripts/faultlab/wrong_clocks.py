"""F42: four processes keep one limit, and the clocks of their hosts are an hour wrong each way.

Rule 1: what is admitted when is what each process's trace says, by the monotonic time that they
        share; the region counts how many.
Rule 2: the wrong clocks are libfaketime's; monotonic time stays as it is, as on a host whose clock
        was set wrongly. Its "monotonic fix" is off: with it, waits for a lock end at once, and the
        threads of a process take the interpreter from each other for nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faultlab.fleet import BURST, LIMIT, OF_THE_LIMIT, Redis, missing, most_in
from faultlab.row import Row, at_most
from faultlab.world import World
from router.testing import RedisServer

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

    from faultlab.lab import Lab

__all__ = ["clocks_apart"]

PROGRAM = Path(__file__).with_name("fleet_process.py")
FAKETIME = Path(f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketime.so.1")
FAKED = {
    "LD_PRELOAD": str(FAKETIME),
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    "FAKETIME_FORCE_MONOTONIC_FIX": "0",
}
SHIFTS = ("-3600s", "+3600s", "-3600s", "+3600s")
APART = 7000.0
GREEDILY = 60.0
EXACT = 1.01
USED = 0.95
WINDOWS = (1.0, 10.0)
READY_WITHIN = 30.0


async def clocks_apart(lab: Lab) -> list[Row]:
    """F42: much more is asked for than the limit allows, by processes two hours apart."""
    fault = "F42 clocks 2 h apart"
    if lab.peer is not None:
        return []
    if not RedisServer.is_installed():
        return [missing(fault, "redis-server")]
    if not _is_faketime_installed():
        return [missing(fault, "libfaketime")]
    seconds = lab.seconds(30, 2.5)
    with Redis.running() as redis, World(a=0.0) as world:
        job = {
            "url": world["a"].url,
            "redis": redis.server.url,
            "rate": GREEDILY,
            "seconds": seconds,
        }
        async with _started(job) as processes:
            told = await asyncio.gather(*(_run(process) for process in processes))
        came = world.requests
    return _judged(fault, told, came, seconds)


def _is_faketime_installed() -> bool:
    return FAKETIME.exists()


@contextlib.asynccontextmanager
async def _started(job: dict[str, Any]) -> AsyncIterator[list[Process]]:
    """Start a process for each shift; they are ready, and ended in the end."""
    path = os.pathsep.join(filter(None, sys.path))
    common = {**os.environ, **FAKED, "PYTHONPATH": path}
    pipe = asyncio.subprocess.PIPE
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, str(PROGRAM), json.dumps(job)),
            stdin=pipe,
            stdout=pipe,
            stderr=asyncio.subprocess.DEVNULL,
            env={**common, "FAKETIME": shift},
        )
        for shift in SHIFTS
    ]
    try:
        async with asyncio.timeout(READY_WITHIN):
            for process in processes:
                await _line(process)
        yield processes
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


async def _run(process: Process) -> dict[str, Any]:
    assert process.stdin is not None
    process.stdin.write(b"go\n")
    told: dict[str, Any] = await _line(process)
    return told


async def _line(process: Process) -> Any:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("a process of the fleet has ended")
    return json.loads(line)


def _judged(fault: str, told: list[dict[str, Any]], came: int, seconds: float) -> list[Row]:
    times = sorted(at for one in told for at in one["admitted"])
    walls, least = [one["wall"] for one in told], min(len(one["admitted"]) for one in told)
    apart, span = max(walls) - min(walls), times[-1] - times[0]
    other = sorted({kind for one in told for kind in one["errors"]} - OF_THE_LIMIT)
    used = sum(at < times[0] + seconds for at in times) / (LIMIT * seconds)
    return [
        Row(fault, "clocks are apart", f"{apart:.0f} s", apart > APART),
        at_most(fault, "requests at the region", came, EXACT * (LIMIT * span + BURST)),
        *(_window(fault, times, window) for window in WINDOWS if 2 * window <= seconds),
        Row(fault, "at least 95 % of the limit used", f"{used:.0%}", used >= USED),
        Row(fault, "nobody starves", f"{least} of {len(times)}", 3 * 4 * least >= len(times)),
        Row(fault, "errors, other than of the limit: none", ", ".join(other) or "none", not other),
    ]


def _window(fault: str, times: list[float], seconds: float) -> Row:
    """Return the line of the fullest window, where a window's limit is rate x time + burst."""
    what = f"admitted in any {seconds:g} s"
    return at_most(fault, what, most_in(times, seconds), EXACT * (LIMIT * seconds + BURST))
