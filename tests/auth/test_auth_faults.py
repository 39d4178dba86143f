"""The faults of a token server through whole clients: F14 to F18, over both libraries.

Each fault runs with threads and with tasks at once, and the token server counts its requests.
"""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import router
from router.testing import Received, Regions, Reply, TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator

EACH = 64
PATIENCE = 20.0
CLIENTS: dict[str, tuple[Any, Any]] = {
    "httpx": (router.Client, router.AsyncClient),
    "httpx2": (router.httpx2.Client, router.httpx2.AsyncClient),
}


class World:
    """Three regions that let in whoever brings a token that the server granted."""

    def __init__(self, regions: Regions, server: TokenServer) -> None:
        self.regions = regions
        self.server = server
        self.status: int | None = None
        for region in regions:
            region.respond = self.answer

    def answer(self, request: Received) -> Reply:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return Reply(self.status or (200 if self.server.accepts(token) else 401))

    def router(self, **token: Any) -> router.Router:
        settings = replace(self.server.settings(), **token)
        config = self.regions.config(token=settings, probe=router.Probe(enabled=False))
        return router.Router(config)


@pytest.fixture
def world() -> Iterator[World]:
    with Regions(near=0.0, middle=0.002, far=0.004) as regions, TokenServer() as server:
        yield World(regions, server)
        server.stop()


def storm(shared: router.Router, family: str, *, each: int = EACH) -> list[int]:
    """Send from 64 threads and 64 tasks that start together; return the statuses."""
    blocking, suspending = CLIENTS[family]
    gate = threading.Barrier(each + 1)

    def one(client: Any) -> int:
        gate.wait(PATIENCE)
        return int(client.get("/").status_code)

    async def tasks() -> list[int]:
        async with suspending(shared) as client:
            await asyncio.to_thread(gate.wait, PATIENCE)
            answers = await asyncio.gather(*(client.get("/") for _ in range(each)))
            return [answer.status_code for answer in answers]

    with blocking(shared) as client, ThreadPoolExecutor(each) as pool:
        threads = [pool.submit(one, client) for _ in range(each)]
        return asyncio.run(tasks()) + [thread.result(PATIENCE) for thread in threads]


@pytest.mark.parametrize("family", CLIENTS)
def test_f14_a_stale_token_costs_one_token_request_and_one_repeat(
    world: World, family: str
) -> None:
    with world.router() as shared:
        with router.Client(shared) as client:
            client.get("/")
        world.server.revoke(world.regions.received[0].headers["authorization"][7:])
        world.server.delay = 0.1
        assert storm(shared, family) == [200] * 2 * EACH
    assert world.server.requests == 2
    seen = len(world.regions.received) - 1
    assert 2 * EACH < seen <= 4 * EACH


@pytest.mark.parametrize("family", CLIENTS)
def test_f14_without_a_token_all_wait_for_one_request(world: World, family: str) -> None:
    world.server.delay = 0.2
    with world.router() as shared:
        assert storm(shared, family) == [200] * 2 * EACH
    assert (world.server.requests, len(world.regions.received)) == (1, 2 * EACH)


@pytest.mark.parametrize("family", CLIENTS)
def test_f14_a_second_401_goes_to_the_caller_and_a_403_asks_for_no_token(
    world: World, family: str
) -> None:
    world.status = 403
    with world.router() as shared:
        assert storm(shared, family) == [403] * 2 * EACH
        assert (world.server.requests, len(world.regions.received)) == (1, 2 * EACH)
        world.status = 401
        began = time.monotonic()
        assert storm(shared, family) == [401] * 2 * EACH
        elapsed = time.monotonic() - began
    assert 2 <= world.server.requests <= 2 + elapsed + 1
    assert len(world.regions.received) <= 6 * EACH


def until_it_fails(client: Any, within: float) -> tuple[int, float]:
    """Send until TokenError; return how many requests were answered, and how long it raised."""
    answered, ends = 0, time.monotonic() + within
    while time.monotonic() < ends:
        began = time.monotonic()
        try:
            assert client.get("/").status_code == 200
        except router.TokenError:
            return answered, time.monotonic() - began
        answered += 1
        time.sleep(0.01)
    raise AssertionError("the token outlived its lifetime")


@pytest.mark.parametrize("fault", ["refused", "500", "hanging"])
@pytest.mark.parametrize("family", CLIENTS)
def test_f15_a_dead_token_server_fails_nobody_before_the_token_expires(
    world: World, family: str, fault: str
) -> None:
    world.server.lifetime = 2
    with world.router(timeout=0.3) as shared, CLIENTS[family][0](shared) as client:
        began = time.monotonic()
        client.get("/")
        break_down(world.server, fault)
        answered, took = until_it_fails(client, within=6)
        lived = time.monotonic() - began
        assert lived >= 2
        assert answered > 50
        assert took < 0.6  # one more look at most, far within the deadline
        if fault != "refused":
            assert world.server.requests <= 1 + 3  # at 1 s, and a step of 1 to 1.5 s later
        mend(world.server)
        step = time.monotonic()
        while not is_served(client):
            assert time.monotonic() - step < 6.5  # the third step is at most that
            time.sleep(0.01)


