"""The face towards httpx and httpx2: what a caller sends arrives, what comes back is its own."""

from __future__ import annotations

import asyncio
import os
import pickle
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
from wire_pools import pools_here

import router
from router.ports import AsyncioPort, run
from router.testing import Received, Regions, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SYNC: dict[str, Any] = {"httpx": (router.Client, httpx), "httpx2": (router.httpx2.Client, httpx2)}
ASYNC: dict[str, Any] = {
    "httpx": (router.AsyncClient, httpx),
    "httpx2": (router.httpx2.AsyncClient, httpx2),
}


def echo(request: Received) -> Reply:
    headers = {"X-Region": request.region, "X-Seen": request.headers.get("x-own", "")}
    return Reply(headers=headers, body=request.body)


@pytest.fixture
def pair() -> Iterator[Regions]:
    with Regions(a=0.0, b=0.0) as regions:
        for region in regions:
            region.respond = echo
        yield regions


def quiet(regions: Regions, **sections: Any) -> router.Config:
    sections.setdefault("probe", router.Probe(enabled=False))
    return regions.config(**sections)


@pytest.mark.parametrize("family", SYNC)
def test_headers_body_and_query_arrive_as_they_were_sent(pair: Regions, family: str) -> None:
    client_class, _ = SYNC[family]
    with client_class(quiet(pair), headers={"X-Own": "mine"}) as client:
        response = client.post("/a%20b?c=d&c=e", content=b"body")
    (got,) = pair.received
    assert (got.target, got.body, got.headers["x-own"]) == ("/a%20b?c=d&c=e", b"body", "mine")
    assert got.headers["host"] == f"127.0.0.1:{pair['a'].port}"
    assert (response.text, response.headers["x-seen"]) == ("body", "mine")


@pytest.mark.parametrize("family", SYNC)
def test_an_iterator_is_sent_once_and_only_if_it_was_not_begun(pair: Regions, family: str) -> None:
    client_class, _ = SYNC[family]
    pair["a"].kill()
    with client_class(quiet(pair)) as client:
        response = client.put("/", content=iter([b"one ", b"two"]))
        assert response.text == "one two"
        pair["b"].respond = lambda _: Reply(503, body=b"busy")
        response = client.put("/", content=iter([b"three"]))
    assert (response.status_code, response.text) == (503, "busy")
    assert [request.body for request in pair.received] == [b"one two", b"three"]


@pytest.mark.parametrize("family", ASYNC)
def test_the_last_answer_is_kept_and_tells_an_sdk_not_to_retry(pair: Regions, family: str) -> None:
    for region in pair:
        region.respond = lambda request: Reply(503, body=request.region.encode())
    client_class, _ = ASYNC[family]

    async def main() -> Any:
        config = quiet(pair, failover=router.Failover(attempts=2))
        async with client_class(config) as client:
            return await client.get("/")

    response = asyncio.run(main())
    assert (response.status_code, response.text) == (503, "b")
    assert response.headers["x-should-retry"] == "false"
    assert [a.endpoint for a in response.extensions["router"].attempts] == ["a", "b"]


@pytest.mark.parametrize("family", ASYNC)
def test_a_kept_answer_is_given_when_the_next_endpoint_is_dead(pair: Regions, family: str) -> None:
    pair["a"].respond = lambda _: Reply(503, body=b"kept")
    pair["b"].kill()
    client_class, _ = ASYNC[family]

    async def main() -> Any:
        config = quiet(pair, failover=router.Failover(attempts=2))
        async with client_class(config) as client:
            response = await client.get("/")
            assert client.router.pool.in_flight() == {"a": 0, "b": 0}
            return response

    response = asyncio.run(main())
    assert (response.status_code, response.text) == (503, "kept")
    assert response.extensions["router"].endpoint == "a"


@pytest.mark.parametrize("family", SYNC)
def test_a_stream_that_breaks_raises_the_familys_error(pair: Regions, family: str) -> None:
    client_class, http = SYNC[family]
    pair["a"].respond = lambda _: Reply(chunks=(b"begun",) * 50, pause=0.05)
    with client_class(quiet(pair)) as client:
        with client.stream("GET", "/") as response:
            chunks = response.iter_bytes()
            assert next(chunks) == b"begun"
            pair["a"].kill()
            with pytest.raises(http.TransportError):
                list(chunks)
        assert client.router.pool.in_flight() == {"a": 0, "b": 0}
    assert len(pair.received) == 1


@pytest.mark.parametrize("family", ASYNC)
def test_an_async_stream_that_breaks_raises_the_familys_error(pair: Regions, family: str) -> None:
    client_class, http = ASYNC[family]
    pair["a"].respond = lambda _: Reply(chunks=(b"begun",) * 50, pause=0.05)

    async def main() -> None:
        async with client_class(quiet(pair)) as client:
            async with client.stream("GET", "/") as response:
                chunks: AsyncIterator[bytes] = response.aiter_bytes()
                assert await anext(chunks) == b"begun"
                await asyncio.to_thread(pair["a"].kill)
                with pytest.raises(http.TransportError):
                    async for _ in chunks:
                        pass
            assert client.router.pool.in_flight() == {"a": 0, "b": 0}

    asyncio.run(main())


