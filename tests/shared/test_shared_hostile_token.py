"""Absurd values where the fleet's token is kept: it goes on being shared, and does end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from redis_server import redis_server
from sharing_bench import bench
from token_bench import KEY, fetched

from router.auth.grant import LONGEST_LIFETIME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis_server import RedisServer
    from sharing_bench import Bench


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def both(server: RedisServer) -> Iterator[tuple[Bench, Bench]]:
    """Two processes that share a token."""
    with bench(server.url, key=KEY) as one, bench(server.url, key=KEY) as two:
        one.start()
        two.start()
        yield one, two


def token_key(server: RedisServer, what: str) -> str:
    return next(key for key in server.cli("keys", "*").split() if key.endswith(f":{what}"))


@pytest.mark.parametrize("fence", ["9" * 30, "inf", "nan", "no number", "-1"])
def test_an_absurd_fence_does_not_end_the_sharing_of_tokens(
    server: RedisServer, both: tuple[Bench, Bench], fence: str
) -> None:
    texts: list[str] = []
    one, two = both
    fetched(one, texts)
    server.cli("hset", token_key(server, "state"), "fence", fence)
    fetched(one, texts)
    assert fetched(two, texts).access_token.reveal() == texts[-1]
    assert len(texts) <= 2


@pytest.mark.parametrize("end", ["inf", "9" * 400, "nan", "no number"])
def test_a_stored_token_that_never_ends_is_believed_for_a_day(
    server: RedisServer, both: tuple[Bench, Bench], end: str
) -> None:
    texts: list[str] = []
    one, two = both
    fetched(one, texts)
    server.cli("hset", token_key(server, "state"), "until", end)
    assert fetched(two, texts).lifetime <= LONGEST_LIFETIME


def test_a_turn_that_is_nobodys_ends(server: RedisServer) -> None:
    texts: list[str] = []
    with bench(server.url, key=KEY) as made:
        made.start()
        fetched(made, texts)
        turn = token_key(server, "state").removesuffix("state") + "turn"
        server.cli("set", turn, "somebody without an end")
        server.cli("del", token_key(server, "state"))
        began = time.monotonic()
        assert fetched(made, texts).access_token.reveal() == "token-1"
        assert time.monotonic() - began < 5.0
