"""The clock against real NTP servers: chronyd, honest and lying."""

from __future__ import annotations

import asyncio
import socket
import time
from random import Random
from typing import TYPE_CHECKING

import pytest
from chrony_peer import chronies

from router.clock import Clock, Stamp
from router.clock.sync import Synchroniser
from router.config.settings import ClockSettings

if TYPE_CHECKING:
    from pathlib import Path

MS = 10**6


def synchronised(*servers: str) -> Clock:
    clock = Clock()
    settings = ClockSettings(servers=servers)
    assert asyncio.run(Synchroniser(settings, clock, random=Random(7)).once())
    return clock


def error_and_bound(clock: Clock) -> tuple[int, int, Stamp]:
    """Return how far a stamp lies outside the moments around it, with its bound, in ns."""
    before = time.time_ns()
    stamp = clock.now()
    after = time.time_ns()
    return max(before - stamp.ns, stamp.ns - after, 0), stamp.bound_ns, stamp


def test_every_stamp_lies_within_its_bound_when_three_servers_are_honest(tmp_path: Path) -> None:
    with chronies(tmp_path, 0, 0, 0) as servers:
        clock = synchronised(*servers)
    for _ in range(10_000):
        error, bound, stamp = error_and_bound(clock)
        assert error <= bound < 50 * MS
        assert stamp.status == "degraded"


def test_four_honest_servers_make_the_clock_synchronised(tmp_path: Path) -> None:
    with chronies(tmp_path, 0, 0, 0, 0) as servers:
        clock = synchronised(*servers)
    error, bound, stamp = error_and_bound(clock)
    assert (stamp.status, stamp.source) == ("synchronised", "ntp")
    assert error <= bound < 50 * MS


@pytest.mark.parametrize(
    "offsets",
    [(2, 0, 0), (0, -2, 0), (2, 0, 2, 0, 0)],
    ids=["one of three ahead", "one of three behind", "two of five ahead"],
)
def test_a_lying_minority_moves_no_stamp(tmp_path: Path, offsets: tuple[int, ...]) -> None:
    with chronies(tmp_path, *offsets) as servers:
        clock = synchronised(*servers)
    for _ in range(10_000):
        error, bound, _ = error_and_bound(clock)
        assert error <= min(bound, 500 * MS)


def test_a_lone_server_that_is_two_seconds_ahead_is_followed(tmp_path: Path) -> None:
    with chronies(tmp_path, 2) as servers:
        clock = synchronised(*servers)
    stamp = clock.now()
    assert stamp.ns - time.time_ns() == pytest.approx(2000 * MS, abs=250 * MS)
    assert stamp.status == "degraded"


def test_unreachable_servers_hold_the_first_request_for_at_most_a_second() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        settings = ClockSettings(servers=(f"127.0.0.1:{silent.getsockname()[1]}",))
        clock = Clock()
        assert clock.settling(50.0) == 1.0
        assert clock.settling(51.0) == 0
        assert not asyncio.run(Synchroniser(settings, clock, random=Random(7)).once())
    assert clock.settled
    assert (clock.now().status, clock.now().source) == ("unsynchronised", "wall")
