"""Whoever takes gives back: the limit holds over all regions; a cancelled request costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import router
from router.testing import Regions

ASYNC: dict[str, Any] = {"httpx": router.AsyncClient, "httpx2": router.httpx2.AsyncClient}
SYNC: dict[str, Any] = {"httpx": router.Client, "httpx2": router.httpx2.Client}
CANCELLED = 10_000


def idle(it: router.Router) -> bool:
    return it.limiter.in_use == 0 and not any(it.pool.in_flight().values())


@pytest.mark.parametrize("family", ASYNC)
def test_never_more_than_five_tasks_at_the_servers(family: str) -> None:
    with Regions(a=0.004, b=0.004, c=0.004) as regions:
        config = regions.config(limits=router.Limits(concurrency=5))

        async def main() -> list[int]:
            async with ASYNC[family](config) as client:
                answers = await asyncio.gather(*(client.get("/") for _ in range(200)))
                assert idle(client.router)
                return [answer.status_code for answer in answers]

        assert asyncio.run(main()) == [200] * 200
        assert regions.most_at_once == 5


@pytest.mark.parametrize("family", SYNC)
def test_never_more_than_five_threads_at_the_servers(family: str) -> None:
    with Regions(a=0.004, b=0.004, c=0.004) as regions:
        config = regions.config(limits=router.Limits(concurrency=5))
        with SYNC[family](config) as client, ThreadPoolExecutor(32) as threads:
            answers = list(threads.map(lambda _: client.get("/").status_code, range(200)))
            assert idle(client.router)
        assert answers == [200] * 200
        assert regions.most_at_once == 5


@pytest.mark.parametrize("family", ASYNC)
def test_a_streamed_body_holds_its_permit_until_it_is_closed(family: str) -> None:
    with Regions(only=0.0) as regions:
        config = regions.config(limits=router.Limits(concurrency=1))

        async def main() -> None:
            async with ASYNC[family](config) as client:
                async with client.stream("GET", "/") as response:
                    assert client.router.limiter.in_use == 1
                    assert client.router.pool.in_flight() == {"only": 1}
                    await response.aread()
                assert idle(client.router)

        asyncio.run(main())


@pytest.mark.parametrize("family", ASYNC)
@pytest.mark.untraced
def test_ten_thousand_cancelled_requests_leave_nothing_behind(family: str) -> None:
    chance = random.Random(5)
    with Regions(a=0.02, b=0.03) as regions:
        config = regions.config(limits=router.Limits(concurrency=50))

        async def cancelled(client: Any, after: float) -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(after):
                    await client.get("/")

        async def main() -> list[int]:
            async with ASYNC[family](config) as client:
                for _ in range(CANCELLED // 200):
                    waits = [chance.uniform(0.0, 0.05) for _ in range(200)]
                    await asyncio.gather(*(cancelled(client, wait) for wait in waits))
                for _ in range(500):
                    if idle(client.router):
                        break
                    await asyncio.sleep(0.01)
                assert idle(client.router)
                answers = await asyncio.gather(*(client.get("/") for _ in range(100)))
                return [answer.status_code for answer in answers]

        assert asyncio.run(main()) == [200] * 100
