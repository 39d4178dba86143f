"""Threads whose requests end early leave nothing of them behind, and a fork takes nothing away."""

from __future__ import annotations

import gc
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from wire_pools import slots

import router
import router.httpx2
from router.testing import Received, Regions, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

SYNC: dict[str, Any] = {"httpx": router.Client, "httpx2": router.httpx2.Client}
QUIET = router.Probe(enabled=False)
THREADS = 64
CUT = 1000
LONGEST = 0.5
PATIENCE = 10.0


def echo(request: Received) -> Reply:
    return Reply(200, body=request.body)


@pytest.fixture
def pair() -> Iterator[Regions]:
    with Regions(None, a=0.02, b=0.03) as regions:
        for region in regions:
            region.respond = echo
        yield regions


def taken(client: Any) -> tuple[int, int, int]:
    it = client.router
    return it.limiter.in_use, sum(it.pool.in_flight().values()), slots(client)


def settled(client: Any) -> None:
    """Wait until nothing is under way."""
    until = time.monotonic() + PATIENCE
    while any(taken(client)):
        assert time.monotonic() < until, f"still taken: {taken(client)}"
        time.sleep(0.01)


def files() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def exchange(client: Any, number: int) -> None:
    body = b"%d" % number * 500
    assert client.post("/", content=body).content == body


@pytest.mark.parametrize("family", SYNC)
@pytest.mark.untraced
def test_64_threads_get_each_its_own_answers(pair: Regions, family: str) -> None:
    before = files()
    with ThreadPoolExecutor(THREADS) as threads, SYNC[family](pair.config(probe=QUIET)) as client:
        list(threads.map(lambda number: exchange(client, number), range(10 * THREADS)))
        assert taken(client) == (0, 0, 0)
    assert files() <= before + len(list(pair))  # the servers notice later


@pytest.mark.parametrize("family", SYNC)
@pytest.mark.untraced
def test_what_a_deadline_ends_leaves_nothing_behind(pair: Regions, family: str) -> None:
    chance, cut = random.Random(35), list[int]()
    waits = [chance.uniform(0.001, LONGEST) for _ in range(CUT)]

    def ask(number: int) -> None:
        options = router.Options(deadline=waits[number])
        try:
            client.get("/", extensions={"router": options})
        except router.RouterError:
            cut.append(number)

    config = pair.config(probe=QUIET, limits=router.Limits(concurrency=32))
    with ThreadPoolExecutor(THREADS) as threads, SYNC[family](config) as client:
        list(threads.map(ask, range(CUT)))
        settled(client)
        list(threads.map(lambda number: exchange(client, number), range(100)))
    assert CUT / 10 < len(cut) < CUT


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("closes", [True, False])
def test_a_child_leaves_a_body_that_is_open_to_its_parent(pair: Regions, *, closes: bool) -> None:
    for region in pair:
        region.respond = lambda _: Reply(200, chunks=[b"a" * 1000] * 20, pause=0.02)
    with (
        router.Client(pair.config(probe=QUIET)) as client,
        client.stream("GET", "/") as response,
    ):
        parts = response.iter_raw()
        came = next(parts)
        child = os.fork()
        if not child:
            if closes:
                response.close()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        came += b"".join(parts)
    assert len(came) == 20_000
