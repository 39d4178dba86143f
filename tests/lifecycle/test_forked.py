"""A fork in the middle of traffic: both sides go on, and each hears its own answers (F37)."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING

import pytest

import router
from router.forks import across_forks
from router.testing import Received, Regions, Reply, TokenServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

WITHIN = 10
REQUESTS = 200
THREADS = 8


def echo(request: Received) -> Reply:
    return Reply(200, body=request.body)


@pytest.fixture
def shared() -> Iterator[router.Router]:
    """A Router that has everything: probes, a token, a limit."""
    with Regions(None, near=0.0, far=0.005) as regions, TokenServer() as tokens:
        for region in regions:
            region.respond = echo
        config = regions.config(token=tokens.settings(), limits=router.Limits(concurrency=16))
        with router.Router(config) as it:
            assert it.wait_until_measured()
            yield it


def forked(work: Callable[[], None]) -> int:
    """Run `work` in a child, which has ten seconds; return its process id."""
    child = os.fork()
    if child:
        return child
    try:
        signal.alarm(WITHIN)
        work()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - the child must not go on with the tests
        traceback.print_exc(file=sys.stderr)
        os._exit(1)


def ended_well(child: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def exchange(client: router.Client, name: str, count: int) -> None:
    """Post `count` bodies of one's own and get each of them back."""
    for number in range(count):
        body = f"{name} {number} of {os.getpid()}".encode()
        assert client.post("/", content=body).content == body


async def exchange_many(it: router.Router, name: str, count: int) -> None:
    async with router.AsyncClient(it) as client:
        bodies = [f"{name} {number} of {os.getpid()}".encode() for number in range(count)]
        answers = await asyncio.gather(*(client.post("/", content=body) for body in bodies))
        assert [answer.content for answer in answers] == bodies


def test_two_hundred_requests_on_each_side(shared: router.Router) -> None:
    with router.Client(shared) as client:
        exchange(client, "before", 20)
        child = forked(lambda: exchange(client, "child", REQUESTS))
        exchange(client, "parent", REQUESTS)
        assert ended_well(child)


def test_a_child_may_use_tasks_where_its_parent_used_threads(shared: router.Router) -> None:
    with router.Client(shared) as client:
        exchange(client, "before", 20)
        child = forked(lambda: asyncio.run(exchange_many(shared, "child", REQUESTS)))
        asyncio.run(exchange_many(shared, "parent", REQUESTS))
        assert ended_well(child)


@pytest.mark.untraced
@pytest.mark.alone
def test_forks_while_other_threads_have_requests_under_way(shared: router.Router) -> None:
    done, errors = threading.Event(), list[BaseException]()

    def traffic(name: str) -> None:
        try:
            while not done.is_set():
                exchange(client, name, 1)
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    with router.Client(shared) as client:
        threads = [threading.Thread(target=traffic, args=(f"t{n}",)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        children = []
        for number in range(5):
            children.append(forked(lambda n=number: exchange(client, f"child {n}", REQUESTS)))  # type: ignore[misc]
            time.sleep(0.01)
        assert [ended_well(child) for child in children] == [True] * 5
        done.set()
        for thread in threads:
            thread.join()
        exchange(client, "parent", REQUESTS)
    assert errors == []
    assert (shared.limiter.in_use, shared.limiter.waiting) == (0, 0)


def test_a_fork_waits_for_a_lock_that_belongs_to_no_object() -> None:
    lock = across_forks(threading.RLock())
    held, forking = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            forking.wait(WITHIN)
            time.sleep(0.05)

    def take() -> None:
        assert lock.acquire(timeout=1)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(WITHIN)
    forking.set()
    assert ended_well(forked(take))
    holder.join()
    with lock:
        pass


def test_a_fork_waits_until_a_module_that_another_thread_imports_is_there(tmp_path: Path) -> None:
    name = f"slow_module_{os.getpid()}"
    (tmp_path / f"{name}.py").write_text("import time\ntime.sleep(0.3)\n")
    sys.path.insert(0, str(tmp_path))
    importer = threading.Thread(target=importlib.import_module, args=(name,))
    try:
        importer.start()
        while name not in sys.modules:
            time.sleep(0.001)
        child = forked(lambda: vars(importlib.import_module(name)).clear())
        importer.join(WITHIN)
        assert ended_well(child)
    finally:
        sys.path.remove(str(tmp_path))
        del sys.modules[name]
