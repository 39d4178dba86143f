"""A thousand requests wait for one permit and half of them leave: the others keep their order."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from typing import Any

import pytest

import router
import router.httpx2
from router.testing import Regions

WAITING = 1000
PATIENCE = 30.0
ASYNC: dict[str, Any] = {"httpx": router.AsyncClient, "httpx2": router.httpx2.AsyncClient}


def config(regions: Regions) -> router.Config:
    return regions.config(
        limits=router.Limits(concurrency=1),
        probe=router.Probe(enabled=False),
        failover=router.Failover(deadline=60.0),
    )


def leaving() -> set[int]:
    return set(random.Random(36).sample(range(WAITING), WAITING // 2))


def check(regions: Regions, it: router.Router, left: set[int]) -> None:
    served = [int(request.target[1:]) for request in regions.received[1:]]
    assert served == [number for number in range(WAITING) if number not in left]
    assert (it.limiter.in_use, it.limiter.waiting) == (0, 0)
    assert not any(it.pool.in_flight().values())


@pytest.mark.parametrize("family", ASYNC)
@pytest.mark.untraced
def test_tasks_that_are_cancelled(family: str) -> None:
    with Regions(None, only=0.0) as regions:

        async def main() -> None:
            async with ASYNC[family](config(regions)) as client:
                async with client.stream("GET", "/first"):
                    gets = [client.get(f"/{number}") for number in range(WAITING)]
                    tasks = [asyncio.ensure_future(get) for get in gets]
                    while client.router.limiter.waiting < WAITING:  # noqa: ASYNC110 - another's
                        await asyncio.sleep(0.001)
                    for number in left:
                        tasks[number].cancel()
                answers = await asyncio.gather(*tasks, return_exceptions=True)
                assert sum(isinstance(a, asyncio.CancelledError) for a in answers) == len(left)
                check(regions, client.router, left)

        left = leaving()
        asyncio.run(main())


@pytest.mark.untraced
@pytest.mark.alone
def test_threads_whose_deadline_passes() -> None:
    left, refused = leaving(), list[int]()

    def get(client: router.Client, number: int) -> None:
        deadline = DEADLINE - (time.monotonic() - began) if number in left else None
        options = router.Options(deadline=deadline)
        try:
            client.get(f"/{number}", extensions={"router": options})
        except router.LimitError:
            refused.append(number)

    with Regions(None, only=0.0) as regions, router.Client(config(regions)) as client:
        limiter, began = client.router.limiter, time.monotonic()
        threads = [threading.Thread(target=get, args=(client, n)) for n in range(WAITING)]
        with client.stream("GET", "/first"):
            for count, thread in enumerate(threads, 1):
                thread.start()
                until(lambda count=count: limiter.waiting >= count)
            assert time.monotonic() - began < DEADLINE
            until(lambda: limiter.waiting == WAITING - len(left))
        for thread in threads:
            thread.join(PATIENCE)
        assert set(refused) == left
        check(regions, client.router, left)


DEADLINE = 5.0


def until(condition: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.0002)
