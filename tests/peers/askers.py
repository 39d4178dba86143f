"""Every kind of client, asked the same way: groups of requests, one after the other."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import router

__all__ = ["ASYNC", "KINDS", "SYNC", "ask", "idle", "within"]

ASYNC: dict[str, Any] = {"httpx": router.AsyncClient, "httpx2": router.httpx2.AsyncClient}
SYNC: dict[str, Any] = {"httpx": router.Client, "httpx2": router.httpx2.Client}
KINDS = [(way, family) for way in ("sync", "async") for family in SYNC]


def within(seconds: float) -> dict[str, Any]:
    """Return the arguments of a request with this deadline."""
    return {"extensions": {"router": router.Options(deadline=seconds)}}


def idle(it: router.Router) -> bool:
    """Return whether everything taken was given back."""
    return it.limiter.in_use == 0 and not any(it.pool.in_flight().values())


def ask(
    kind: tuple[str, str], config: Any, *groups: list[dict[str, Any]], pause: float = 0.0
) -> list[Any]:
    """Send each group at once, `pause` seconds after the one before.

    Returns responses or errors, with the seconds that each took.
    """
    way, family = kind
    if way == "async":
        return asyncio.run(_ask(ASYNC[family], config, groups, pause))
    most = max(len(group) for group in groups)
    with SYNC[family](config) as client, ThreadPoolExecutor(most) as threads:

        def one(request: dict[str, Any]) -> Any:
            began = time.monotonic()
            try:
                got = client.request(**{"method": "POST", "url": "/", **request})
            except Exception as error:  # noqa: BLE001 - the test looks at it
                got = error
            return got, time.monotonic() - began

        answers: list[Any] = []
        for group in groups:
            answers += threads.map(one, group)
            time.sleep(pause)
        return answers


async def _ask(make: Any, config: Any, groups: Any, pause: float) -> list[Any]:
    async def one(client: Any, request: dict[str, Any]) -> Any:
        began = time.monotonic()
        try:
            got = await client.request(**{"method": "POST", "url": "/", **request})
        except Exception as error:  # noqa: BLE001 - the test looks at it
            got = error
        return got, time.monotonic() - began

    async with make(config) as client:
        answers = []
        for group in groups:
            answers += await asyncio.gather(*(one(client, request) for request in group))
            await asyncio.sleep(pause)
        return answers