@pytest.mark.parametrize("family", SYNC)
def test_silence_ends_by_the_attempts_timeout_and_says_what_may_have_happened(
    pair: Regions, family: str
) -> None:
    client_class, http = SYNC[family]
    pair["a"].silent = True
    failover = router.Failover(attempt_timeout=0.2)
    with client_class(quiet(pair, failover=failover)) as client:
        assert client.get("/").headers["x-region"] == "b"
        pair["b"].silent = True
        with pytest.raises(http.ReadTimeout) as caught:
            client.post("/", content=b"order")
    assert isinstance(caught.value, router.AttemptsFailedError)
    assert caught.value.maybe_processed
    failed: Any = caught.value  # an error of ours and of the family
    assert failed.request.url.path == "/"
    assert len([r for r in pair.received if r.method == "POST"]) == 1


def test_an_error_can_be_pickled_and_asked_afterwards(pair: Regions) -> None:
    for region in pair:
        region.kill()
    config = quiet(pair, failover=router.Failover(attempts=2))
    with router.Client(config) as client, pytest.raises(router.AttemptsFailedError) as caught:
        client.get("/")
    revived = pickle.loads(pickle.dumps(caught.value))
    assert type(revived) is router.AttemptsFailedError
    assert str(revived) == str(caught.value)
    assert [a.endpoint for a in revived.attempts] == ["a", "b"]
    wrong = pickle.loads(pickle.dumps(router.ConfigError("one", "two")))
    assert (type(wrong), wrong.problems) == (router.ConfigError, ("one", "two"))


def test_a_header_that_is_not_valid_http_is_the_callers_error(pair: Regions) -> None:
    with router.Client(quiet(pair)) as client, pytest.raises(httpx.LocalProtocolError):
        client.get("/", headers={"X-Own": "two\r\nlines"})
    assert pair.received == []


def test_clients_of_one_router_share_it_and_leave_it_open(pair: Regions) -> None:
    with router.Router(quiet(pair)) as shared:
        with router.Client(shared) as first:
            first.get("/")
        with router.httpx2.Client(shared) as second:
            second.get("/")
        assert sum(state.answers for state in shared.pool._roster.states.values()) == 2


def test_one_router_serves_ten_event_loops_one_after_another_and_two_at_once(
    pair: Regions,
) -> None:
    async def ask(client: router.AsyncClient) -> int:
        return (await client.get("/")).status_code

    with router.Router(quiet(pair)) as shared:

        async def main() -> list[int]:
            async with router.AsyncClient(shared) as client:
                return list(await asyncio.gather(*(ask(client) for _ in range(10))))

        for _ in range(10):
            assert asyncio.run(main()) == [200] * 10
        with ThreadPoolExecutor(2) as threads:
            both = [threads.submit(asyncio.run, main()) for _ in range(2)]
            assert [future.result() for future in both] == [[200] * 10] * 2


def test_a_forked_child_goes_on_with_connections_of_its_own(pair: Regions) -> None:
    config = pair.config(limits=router.Limits(concurrency=4))
    with router.Client(config) as client:
        assert client.get("/").status_code == 200
        child = os.fork()
        if child == 0:
            answers = {client.post("/", content=b"child %d" % i).content for i in range(50)}
            os._exit(0 if answers == {b"child %d" % i for i in range(50)} else 1)
        answers = {client.post("/", content=b"parent %d" % i).content for i in range(50)}
        assert answers == {b"parent %d" % i for i in range(50)}
        assert os.waitpid(child, 0)[1] == 0


def test_a_flow_that_suspends_over_a_blocking_port_is_a_bug() -> None:
    async def suspends() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="suspended over a blocking port"):
        run(suspends())


def test_waiting_for_a_shared_future_never_cancels_it() -> None:
    async def main() -> None:
        port = AsyncioPort(None)  # type: ignore[arg-type]
        future: Future[int] = Future()
        with pytest.raises(TimeoutError):
            await port.wait(future, 0.01)
        task = asyncio.ensure_future(port.wait(future, None))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert not future.cancelled()
        future.set_result(7)
        assert await port.wait(future, None) == 7

    asyncio.run(main())


@pytest.mark.parametrize("family", SYNC)
def test_reloads_that_change_only_a_tag_keep_one_pool(pair: Regions, family: str) -> None:
    client_class, _ = SYNC[family]
    config = quiet(pair)
    with client_class(config) as client:
        for turn in range(30):
            tagged = tuple(replace(e, tags=(f"t{turn}",)) for e in config.endpoints)
            client.router.reload(replace(config, endpoints=tagged))
            assert client.get("/").status_code == 200
        assert [server[2] for server in pools_here(client)] == [pair["a"].port]
