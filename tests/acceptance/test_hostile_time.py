"""Slow servers and slow callers: deadlines hold, nothing is kept, and nobody else is blamed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from askers import ASYNC, KINDS, ask, idle, within
from wire_pools import connections

import router
from router.testing import Regions, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

each_kind = pytest.mark.parametrize("kind", KINDS, ids="-".join)
QUIET = router.Probe(enabled=False)
SOON = 0.4


# -- deadlines


@each_kind
@pytest.mark.parametrize("status", [500, 503])
def test_an_error_whose_body_drips_is_given_in_time(kind: tuple[str, str], status: int) -> None:
    with Regions(only=0.0) as regions:
        regions["only"].respond = lambda _: Reply(status, chunks=(b"x",) * 60, pause=0.05)
        failover = router.Failover(attempts=1)
        with router.Router(regions.config(probe=QUIET, failover=failover)) as it:
            [(answer, took)] = ask(kind, it, [within(SOON)])
            assert idle(it)
    assert (answer.status_code, answer.content) == (status, b"")
    assert took < 2 * SOON


@each_kind
def test_a_chain_of_redirects_has_one_deadline(kind: tuple[str, str]) -> None:
    with Regions(only=0.0) as regions:
        regions["only"].respond = lambda _: Reply(
            302, {"Location": "/on"}, chunks=(b"x",) * 4, pause=0.05
        )
        request = {"method": "GET", "follow_redirects": True, **within(SOON)}
        [(error, took)] = ask(kind, regions.config(probe=QUIET), [request])
        assert len(regions.received) > 1
    assert isinstance(error, router.DeadlineError)
    assert took < 2 * SOON


# -- the caller's own bodies


@pytest.mark.parametrize("family", ASYNC)
def test_a_generator_that_hangs_ends_with_the_deadline_and_blames_nobody(family: str) -> None:
    async def hanging() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(30)

    with Regions(only=0.0) as regions, router.Router(regions.config(probe=QUIET)) as it:
        request = {"content": hanging(), **within(SOON)}
        [(error, took)] = ask(("async", family), it, [request])
        assert idle(it)
        assert it.pool._roster.states["only"].errors == 0
    assert isinstance(error, router.DeadlineError)
    assert SOON * 0.9 < took < 2 * SOON


@pytest.mark.parametrize("family", ASYNC)
def test_a_cancelled_upload_gives_its_permit_back_at_once(family: str) -> None:
    async def hanging() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(30)

    async def main(config: router.Config) -> None:
        async with ASYNC[family](config) as client:
            began = time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.post("/", content=hanging())
            assert (await client.get("/", **within(5.0))).status_code == 200
            assert time.monotonic() - began < 2.0

    with Regions(only=0.0) as regions:
        asyncio.run(main(regions.config(probe=QUIET, limits=router.Limits(concurrency=1))))


def upload(way: str, pause: float, error: Exception | None = None) -> Any:
    """Return a body that takes `pause` seconds to make, and then raises."""

    def made() -> Iterator[bytes]:
        yield b"a"
        time.sleep(pause)
        if error is not None:
            raise error
        yield b"b"

    async def made_async() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(pause)
        if error is not None:
            raise error
        yield b"b"

    return made() if way == "sync" else made_async()


@each_kind
def test_a_generators_own_timeout_is_the_callers_and_blames_nobody(kind: tuple[str, str]) -> None:
    own = TimeoutError("the caller's own")
    with Regions(only=0.0) as regions, router.Router(regions.config(probe=QUIET)) as it:
        [(error, _)] = ask(kind, it, [{"content": upload(kind[0], 0.01, own)}])
        assert error is own
        assert idle(it)
        assert it.pool._roster.states["only"].errors == 0


@each_kind
def test_a_slow_generator_is_not_its_endpoints_fault(kind: tuple[str, str]) -> None:
    failover = router.Failover(attempt_timeout=0.1, attempts=1)
    config = {"probe": QUIET, "failover": failover}
    with Regions(only=0.0) as regions, router.Router(regions.config(**config)) as it:
        [(error, _)] = ask(kind, it, [{"content": upload(kind[0], 0.3)}])
        assert isinstance(error, router.RouterError)
        assert it.pool._roster.states["only"].errors == 0


# -- cancelling


@pytest.mark.parametrize("family", ASYNC)
@pytest.mark.parametrize("turns", [0, 1, 2])
def test_a_reader_that_is_cancelled_twice_leaves_no_connection(family: str, turns: int) -> None:
    async def read(client: Any) -> None:
        async with client.stream("GET", "/") as response:
            await response.aread()

    async def main(config: router.Config) -> None:
        async with ASYNC[family](config) as client:
            for _ in range(5):
                task = asyncio.create_task(read(client))
                await asyncio.sleep(0.05)
                task.cancel()
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await asyncio.sleep(0.05)
            assert idle(client.router)
            assert connections(client) == 0

    with Regions(only=0.0) as regions:
        regions["only"].respond = lambda _: Reply(chunks=(b"x",) * 20, pause=0.02)
        asyncio.run(main(regions.config(probe=QUIET)))
