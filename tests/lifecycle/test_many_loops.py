"""One Router, many event loops: each has its connections, and none is left behind (F38)."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import router
import router.httpx2
from router.testing import Regions

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

ASYNC: dict[str, Any] = {"httpx": router.AsyncClient, "httpx2": router.httpx2.AsyncClient}
LOOPS, TASKS = 10, 20
PATIENCE = 10.0


def open_sockets() -> int:
    """Return how many sockets this process has open."""
    count = 0
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are all that is asked
        try:
            count += str(Path(f"/proc/self/fd/{name}").readlink()).startswith("socket:")
        except FileNotFoundError:
            continue  # the listing's own
    return count


def until_open(count: int) -> None:
    end = time.monotonic() + PATIENCE
    while open_sockets() > count and time.monotonic() < end:
        gc.collect()
        time.sleep(0.01)
    assert open_sockets() <= count


async def several(client: Any) -> None:
    answers = await asyncio.gather(*(client.get("/") for _ in range(TASKS)))
    assert {answer.status_code for answer in answers} == {200}


def shared(regions: Regions) -> router.Router:
    config = regions.config(probe=router.Probe(enabled=False))
    return router.Router(config).start()


@pytest.mark.parametrize("family", ASYNC)
def test_ten_loops_one_after_another_leave_no_socket(family: str) -> None:
    with Regions(None, a=0.001, b=0.001) as regions, shared(regions) as it:
        before = open_sockets()

        async def main() -> None:
            async with ASYNC[family](it) as client:
                await several(client)

        for _ in range(LOOPS):
            asyncio.run(main())
        until_open(before)


def in_two_threads(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `work` in two loops at the same time."""
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(lambda: asyncio.run(work())) for _ in range(2)]
        for run in runs:
            run.result(PATIENCE)


@pytest.mark.parametrize("family", ASYNC)
def test_two_loops_in_two_threads_share_a_router(family: str) -> None:
    with Regions(None, a=0.001, b=0.001) as regions, shared(regions) as it:
        before = open_sockets()

        async def main() -> None:
            async with ASYNC[family](it) as client:
                for _ in range(10):
                    await several(client)

        in_two_threads(main)
        assert it.limiter.in_use == 0
        assert len(regions.received) == 2 * 10 * TASKS
        until_open(before)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("family", ASYNC)
def test_a_client_outlives_loops_that_nobody_told_it_of(family: str) -> None:
    """Python warns of each connection whose loop ended first; it must close it all the same."""
    with Regions(None, a=0.001, b=0.001) as regions, shared(regions) as it:
        before, client = open_sockets(), ASYNC[family](it)
        for _ in range(LOOPS):
            asyncio.run(several(client))
        in_two_threads(lambda: several(client))
        asyncio.run(several(client))
        until_open(before + 2 * TASKS * 2)  # those of the last loop, with their other ends
        asyncio.run(client.aclose())
        until_open(before)
