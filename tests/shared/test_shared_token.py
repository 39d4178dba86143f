"""One token for the fleet, against a real store and a real token server."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from redis_server import redis_server
from sharing_bench import bench, nap, until, workers

from router.auth.grant import Grant, TokenForm
from router.auth.oauth import OAuthFetcher
from router.config.settings import TokenSettings
from router.errors import TokenError
from router.secret import Secret
from router.testing.oauth import TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis_server import RedisServer
    from sharing_bench import Bench

    from router.shared.token import SharedToken

PROCESSES = int(os.environ.get("SHARED_TOKEN_PROCESSES", "10"))
"""Sixty-four show what is claimed; the gate has not that much memory."""
KEY = "a key that only the fleet knows"
SETTINGS = TokenSettings(
    url="https://auth.example.com/token", client_id="c", client_secret=Secret("s")
)
PLAIN = TokenForm(grant="client_credentials")
ROTATING = TokenForm(grant="refresh_token", refresh_token=Secret("refresh-0"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


class Source:
    """A token server in a function: counts, and can fail or be slow."""

    def __init__(self) -> None:
        self.forms: list[TokenForm] = []
        self.delay = 0.0
        self.error: Exception | None = None

    async def __call__(self, form: TokenForm) -> Grant:
        self.forms.append(form)
        await asyncio.sleep(self.delay)
        if self.error is not None:
            raise self.error
        count = len(self.forms)
        rotated = Secret(f"refresh-{count}") if form.refresh_token else None
        return Grant(Secret(f"planted-access-{count}"), 600.0, rotated)


def started(made: Bench) -> SharedToken:
    shared = made.sharing.token(SETTINGS)
    assert shared is not None
    made.start()
    return shared


def obtain(made: Bench, shared: SharedToken, source: Any, form: TokenForm = PLAIN) -> Grant:
    return made.background.spawn(shared.obtain(form, source)).result(30)


def test_many_processes_that_start_at_once_make_one_token_request(server: RedisServer) -> None:
    with TokenServer() as auth:
        auth.delay = 0.2
        job = {"job": "token", "url": server.url, "key": KEY, "server": auth.url}
        job |= {"client_id": auth.client_id, "client_secret": auth.client_secret}
        with workers(*[{}] * PROCESSES, **job) as started_workers:
            for worker in started_workers:
                worker.go()
            answers = [worker.says() for worker in started_workers]
        assert auth.requests == 1
        assert len({answer["token"] for answer in answers}) == 1
        assert all(3000 < answer["left"] <= 3600 for answer in answers)


def test_who_has_had_the_token_gets_a_new_one_and_the_others_take_that(
    server: RedisServer,
) -> None:
    source = Source()
    with bench(server.url, key=Secret(KEY)) as one, bench(server.url, key=Secret(KEY)) as two:
        first, second = started(one), started(two)
        assert obtain(one, first, source).access_token.reveal() == "planted-access-1"
        assert obtain(two, second, source).access_token.reveal() == "planted-access-1"
        assert obtain(one, first, source).access_token.reveal() == "planted-access-2"
        assert obtain(two, second, source).access_token.reveal() == "planted-access-2"
        assert len(source.forms) == 2


def test_a_rotated_refresh_token_is_stored_before_anyone_is_answered(server: RedisServer) -> None:
    source = Source()
    with bench(server.url, key=Secret(KEY)) as one, bench(server.url, key=Secret(KEY)) as two:
        first, second = started(one), started(two)
        obtain(one, first, source, ROTATING)
        taken = obtain(two, second, source, ROTATING)
        assert taken.refresh_token == Secret("refresh-1")
        obtain(two, second, source, ROTATING)  # it knows refresh-0 only, as configured
        sent = [form.refresh_token.reveal() for form in source.forms if form.refresh_token]
        assert sent == ["refresh-0", "refresh-1"]


def test_a_rotated_refresh_token_survives_an_outage_of_the_store(
    server: RedisServer,
) -> None:
    source = Source()
    source.delay = 0.3
    with bench(server.url, key=Secret(KEY)) as made:
        shared = started(made)
        getting = made.background.spawn(shared.obtain(ROTATING, source))
        until(lambda: source.forms)
        server.stop()
        nap(0.8)  # the grant came meanwhile
        assert not getting.done()
        server.start()
        assert getting.result(10).refresh_token == Secret("refresh-1")
        with bench(server.url, key=Secret(KEY)) as other:
            taken = obtain(other, started(other), source, ROTATING)
            assert taken.refresh_token == Secret("refresh-1")
        assert len(source.forms) == 1


def test_redis_holds_no_token_in_clear_and_another_key_reads_nothing(server: RedisServer) -> None:
    source = Source()
    with bench(server.url, key=Secret(KEY)) as one, bench(server.url, key=Secret("other")) as two:
        obtain(one, started(one), source)
        for key in server.cli("keys", "*{token:*").split():
            dumped = server.cli("--no-raw", "dump", key)
            assert "planted" not in dumped
        obtain(two, started(two), source)
        assert len(source.forms) == 2


def test_a_text_moved_to_another_place_is_not_believed(server: RedisServer) -> None:
    source = Source()
    with bench(server.url, key=Secret(KEY)) as one, bench(server.url, key=Secret(KEY)) as two:
        obtain(one, started(one), source)
        other = replace(PLAIN, scope="admin")
        obtain(one, one.sharing.token(SETTINGS) or started(one), source, other)
        states = [key for key in server.cli("keys", "*state").split() if "{token:" in key]
        server.cli("copy", states[0], states[1], "REPLACE")
        server.cli("copy", states[1], states[0], "REPLACE")
        shared = started(two)
        obtain(two, shared, source)
        obtain(two, shared, source, other)
        assert len(source.forms) == 3


def test_a_failure_is_everybodys_for_a_second(server: RedisServer) -> None:
    source = Source()
    source.error = TokenError("the server said no")
    with bench(server.url, key=Secret(KEY)) as one, bench(server.url, key=Secret(KEY)) as two:
        first, second = started(one), started(two)
        with pytest.raises(TokenError, match="said no"):
            obtain(one, first, source)
        with pytest.raises(TokenError, match="another process has just failed") as caught:
            obtain(two, second, source)
        assert caught.value.retry_after is not None
        assert 0 < caught.value.retry_after <= 1
        source.error = None
        nap(1.0)
        assert obtain(two, second, source).access_token.reveal() == "planted-access-2"


def test_a_failure_of_one_token_server_leaves_the_others_to_be_asked(server: RedisServer) -> None:
    source = Source()
    source.error = TokenError("the server said no")
    first, second = (replace(PLAIN, url=f"https://{name}.test/token") for name in "ab")
    with bench(server.url, key=Secret(KEY)) as made, bench(server.url, key=Secret(KEY)) as other:
        shared, others = started(made), started(other)
        with pytest.raises(TokenError, match="said no"):
            obtain(made, shared, source, first)
        source.error = None
        with pytest.raises(TokenError, match="another process has just failed"):
            obtain(other, others, source, first)
        assert obtain(made, shared, source, second).access_token.reveal() == "planted-access-2"
        assert obtain(other, others, source, first).access_token.reveal() == "planted-access-2"


def test_what_no_token_server_grants_is_not_shared(server: RedisServer) -> None:
    with bench(server.url, key=Secret(KEY)) as made:
        static = TokenSettings(grant="static", value=Secret("planted-key"))
        assert made.sharing.token(static) is None


def test_the_turn_of_a_killed_process_passes_on(server: RedisServer) -> None:
    source = Source()
    job = {"job": "turn", "url": server.url, "key": KEY, "seconds": 60.0}
    with workers({}, **job) as (worker,), bench(server.url, key=Secret(KEY)) as made:
        settings = TokenSettings(
            url="https://x.test/token", client_id="c", client_secret=Secret("s")
        )
        shared = made.sharing.token(settings)
        assert shared is not None
        made.start()
        getting = made.background.spawn(shared.obtain(PLAIN, source))
        nap(2.5)
        assert not source.forms  # the turn is renewed while its holder lives
        worker.process.kill()
        killed = time.monotonic()
        getting.result(10)
        assert time.monotonic() - killed < 2.5


def test_without_the_store_each_fetches_though_never_by_a_refresh_token(
    server: RedisServer,
) -> None:
    source = Source()
    with bench(server.url, key=Secret(KEY)) as made:
        shared = started(made)
        server.stop()
        assert obtain(made, shared, source).access_token.reveal() == "planted-access-1"
        with pytest.raises(TokenError, match="only it knows the refresh token"):
            obtain(made, shared, source, ROTATING)
        assert len(source.forms) == 1


def test_without_a_key_tokens_are_not_shared(server: RedisServer) -> None:
    with bench(server.url) as made:
        assert made.sharing.token(SETTINGS) is None


def test_a_late_fetcher_does_not_put_an_old_token_over_a_newer_one(server: RedisServer) -> None:
    from router.shared.token_scripts import KEEP  # noqa: PLC0415 - only here

    with bench(server.url, key=Secret(KEY)) as made:
        started(made)
        keys = tuple(made.sharing.keys.key("token:x", what) for what in ("state", "turn", "fail"))

        def keep(fence: str) -> int:
            args: list[str | float | bytes] = ["nobody", fence, b"sealed", 1e6, 1000]
            call = made.sharing.store.call(KEEP, keys, args)
            return int(made.background.spawn(call).result(10))

        assert [keep("20"), keep("10"), keep("21")] == [1, 0, 1]


def test_the_fetcher_of_the_house_goes_through_it(server: RedisServer) -> None:
    with TokenServer() as auth, bench(server.url, key=Secret(KEY)) as made:
        settings = auth.settings()
        fetcher = OAuthFetcher(settings, ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        shared = started(made)
        assert obtain(made, shared, fetcher).lifetime == 3600
        assert auth.requests == 1
