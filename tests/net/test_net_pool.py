"""The pool of the wire over aiohttp: turns, ages, distrust, and an end for all who wait."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import httpcore
import pytest
from net_peers import Peer, open_sockets, read_request, timeouts

import router
from router.wires import bounds
from router.wires.pool import Connection, Pool

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable


def holding(sock: socket.socket) -> None:
    """Keep a connection until its client ends it."""
    while read_request(sock):
        pass


def over(
    work: Callable[[Pool], Awaitable[Any]], script: Callable[[socket.socket], None] = holding
) -> None:
    """Let a pool of connections to one peer work, and leave nothing."""

    async def main(port: int) -> None:
        pool = Pool(router.Endpoint(url=f"http://127.0.0.1:{port}"), httpcore, None)
        try:
            await work(pool)
        finally:
            pool.close()
            await asyncio.sleep(0)  # transports close their sockets in the loop's next turn
        assert pool.taken == 0

    with Peer(script) as peer:
        asyncio.run(main(peer.port))


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a pool have one connection."""
    monkeypatch.setattr(bounds, "MOST_CONNECTIONS", 1)


async def waiting(pool: Pool, count: int) -> list[asyncio.Task[Connection]]:
    tasks = [asyncio.create_task(pool.free(timeouts())) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


def test_who_waits_has_the_connection_in_turn(one: None) -> None:
    async def work(pool: Pool) -> None:
        first = await pool.free(timeouts())
        for task in await waiting(pool, 3):
            assert not task.done()
            pool.keep(first)
            assert await task is first
        pool.keep(first)

    over(work)


@pytest.mark.parametrize("good", [True, False])
def test_a_turn_that_nobody_takes_goes_on(*, one: None, good: bool) -> None:
    async def work(pool: Pool) -> None:
        first = await pool.free(timeouts())
        gone, second = await waiting(pool, 2)
        (pool.keep if good else pool.drop)(first)
        gone.cancel()  # it was called, and has not had its turn in the loop yet
        await asyncio.wait([gone])
        assert gone.cancelled()
        assert (await second is first) is good
        pool.drop(await second)

    over(work)


def test_who_waits_and_is_cancelled_is_forgotten(one: None) -> None:
    async def work(pool: Pool) -> None:
        first = await pool.free(timeouts())
        (gone,) = await waiting(pool, 1)
        gone.cancel()
        await asyncio.wait([gone])
        assert pool.taken == 1
        pool.keep(first)
        assert pool.idle() is first
        pool.drop(first)

    over(work)


@pytest.mark.parametrize("abandoned", [True, False])
def test_a_wait_ends_in_time_or_when_nobody_waits(*, one: None, abandoned: bool) -> None:
    async def work(pool: Pool) -> None:
        pool.drop(await pool.free(timeouts()))
        first = await pool.free(timeouts())
        given = timeouts(pool=5.0 if abandoned else 0.05)
        if abandoned:
            asyncio.get_running_loop().call_later(0.05, given.abandon)
        began = time.monotonic()
        with pytest.raises(httpcore.PoolTimeout):
            await pool.free(given)
        assert time.monotonic() - began < 2.0
        assert given.left is None  # nothing was sent
        pool.drop(first)

    over(work)


def test_a_connection_that_could_not_be_opened_leaves_its_room_to_the_next(one: None) -> None:
    async def main() -> None:
        with Peer() as peer:
            port = peer.port
        pool = Pool(router.Endpoint(url=f"http://127.0.0.1:{port}"), httpcore, None)
        for task in await waiting(pool, 3):
            with pytest.raises(httpcore.ConnectError):
                await task
        assert pool.taken == 0

    asyncio.run(main())


def test_closing_ends_what_waits_and_what_is_open(one: None) -> None:
    async def work(pool: Pool) -> None:
        before = open_sockets()
        first = await pool.free(timeouts())
        (task,) = await waiting(pool, 1)
        pool.close()
        with pytest.raises(router.ClosedError):
            await task
        pool.keep(first)  # its exchange ended meanwhile
        assert pool.idle() is None
        await asyncio.sleep(0.05)
        assert open_sockets() <= before + 1  # the peer's own end may take a moment

    over(work)


def test_the_last_one_used_is_the_first_and_those_too_many_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "MOST_IDLE", 2)

    async def work(pool: Pool) -> None:
        made = [await pool.free(timeouts()) for _ in range(3)]
        for each in made:
            pool.keep(each)
        assert pool.connections == set(made[1:])
        assert [pool.idle(), pool.idle(), pool.idle()] == [made[2], made[1], None]
        for each in made[1:]:
            pool.drop(each)

    over(work)


def test_one_that_lay_idle_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(pool: Pool) -> None:
        for _ in range(2):
            made = await pool.free(timeouts())
            pool.keep(made)
            made.used -= 2 * bounds.IDLE_SECONDS
            assert pool.idle() is None

    over(work)


def test_none_that_is_distrusted_is_used(one: None) -> None:
    async def work(pool: Pool) -> None:
        made = await pool.free(timeouts())
        pool.keep(made)
        pool.distrust()
        assert pool.idle() is None
        fresh = await pool.free(timeouts())
        pool.keep(fresh)
        assert pool.idle() is fresh
        pool.drop(fresh)

    over(work)


def test_none_that_was_closed_or_speaks_unasked_is_handed_to_who_waits(one: None) -> None:
    def script(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 408 Late\r\n\r\n")
        holding(sock)

    async def work(pool: Pool) -> None:
        first = await pool.free(timeouts())
        (task,) = await waiting(pool, 1)
        await asyncio.wait_for(first.stream._inbox.wait_to_read(None), 5.0)
        pool.keep(first)
        assert await task is not first
        pool.drop(await task)

    over(work, script)
