"""A library's offer to give way is declined; what waits, waits, and can be cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from router.straight import straight


async def tidied(done: list[str]) -> str:
    lock = anyio.Lock()
    async with lock:  # a pause, though nobody holds it
        done.append("tidied")
    return "result"


def test_what_only_offers_to_give_way_takes_no_turn_of_the_loop() -> None:
    async def turns() -> int:
        count = 0

        def turn() -> None:
            nonlocal count
            count += 1
            asyncio.get_running_loop().call_soon(turn)

        asyncio.get_running_loop().call_soon(turn)
        assert await straight(tidied([])) == "result"
        return count

    assert asyncio.run(turns()) == 0


def test_a_task_that_is_cancelled_while_it_waits_tidies_up_without_a_pause() -> None:
    done: list[str] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await tidied(done)

    async def cancelled_twice() -> None:
        task = asyncio.get_running_loop().create_task(straight_of(work()))
        await asyncio.sleep(0)
        task.cancel()
        asyncio.get_running_loop().call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled_twice())
    assert done == ["tidied"]


def test_results_errors_and_waits_pass_through() -> None:
    async def waits(error: Exception | None) -> int:
        await asyncio.sleep(0.001)
        if error is not None:
            raise error
        return 7

    async def both() -> None:
        assert await straight(waits(None)) == 7
        with pytest.raises(KeyError, match="mine"):
            await straight(waits(KeyError("mine")))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await straight(asyncio.Event().wait())

    asyncio.run(both())


async def straight_of(work: Any) -> Any:
    return await straight(work)
