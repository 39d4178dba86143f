"""The same pool for threads: turns, ends, and sums that are right whoever comes when."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpcore
import pytest
from net_peers import Peer, open_sockets, read_request, timeouts

import router
from router.ports import run
from router.wires import bounds
from router.wires.threads import PoolOfThreads

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

PATIENCE = 10.0


def holding(sock: socket.socket) -> None:
    """Keep a connection until its client ends it."""
    while read_request(sock):
        pass


def opened(port: int) -> PoolOfThreads:
    return PoolOfThreads(router.Endpoint(url=f"http://127.0.0.1:{port}"), httpcore, None)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[PoolOfThreads]:
    """A pool of one connection, which has nothing left at the end."""
    monkeypatch.setattr(bounds, "MOST_CONNECTIONS", 1)
    with Peer(holding) as peer:
        made = opened(peer.port)
        yield made
        made.close()
        assert made.taken == 0


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as made:
        yield made


def waiting(pool: PoolOfThreads, count: int) -> None:
    """Wait until so many wait."""
    until = time.monotonic() + PATIENCE
    while len(pool._turns) < count:
        assert time.monotonic() < until
        time.sleep(0.001)


def test_who_waits_has_the_connection_in_turn(
    pool: PoolOfThreads, threads: ThreadPoolExecutor
) -> None:
    first, tasks = run(pool.free(timeouts())), []
    for number in range(3):
        tasks.append(threads.submit(run, pool.free(timeouts())))
        waiting(pool, number + 1)
    for task in tasks:
        assert not task.done()
        pool.keep(first)
        assert task.result(PATIENCE) is first
    pool.keep(first)


@pytest.mark.parametrize("ends", ["abandoned", "late", "closed", "dropped"])
def test_a_wait_ends(pool: PoolOfThreads, threads: ThreadPoolExecutor, ends: str) -> None:
    first, given = run(pool.free(timeouts())), timeouts(pool=0.05 if ends == "late" else PATIENCE)
    task = threads.submit(run, pool.free(given))
    if ends != "late":
        waiting(pool, 1)
    if ends == "abandoned":
        given.abandon()
    elif ends == "closed":
        pool.close()
    elif ends == "dropped":
        pool.drop(first)
        pool.drop(task.result(PATIENCE))
        return
    with pytest.raises(router.ClosedError if ends == "closed" else httpcore.PoolTimeout):
        task.result(PATIENCE)
    assert given.stream is None
    pool.drop(first)


def test_room_that_nobody_came_to_fill_goes_to_the_next(
    threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MOST_CONNECTIONS", 1)
    with Peer() as peer:
        port = peer.port
    pool = opened(port)
    for task in [threads.submit(run, pool.free(timeouts())) for _ in range(8)]:
        with pytest.raises(httpcore.ConnectError):
            task.result(PATIENCE)
    assert pool.taken == 0


def test_a_connection_that_nobody_holds_takes_no_room(pool: PoolOfThreads) -> None:
    made = run(pool.free(timeouts()))
    stream = made.stream
    del made  # an interrupt came before anybody could give it back
    assert pool.taken == 0
    stream.sever()


def test_sums_are_right_with_64_threads_at_3_connections(
    threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MOST_CONNECTIONS", 3)
    most, lock, held = [0], threading.Lock(), set[Any]()

    def use(pool: PoolOfThreads, seed: int) -> int:
        chance, served = random.Random(seed), 0
        for _ in range(20):
            given = timeouts(pool=chance.choice([PATIENCE, 0.01]))
            try:
                made = pool.idle() or run(pool.free(given))
            except httpcore.PoolTimeout:
                continue
            with lock:
                assert made not in held
                held.add(made)
                most[0] = max(most[0], len(pool.connections))
            time.sleep(chance.uniform(0.0, 0.001))
            with lock:
                held.remove(made)
            (pool.drop if chance.random() < 0.2 else pool.keep)(made)
            served += 1
        return served

    before = open_sockets()
    with Peer(holding) as peer:
        pool = opened(peer.port)
        served = [task.result(60.0) for task in [threads.submit(use, pool, n) for n in range(64)]]
        assert pool.taken == 0
        pool.close()
    assert sum(served) > 640
    assert most[0] <= 3
    assert open_sockets() <= before