def is_served(client: Any) -> bool:
    try:
        return bool(client.get("/").status_code == 200)
    except router.TokenError:
        return False


def break_down(server: TokenServer, fault: str) -> None:
    if fault == "refused":
        server.stop()
    server.status = 500 if fault == "500" else None
    server.delay = 60.0 if fault == "hanging" else 0.0


def mend(server: TokenServer) -> None:
    server.stop()
    server.status, server.delay = None, 0.0
    server.start()


def timed(client: Any, seconds: float) -> list[float]:
    took, ends = [], time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.monotonic()
        assert client.get("/").status_code == 200
        took.append(time.monotonic() - began)
    return took


@pytest.mark.parametrize("family", CLIENTS)
@pytest.mark.alone
@pytest.mark.untraced
def test_f16_a_slow_refresh_slows_no_request(world: World, family: str) -> None:
    world.server.lifetime = 7
    with world.router() as shared, CLIENTS[family][0](shared) as client:
        client.get("/")
        without = timed(client, 1.0)
        world.server.delay = 2.0
        while world.server.requests < 2:  # it begins after half of the token's life
            timed(client, 0.05)
        during = timed(client, 1.5)
        assert world.server.requests == 2
    assert statistics.median(during) < 1.2 * statistics.median(without) + 0.001
    assert max(during) < 1.0  # nobody waited for the refresh


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>planted",
        b'{"access_token": 1}',
        b"[" * 60_000,
        b'{"access_token": "a", "expires_in": NaN}',
    ],
)
def test_f17_garbage_leaves_the_old_token_and_is_a_token_error_without_one(
    world: World, raw: bytes
) -> None:
    world.server.lifetime = 2
    with world.router() as shared, router.Client(shared) as client:
        client.get("/")
        world.server.raw = raw
        while world.server.requests < 2:
            assert client.get("/").status_code == 200
            time.sleep(0.01)
        assert client.get("/").status_code == 200
        with pytest.raises(
            router.TokenError, match=r"the token server \S+ answered with"
        ) as caught:
            timed(client, 5.0)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("lifetime", [0, 1, -1, None])
@pytest.mark.parametrize("family", CLIENTS)
@pytest.mark.untraced
def test_f18_an_odd_lifetime_costs_at_most_one_token_request_a_second(
    world: World, family: str, lifetime: object
) -> None:
    world.server.lifetime = lifetime
    with world.router() as shared:
        began = time.monotonic()
        while time.monotonic() - began < 2.2:
            assert storm(shared, family, each=8) == [200] * 16
            time.sleep(0.02)
        elapsed = time.monotonic() - began
    assert world.server.requests <= 1 + elapsed


def test_a_second_token_server_takes_over_within_the_same_request(world: World) -> None:
    with TokenServer() as other:
        other.stop()
        urls = (other.url, world.server.url)
        with world.router(url=urls) as shared, router.Client(shared) as client:
            assert client.get("/").status_code == 200
            told = shared.tokens.describe(shared.now()) if shared.tokens else {}
    assert [server["failures"] for server in told["servers"]] == [1, 0]
    assert "refuses connections" in told["servers"][0]["failure"]


def audiences(world: World, *scopes: str) -> router.Config:
    config = world.regions.config(token=world.server.settings(), probe=router.Probe(enabled=False))
    pairs = zip(config.endpoints, scopes, strict=True)
    return replace(config, endpoints=tuple(replace(e, scope=s) for e, s in pairs))


def test_endpoints_of_one_scope_share_a_token_and_others_have_their_own(world: World) -> None:
    names = {"near", "middle", "far"}
    with (
        router.Router(audiences(world, "eu", "eu", "us")) as shared,
        router.Client(shared) as client,
    ):
        for name in ("near", "middle", "far", "near", "far"):
            for other in names - {name}:
                shared.drain(other)
            assert client.get("/").extensions["router"].endpoint == name
            for other in names - {name}:
                shared.undrain(other)
    assert [form["scope"] for form in world.server.forms] == ["eu", "us"]
    tokens = {
        region.name: {request.headers["authorization"] for request in region.received}
        for region in world.regions
    }
    assert tokens["near"] == tokens["middle"]
    assert tokens["near"] != tokens["far"]


@pytest.mark.parametrize("family", CLIENTS)
def test_an_endpoint_whose_scope_is_refused_is_passed_over(world: World, family: str) -> None:
    world.server.scopes = frozenset({"us"})
    with router.Router(audiences(world, "eu", "eu", "us")) as shared:
        assert storm(shared, family) == [200] * 2 * EACH
        assert shared.snapshot()["limiter"] == {"in_use": 0, "waiting": 0}
        assert all(row["in_flight"] == 0 for row in shared.snapshot()["endpoints"])
        shared.drain("far")
        with router.Client(shared) as client, pytest.raises(router.TokenError, match="invalid_sc"):
            client.get("/")
    assert [form["scope"] for form in world.server.forms].count("us") == 1
    assert {region.name for region in world.regions if region.received} == {"far"}
