"""The main job over real sockets: rank, send, lose the best region, get it back."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest

import router
from router.testing import Received, Regions, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

FAMILIES: dict[str, tuple[Any, Any]] = {
    "httpx": (router.Client, router.AsyncClient),
    "httpx2": (router.httpx2.Client, router.httpx2.AsyncClient),
}
REQUESTS = 500


def echo(request: Received) -> Reply:
    return Reply(body=request.body or request.target.encode())


@pytest.fixture
def three(regions: Regions) -> Regions:
    for region in regions:
        region.respond = echo
    return regions


def script(count: int) -> list[tuple[str, str]]:
    """Return so many GETs and POSTs in turn, each with an id of its own."""
    return [(("GET", "POST")[i % 2], uuid.UUID(int=i).hex) for i in range(2 * count)]


def check(regions: Regions, sent: list[tuple[str, str]], answers: list[str]) -> None:
    """Every request has its own answer, and no POST was executed twice."""
    assert answers == [(f"/echo/{key}" if method == "GET" else key) for method, key in sent]
    posts = Counter(r.body.decode() for r in regions.received if r.method == "POST")
    assert posts == Counter(key for method, key in sent if method == "POST")


def returns_to(name: str, send: Callable[[], Any], within: float) -> bool:
    """Send until a request is answered by `name`; return whether that came in time."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if send().extensions["router"].endpoint == name:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.untraced
def test_threads_lose_the_best_region_without_an_error(three: Regions, family: str) -> None:
    sent = script(REQUESTS)
    with FAMILIES[family][0](three.config()) as client:
        assert client.router.wait_until_measured(2.0)
        assert [ranked.name for ranked in client.router.rank()] == ["near", "middle", "far"]

        def send(job: tuple[int, tuple[str, str]]) -> str:
            number, (method, key) = job
            if number == REQUESTS:
                three["near"].stop_listening()
            path = "/echo" if method == "POST" else f"/echo/{key}"
            return str(client.request(method, path, content=key if method == "POST" else None).text)

        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(send, enumerate(sent)))
        check(three, sent, answers)
        assert three.shares()["near"] > 0
        assert three.shares()["middle"] > 0
        three["near"].revive()
        assert returns_to("near", lambda: client.get("/echo"), within=30.0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.untraced
def test_tasks_lose_the_best_region_without_an_error(three: Regions, family: str) -> None:
    sent = script(REQUESTS)

    async def main() -> list[str]:
        async with FAMILIES[family][1](three.config()) as client:
            assert await asyncio.to_thread(client.router.wait_until_measured, 2.0)
            gate = asyncio.Semaphore(16)

            async def send(number: int, method: str, key: str) -> str:
                async with gate:
                    if number == REQUESTS:
                        await asyncio.to_thread(three["near"].stop_listening)
                    path = "/echo" if method == "POST" else f"/echo/{key}"
                    content = key if method == "POST" else None
                    return str((await client.request(method, path, content=content)).text)

            jobs = (send(number, method, key) for number, (method, key) in enumerate(sent))
            answers = list(await asyncio.gather(*jobs))
            three["near"].revive()
            until = time.monotonic() + 30.0
            while (await client.get("/echo")).extensions["router"].endpoint != "near":
                assert time.monotonic() < until
                await asyncio.sleep(0.05)
            return answers

    check(three, sent, asyncio.run(main()))


def test_errors_belong_to_the_callers_family_and_to_ours(three: Regions) -> None:
    for region in three:
        region.kill()
    config = three.config(failover=router.Failover(attempts=3, backoff=router.Backoff(base=0.001)))
    with router.Client(config) as client, pytest.raises(httpx.ConnectError) as caught:
        client.get("/")
    assert isinstance(caught.value, router.AttemptsFailedError)
    assert [attempt.endpoint for attempt in caught.value.attempts] == ["near", "middle", "far"]
    assert not caught.value.maybe_processed
    with router.httpx2.Client(config) as client2, pytest.raises(httpx2.ConnectError):
        client2.get("/")
