"""Processes that send through Routers of their own keep one limit and fetch one token."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from redis_server import redis_server
from sharing_bench import workers

from router.testing.oauth import TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis_server import RedisServer

    from router.testing import Regions

LIMIT, BURST = 100, 10
SECONDS = float(os.environ.get("SHARED_FLEET_SECONDS", "2"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


def fleet(server: RedisServer, regions: Regions, count: int, **given: Any) -> list[dict[str, Any]]:
    """Run so many processes at once, and return what each says."""
    job: dict[str, Any] = {"limits": {}, "token": None, "threads": 4, "seconds": SECONDS}
    job |= {"job": "routed", "url": server.url, "endpoint": regions["near"].url, **given}
    with workers(*[{}] * count, **job) as started:
        for worker in started:
            worker.go()
        return [worker.says() for worker in started]


def test_four_routers_admit_what_one_limit_says(server: RedisServer, regions: Regions) -> None:
    limits = {"rate": f"{LIMIT}/s", "burst": BURST}
    answers = fleet(server, regions, 4, limits=limits, threads=16)
    stamps = sorted(sent.at for sent in regions.received)
    count = sum(stamp <= stamps[0] + SECONDS for stamp in stamps)
    assert 0.8 * LIMIT * SECONDS <= count <= 1.01 * (LIMIT * SECONDS + 2 * BURST), count
    assert not any(answer["shared"]["alone"] for answer in answers), answers


def test_two_routers_have_no_more_under_way_than_one_limit_says(
    server: RedisServer, regions: Regions
) -> None:
    regions["near"].latency = 0.03
    answers = fleet(server, regions, 2, limits={"concurrency": 5}, threads=8, seconds=2.0)
    assert regions.most_at_once == 5
    counts = [answer["answered"] for answer in answers]
    assert min(counts) > sum(counts) / 5, counts
    assert sum(counts) > 0.3 * 5 * 2.0 / 0.03, counts


def test_eight_routers_that_start_at_once_make_one_token_request(
    server: RedisServer, regions: Regions
) -> None:
    with TokenServer() as auth:
        auth.delay = 0.2
        token = {"url": auth.url, "client_id": auth.client_id, "client_secret": auth.client_secret}
        answers = fleet(server, regions, 8, token=token, threads=1, seconds=30.0, enough=20)
        assert auth.requests == 1
        assert [answer["answered"] for answer in answers] == [20] * 8
        headers = {sent.headers.get("authorization") for sent in regions.received}
        assert len(headers) == 1
        assert headers != {None}
