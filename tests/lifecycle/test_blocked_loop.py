"""A loop that is blocked, or an interpreter that is held, makes no endpoint look bad (F50)."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import router
from router.testing import Regions

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

ASYNC: dict[str, Any] = {"httpx": router.AsyncClient, "httpx2": router.httpx2.AsyncClient}
BLOCKED = 2.0
PATIENCE = 10.0
ORDER = ("near", "middle", "far")


def hold_the_interpreter(seconds: float) -> None:
    """Sleep without letting anybody else run, as an extension that never lets go would."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))


def three() -> Regions:
    return Regions(near=0.02, middle=0.06, far=0.15)


def config(regions: Regions) -> router.Config:
    return regions.config(
        probe=router.Probe(every=0.5, timeout=1.0),
        failover=router.Failover(attempt_timeout=1.0, deadline=10.0),
    )


def standing(it: router.Router) -> tuple[tuple[str, ...], set[str], set[str | None]]:
    """Return the order, the health and the troubles of all endpoints."""
    ranking = it.rank()
    return (
        tuple(ranked.name for ranked in ranking),
        {ranked.health for ranked in ranking},
        {ranked.trouble for ranked in ranking},
    )


def a_probe_comes(regions: Regions) -> None:
    came, until = sum(region.probes for region in regions), time.monotonic() + PATIENCE
    while sum(region.probes for region in regions) == came:
        assert time.monotonic() < until, "no probe came"
        time.sleep(0.001)


async def traffic(client: Any, done: asyncio.Event) -> list[int]:
    statuses = []
    while not done.is_set():
        statuses.append((await client.get("/")).status_code)
        await asyncio.sleep(0.005)
    return statuses


async def blocked_by(block: Callable[[], None], family: str, regions: Regions) -> None:
    """Have tasks under way, block their loop, and see what is thought of the endpoints."""
    async with ASYNC[family](config(regions)) as client:
        assert await asyncio.to_thread(client.router.wait_until_measured)
        done = asyncio.Event()
        tasks = [asyncio.ensure_future(traffic(client, done)) for _ in range(10)]
        await asyncio.sleep(1.0)
        assert standing(client.router) == (ORDER, {"healthy"}, {None})
        block()
        for _ in range(50):
            await asyncio.sleep(0.02)
            assert standing(client.router) == (ORDER, {"healthy"}, {None})
        done.set()
        for statuses in await asyncio.gather(*tasks):
            assert set(statuses) == {200}


def test_a_coroutine_that_sleeps_without_awaiting_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "router")
    with three() as regions:
        asyncio.run(blocked_by(lambda: time.sleep(BLOCKED), "httpx", regions))
    assert caplog.records == []


def test_an_extension_that_holds_the_interpreter_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "router")
    with three() as regions:

        def block() -> None:
            a_probe_comes(regions)
            hold_the_interpreter(BLOCKED)

        asyncio.run(blocked_by(block, "httpx2", regions))
    assert caplog.records == []


def test_threads_are_not_blamed_on_endpoints_either() -> None:
    statuses: list[int] = []
    done = threading.Event()

    def send(client: router.Client) -> None:
        while not done.wait(0.005):
            statuses.append(client.get("/").status_code)

    with three() as regions, router.Client(config(regions)) as client:
        assert client.router.wait_until_measured()
        threads = [threading.Thread(target=send, args=(client,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(1.0)
        assert standing(client.router) == (ORDER, {"healthy"}, {None})
        a_probe_comes(regions)
        hold_the_interpreter(BLOCKED)
        for _ in range(50):
            time.sleep(0.02)
            assert standing(client.router) == (ORDER, {"healthy"}, {None})
        done.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200}
