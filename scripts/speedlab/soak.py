"""A long run at a steady rate, in a process of its own: python soak.py SPEC prints samples.

Requests begin at a fixed rate, so many under way at once at most: whole and streamed, short and
long ones, some left in the middle and some cancelled, with everything of the router on. Each sample
is a line of JSON.

Rule: memory is flat if the second half of the run adds little (`GROWTH`), and so are descriptors.
      What comes before is caches that fill.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import router
from speedlab.answers import PATH, question
from speedlab.cells import KB
from speedlab.cores import CLIENTS, settle
from speedlab.figures import trend
from speedlab.parts import HEDGED, shared_router

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["GROWTH", "MORE_FILES", "RATE", "Sample", "growth", "sparkline"]

RATE, MOST = 500, 64
GROWTH, MORE_FILES = 1.0, 8.0
"""MB and descriptors that the second half may add."""
MB = 1024 * 1024
BLOCKS = "▁▂▃▄▅▆▇█"
JSON = {"Content-Type": "application/json"}
LEFT, CANCELLED, LONG, STREAMED = 50, 100, 20, 4
"""Every so many-th request is left in the middle, cancelled, long, streamed."""


class Sample(NamedTuple):
    """What was seen at a moment: seconds, MB, descriptors, requests done and failed so far."""

    at: float
    memory: float
    files: int
    done: int
    errors: int


def growth(samples: Sequence[Sample], quantity: str) -> float:
    """Return by how much the second half of a run grew, along the line that fits it best."""
    half = samples[len(samples) // 2 :]
    slope = trend((sample.at, getattr(sample, quantity)) for sample in half)
    return slope * (half[-1].at - half[0].at)


def sparkline(values: Sequence[float]) -> str:
    """Return values as blocks of eight heights between the least and the most."""
    low, high = min(values), max(values)
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[round(steps * (v - low) / (high - low or 1.0))] for v in values)


class Soak:
    """The run and its counts."""

    def __init__(self, client: router.AsyncClient) -> None:
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(MOST)
        self.done = self.errors = 0
        self.first_error = ""

    async def run(self, seconds: float) -> None:
        """Begin requests at the rate until so many seconds have passed."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in itertools.count():
            due = began + number / RATE
            if due > began + seconds:
                break
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._room.acquire()
            task = loop.create_task(self._one(number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            if number % CANCELLED == CANCELLED - 1:
                loop.call_later(0.001, task.cancel)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _one(self, number: int) -> None:
        size = 100 * KB if number % LONG == 0 else KB
        try:
            await self._send(number, size)
            self.done += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it counts
            self.errors += 1
            self.first_error = self.first_error or repr(error)
        finally:
            self._room.release()

    async def _send(self, number: int, size: int) -> None:
        streamed = number % STREAMED == 1
        asked: dict[str, Any] = {
            "content": question(size, streamed=streamed),
            "headers": JSON,
            "extensions": {"router": router.Options(idempotency_key=str(number))},
        }
        if not streamed:
            answer = await self._client.post(PATH, **asked)
            assert len(answer.content) == size
            return
        async with self._client.stream("POST", PATH, **asked) as answer:
            async for _ in answer.aiter_bytes():
                if number % LEFT == 1:
                    return


def memory() -> float:
    """Return the MB of memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


async def lived(spec: dict[str, Any]) -> None:
    """Run and print samples."""
    out, began = sys.stdout, time.monotonic()
    with contextlib.ExitStack() as stack:
        shared = shared_router(spec["urls"], HEDGED, stack)
        async with router.AsyncClient(shared) as client:
            soak = Soak(client)

            def sample() -> None:
                seen = Sample(
                    time.monotonic() - began,
                    memory(),
                    len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - names only
                    soak.done,
                    soak.errors,
                )
                print(json.dumps([*seen, soak.first_error]), file=out, flush=True)

            async def watch() -> None:
                while True:
                    await asyncio.sleep(spec["every"])
                    sample()

            watching = asyncio.create_task(watch())
            await soak.run(spec["seconds"])
            watching.cancel()
            sample()
    print("null", file=out, flush=True)


if __name__ == "__main__":
    settle(CLIENTS)
    asyncio.run(lived(json.loads(sys.argv[1])))
