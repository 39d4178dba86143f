"""What an attacker tried: slow bodies, forgotten streams, impatient callers, strange headers."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest

import router
from router.config import loads
from router.testing import Received, Regions, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

ASYNC: dict[str, Any] = {"httpx": router.AsyncClient, "httpx2": router.httpx2.AsyncClient}
SYNC: dict[str, Any] = {"httpx": router.Client, "httpx2": router.httpx2.Client}


@pytest.fixture
def two() -> Iterator[Regions]:
    with Regions(a=0.0, b=0.0) as regions:
        yield regions


def quiet(regions: Regions, **sections: Any) -> router.Config:
    return regions.config(probe=router.Probe(enabled=False), **sections)


def within(seconds: float) -> dict[str, Any]:
    return {"extensions": {"router": router.Options(deadline=seconds)}}


def idle(it: router.Router) -> bool:
    return it.limiter.in_use == 0 and not any(it.pool.in_flight().values())


def dripping(_: Received) -> Reply:
    return Reply(503, chunks=(b"drip",) * 200, pause=0.05)


@pytest.mark.parametrize("family", SYNC)
def test_a_dripping_refusal_does_not_eat_the_deadline(two: Regions, family: str) -> None:
    two["a"].respond = dripping
    with SYNC[family](quiet(two)) as client:
        response = client.get("/", **within(2.0))
    assert response.status_code == 200
    assert response.extensions["router"].endpoint == "b"


@pytest.mark.parametrize("family", ASYNC)
def test_a_dripping_refusal_is_kept_without_its_body(two: Regions, family: str) -> None:
    two["a"].respond = dripping
    two["b"].kill()

    async def main() -> Any:
        config = quiet(two, failover=router.Failover(attempts=2))
        async with ASYNC[family](config) as client:
            return await client.get("/", **within(2.0))

    response = asyncio.run(main())
    assert (response.status_code, response.content) == (503, b"")


@pytest.mark.parametrize("family", SYNC)
def test_the_callers_error_answer_has_all_the_time_it_needs(two: Regions, family: str) -> None:
    two["a"].respond = lambda _: Reply(500, chunks=(b"slow", b"ly"), pause=0.4)
    with SYNC[family](quiet(two)) as client, client.stream("POST", "/") as response:
        time.sleep(0.3)
        assert b"".join(response.iter_bytes()) == b"slowly"


@pytest.mark.parametrize("family", ASYNC)
def test_a_body_that_is_never_ready_ends_with_the_deadline(two: Regions, family: str) -> None:
    async def forever() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.02)

    async def main() -> None:
        async with ASYNC[family](quiet(two)) as client:
            with pytest.raises(router.DeadlineError) as caught:
                await client.post("/", content=forever(), **within(0.3))
            assert caught.value.maybe_processed
            assert isinstance(caught.value, httpx.TimeoutException | httpx2.TimeoutException)
            assert idle(client.router)

    asyncio.run(main())


@pytest.mark.parametrize("family", ASYNC)
def test_a_cancelled_upload_stops_pulling_its_generator(two: Regions, family: str) -> None:
    pulled: list[float] = []

    async def forever() -> AsyncIterator[bytes]:
        while True:
            pulled.append(time.monotonic())
            yield b"x"
            await asyncio.sleep(0.01)

    async def main() -> None:
        async with ASYNC[family](quiet(two, limits=router.Limits(concurrency=1))) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.post("/", content=forever())
            await asyncio.sleep(0.1)
            count = len(pulled)
            await asyncio.sleep(0.1)
            assert len(pulled) == count
            assert idle(client.router)
            assert (await client.get("/")).status_code == 200

    asyncio.run(main())


@pytest.mark.parametrize("family", SYNC)
def test_a_forgotten_stream_gives_its_permit_back(two: Regions, family: str) -> None:
    with SYNC[family](quiet(two, limits=router.Limits(concurrency=1))) as client:
        forgotten = client.send(client.build_request("GET", "/"), stream=True)
        assert client.router.limiter.in_use == 1
        del forgotten
        gc.collect()
        assert idle(client.router)


def test_an_impatient_caller_ejects_nobody() -> None:
    with Regions(a=0.05, b=0.05) as regions, router.Client(quiet(regions)) as client:
        for _ in range(12):
            with pytest.raises(httpx.TimeoutException):
                client.post("/", timeout=0.01)
        health = {ranked.name: ranked.health for ranked in client.router.rank()}
    assert health == {"a": "healthy", "b": "healthy"}


def test_posts_alone_bring_a_healed_endpoint_back() -> None:
    failover = router.Failover(eject_for=0.05, eject_cap=0.1)
    with (
        Regions(near=0.0, far=0.05) as regions,
        router.Client(regions.config(failover=failover)) as client,
    ):
        assert client.router.wait_until_measured()
        regions["near"].respond = lambda _: Reply(500)
        while client.post("/").extensions["router"].endpoint == "near":
            pass
        regions["near"].respond = None
        until = time.monotonic() + 10.0
        while client.post("/").extensions["router"].endpoint != "near":
            assert time.monotonic() < until
            time.sleep(0.01)


def test_an_empty_idempotency_key_is_none(two: Regions) -> None:
    for region in two:
        region.respond = lambda _: Reply(500)
    with router.Client(quiet(two)) as client:
        client.post("/", headers={"Idempotency-Key": ""})
    assert len(two.received) == 1


def test_an_extension_cannot_name_another_target(two: Regions) -> None:
    with router.Client(quiet(two)) as client:
        client.get("/right", extensions={"target": b"/wrong", "sni_hostname": "wrong.test"})
    assert [request.target for request in two.received] == ["/right"]


def test_what_waits_for_its_turn_when_the_client_closes_is_not_sent(two: Regions) -> None:
    two["a"].silent = two["b"].silent = True

    async def main() -> None:
        failover = router.Failover(attempt_timeout=0.5, attempts=1)
        config = quiet(two, limits=router.Limits(concurrency=1), failover=failover)
        client = router.httpx2.AsyncClient(config)
        posts = [asyncio.ensure_future(client.post("/")) for _ in range(3)]
        await asyncio.sleep(0.1)
        await client.aclose()
        results = await asyncio.gather(*posts, return_exceptions=True)
        assert all(isinstance(result, router.RouterError) for result in results)

    asyncio.run(main())
    assert len(two.received) == 1


def test_a_long_lock_out_has_an_end(two: Regions) -> None:
    two["a"].respond = two["b"].respond = lambda _: Reply(429, {"Retry-After": "999999999"})
    with router.Client(quiet(two)) as client:
        client.get("/")
        with pytest.raises(router.RetryLaterError) as caught:
            client.get("/")
    assert caught.value.retry_after == pytest.approx(86400.0, abs=60.0)


def test_a_pipe_is_no_secrets_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    token = f"token: {{url: 'https://t.test', client_id: a, client_secret: {{file: {pipe}}}}}"
    with pytest.raises(router.ConfigError, match="is not a file"):
        loads(f"endpoints: ['https://a.test']\n{token}\n")


def test_no_secret_stands_in_a_frames_local(two: Regions) -> None:
    for region in two:
        region.kill()
    headers = {"X-Api-Key": "planted-key"}
    failover = router.Failover(attempts=2)
    with (
        router.Client(quiet(two, failover=failover)) as client,
        pytest.raises(router.RouterError) as caught,
    ):
        client.post("/?q=planted-query", headers=headers, content=b"planted-body")
    traceback = caught.value.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        if "/router/" in frame.f_code.co_filename:
            shown = {name: repr(value) for name, value in frame.f_locals.items()}
            assert "planted" not in str({n: r for n, r in shown.items() if n != "request"})
        traceback = traceback.tb_next
