"""One manager, many threads and tasks, a real token server and the real background thread."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from router.auth.oauth import OAuthFetcher
from router.auth.token import Token, TokenManager
from router.background import Background
from router.errors import TokenError
from router.testing.oauth import TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY_TRUSTED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # made in a hundredth of the time
EACH = 64
PATIENCE = 10.0


class Clock:
    """Real seconds, and those that a test leaps over."""

    def __init__(self) -> None:
        self.leapt = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.leapt


class Bench:
    """A token server, the background thread, and a manager on a clock that can leap."""

    def __init__(self, server: TokenServer, background: Background) -> None:
        self.server = server
        self.background = background
        self.clock = Clock()
        self.manager = self.make(server.settings())

    def make(self, settings: Any) -> TokenManager:
        return TokenManager(
            settings,
            fetch=OAuthFetcher(settings, ssl_context=NOBODY_TRUSTED),
            spawn=self.background.spawn,
            random=Random(1),
            clock=self.clock,
        )

    def token(self) -> Token:
        """Do as a blocking request does."""
        now = self.clock()
        return self.manager.current(now) or self.manager.request(now).result(PATIENCE)

    async def token_async(self) -> Token:
        """Do as an asyncio request does."""
        now = self.clock()
        token = self.manager.current(now)
        if token is None:
            token = await asyncio.wrap_future(self.manager.request(now))
        return token

    def under_way(self) -> bool:
        """Whether a token request is."""
        return any(token["under_way"] for token in self.manager.describe(self.clock())["tokens"])

    def landed(self) -> None:
        """Wait until no token request is under way."""
        ends = time.monotonic() + PATIENCE
        while self.under_way() and time.monotonic() < ends:
            time.sleep(0.005)


@pytest.fixture
def bench() -> Iterator[Bench]:
    background = Background(list)
    with TokenServer() as server:
        yield Bench(server, background)
        server.stop()
        background.stop()


def storm(thread_body: Any, task_body: Any) -> list[Any]:
    """Run 64 threads and 64 tasks that start together; return what they return."""
    gate = threading.Barrier(EACH + 1)

    def one() -> Any:
        gate.wait(PATIENCE)
        return thread_body()

    async def all_tasks() -> list[Any]:
        await asyncio.to_thread(gate.wait, PATIENCE)
        return await asyncio.gather(*(task_body() for _ in range(EACH)))

    with ThreadPoolExecutor(EACH) as pool:
        threads = [pool.submit(one) for _ in range(EACH)]
        return asyncio.run(all_tasks()) + [thread.result(PATIENCE) for thread in threads]


def test_64_threads_and_64_tasks_without_a_token_make_one_request(bench: Bench) -> None:
    bench.server.delay = 0.1
    tokens = storm(bench.token, bench.token_async)
    assert len(tokens) == 2 * EACH
    assert len(set(tokens)) == 1
    assert bench.server.requests == 1


def test_64_threads_and_64_tasks_with_a_stale_token_make_one_request(bench: Bench) -> None:
    stale = bench.token()
    bench.server.revoke(stale.value.reveal())

    def accepted(token: Token) -> bool:
        if bench.server.accepts(token.value.reveal()):
            return True
        bench.manager.reject(token, bench.clock())
        return False

    def thread_body() -> int:
        return next(n for n in range(1, 9) if accepted(bench.token()))

    async def task_body() -> int:
        for n in range(1, 9):
            if accepted(await bench.token_async()):
                return n
        return 9

    assert max(storm(thread_body, task_body)) <= 2
    assert bench.server.requests == 2


def test_a_cancelled_task_and_a_timed_out_thread_leave_the_flight_alone(bench: Bench) -> None:
    bench.server.delay = 60
    waiter = bench.manager.request(bench.clock())

    async def give_up() -> None:
        async with asyncio.timeout(0.02):
            await bench.token_async()

    for _ in range(20):
        with pytest.raises(TimeoutError):
            asyncio.run(give_up())
    with pytest.raises(TimeoutError):
        bench.manager.request(bench.clock()).result(0.01)
    bench.server.stop()  # ends the delay
    assert bench.server.accepts(waiter.result(PATIENCE).value.reveal())
    assert bench.server.requests == 1


@pytest.mark.parametrize("fault", ["refused", "500", "garbage"])
def test_a_dead_token_server_costs_nothing_while_the_token_lives(bench: Bench, fault: str) -> None:
    old = bench.token()
    if fault == "refused":
        bench.server.stop()
    bench.server.status = 500 if fault == "500" else None
    bench.server.raw = b"[" * 60_000 if fault == "garbage" else None
    bench.clock.leapt += 3600 - 60
    assert [bench.token() for _ in range(50)] == [old] * 50
    bench.landed()
    assert bench.token() is old
    assert bench.server.requests == (1 if fault == "refused" else 2)
    bench.clock.leapt += 61
    with pytest.raises(TokenError):
        bench.token()
    bench.server.status = bench.server.raw = None
    if fault == "refused":
        bench.server.start()
    bench.clock.leapt += 31
    assert bench.server.accepts(bench.token().value.reveal())


def test_a_hanging_token_server_costs_nothing_while_the_token_lives(bench: Bench) -> None:
    old = bench.token()
    bench.server.delay = 60
    bench.clock.leapt += 3600 - 60
    assert [bench.token() for _ in range(50)] == [old] * 50
    bench.clock.leapt += 61
    with pytest.raises(TimeoutError):
        bench.manager.request(bench.clock()).result(0.05)
    assert bench.server.requests == 2


@pytest.mark.parametrize("lifetime", [0, 1, -1, "1", None])
def test_odd_lifetimes_do_not_stop_requests(bench: Bench, lifetime: object) -> None:
    bench.server.lifetime = lifetime
    for step in range(1, 6):
        for _ in range(20):
            assert bench.server.accepts(bench.token().value.reveal())
        bench.landed()
        assert bench.server.requests <= step
        bench.clock.leapt += 1


@pytest.mark.parametrize(
    "raw",
    [
        b'{"access_token": 1}',
        b'{"access_token": "a", "expires_in": NaN}',
        json.dumps({"access_token": "a" * 60_000}).encode(),
        b'{"a":' * 10_000,
        b" " * 100_000,
    ],
)
def test_a_garbled_refresh_leaves_the_old_token(bench: Bench, raw: bytes) -> None:
    old = bench.token()
    bench.server.raw = raw
    bench.clock.leapt += 3550
    assert bench.token() is old
    bench.landed()
    assert bench.server.requests == 2
    assert bench.token() is old


def test_rotating_refresh_tokens_survive_many_refreshes(bench: Bench) -> None:
    bench.manager = bench.make(bench.server.settings("refresh_token"))
    for count in range(1, 6):
        assert bench.server.accepts(bench.token().value.reveal())
        assert bench.server.requests == count
        bench.clock.leapt += 4000
    bench.server.rotate = False
    for _ in range(2):
        assert bench.server.accepts(bench.token().value.reveal())
        bench.clock.leapt += 4000


def test_the_background_ending_fails_the_waiters_with_a_token_error(bench: Bench) -> None:
    bench.server.delay = 60
    waiter = bench.manager.request(bench.clock())
    while bench.server.requests == 0:
        time.sleep(0.005)
    bench.background.stop()
    with pytest.raises(TokenError):
        waiter.result(PATIENCE)
