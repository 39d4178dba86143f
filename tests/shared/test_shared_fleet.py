"""Four processes keep one limit, whatever their clocks say, and one that is killed gives back."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from redis_server import FAKED, FAKETIME, redis_server
from sharing_bench import bench, spend_for, until, workers, worst_term

from router.units import Rate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from redis_server import RedisServer

LIMIT, BURST = 100, 10
SERVED = 0.8
"""Of the limit, at least: a busy machine is late for some units."""
SECONDS = float(os.environ.get("SHARED_FLEET_SECONDS", "2"))
"""Thirty show the figures that are claimed; the gate has not that much time."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


def fleet(
    server: RedisServer, environs: Sequence[Mapping[str, str]], seconds: float
) -> list[dict[str, Any]]:
    """Run one process for each environment, and return what each says."""
    job = {"job": "rate", "url": server.url, "rate": f"{LIMIT}/s", "burst": BURST}
    job["timeout"] = 1.0  # what a busy machine does is no outage
    with workers(*environs, **job, seconds=seconds) as started:
        for worker in started:
            worker.go()
        return [worker.says() for worker in started]


def admitted_fairly(answers: list[dict[str, Any]], seconds: float) -> None:
    counts = [answer["count"] for answer in answers]
    spent = sorted(at for answer in answers for at in answer["spent"])
    assert sum(counts) >= SERVED * LIMIT * seconds, counts
    assert worst_term(spent, LIMIT) <= 2 * BURST, counts  # what goes back is in it: docs/fleet.md
    assert min(counts) > sum(counts) / len(counts) / 3, counts
    assert not any(answer["notes"] for answer in answers), answers


def test_four_processes_admit_what_the_limit_says(server: RedisServer) -> None:
    admitted_fairly(fleet(server, [{}] * 4, SECONDS), SECONDS)


@pytest.mark.skipif(not FAKETIME.exists(), reason="libfaketime is not installed")
def test_clocks_that_differ_by_hours_change_nothing(server: RedisServer) -> None:
    environs = [{**FAKED, "FAKETIME": shift} for shift in ("-3600s", "+3600s", "-1800s", "+0s")]
    answers = fleet(server, environs, SECONDS)
    walls = sorted(answer["wall"] for answer in answers)
    assert walls[-1] - walls[0] > 7000
    admitted_fairly(answers, SECONDS)


def test_a_killed_process_gives_its_permits_back_within_the_lease(server: RedisServer) -> None:
    lease = 1.0
    job = {"job": "permits", "url": server.url, "most": 5, "hold": 5, "lease": lease}
    with workers({}, **job) as (holder,), bench(server.url, lease=lease) as made:
        permits = made.sharing.permits(5)
        made.start()
        assert permits.take(time.monotonic(), waiting=5) > 0
        time.sleep(1.5 * lease)
        assert permits.take(time.monotonic(), waiting=5) > 0  # they are renewed while it lives
        holder.process.kill()
        killed = time.monotonic()
        for _ in range(5):
            until(lambda: permits.take(time.monotonic(), waiting=5) == 0)
        assert time.monotonic() - killed < lease + 1.0


def test_a_killed_process_loses_what_it_leased_of_a_rate(server: RedisServer) -> None:
    job = {"job": "rate", "url": server.url, "rate": "100/s", "burst": 10, "seconds": 60.0}
    with workers({}, **job) as (worker,), bench(server.url) as made:
        worker.go()
        time.sleep(0.5)
        worker.process.kill()
        rate = made.sharing.rate(Rate(100, 1), 10)
        made.start()
        assert 70 <= len(spend_for(rate, 1.0)) <= 120
