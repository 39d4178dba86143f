"""The clock against real NTP servers: chronyd, honest and lying."""

from __future__ import annotations

import asyncio
import socket
import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from router.clock import Clock, Stamp, Stamper
from router.clock.sync import Synchroniser
from router.config.settings import ClockSettings

if TYPE_CHECKING:
    from conftest import StartChrony

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


def test_every_stamp_lies_within_its_bound_when_three_servers_are_honest(
    start_chrony: StartChrony,
) -> None:
    clock = synchronised(start_chrony(), start_chrony(), start_chrony())
    for _ in range(10_000):
        error, bound, stamp = error_and_bound(clock)
        assert error <= bound < 50 * MS
        assert stamp.status == "degraded"


def test_four_honest_servers_make_the_clock_synchronised(start_chrony: StartChrony) -> None:
    clock = synchronised(*(start_chrony() for _ in range(4)))
    error, bound, stamp = error_and_bound(clock)
    assert (stamp.status, stamp.source) == ("synchronised", "ntp")
    assert error <= bound < 50 * MS


@pytest.mark.parametrize(
    "offsets",
    [(2.0, 0.0, 0.0), (0.0, -2.0, 0.0), (2.0, 0.0, 2.0, 0.0, 0.0)],
    ids=["one of three ahead", "one of three behind", "two of five ahead"],
)
def test_a_lying_minority_moves_no_stamp(
    start_chrony: StartChrony, offsets: tuple[float, ...]
) -> None:
    clock = synchronised(*(start_chrony(offset=offset) for offset in offsets))
    for _ in range(10_000):
        error, bound, _ = error_and_bound(clock)
        assert error <= min(bound, 500 * MS)


def test_a_lone_server_that_is_two_seconds_ahead_is_followed(start_chrony: StartChrony) -> None:
    clock = synchronised(start_chrony(offset=2.0))
    stamp = clock.now()
    assert stamp.ns - time.time_ns() == pytest.approx(2000 * MS, abs=50 * MS)
    assert stamp.status == "degraded"


def test_unreachable_servers_hold_the_first_request_for_at_most_a_second() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        settings = ClockSettings(servers=(f"127.0.0.1:{silent.getsockname()[1]}",), header="X-Time")
        clock = Clock()
        stamper = Stamper(clock, settings)
        synchroniser = Synchroniser(settings, clock, random=Random(7))
        assert stamper.settling(50.0) > 0
        assert stamper.settling(51.0) == 0
        assert not asyncio.run(synchroniser.once())
    assert clock.settled
    assert (clock.now().status, clock.now().source) == ("unsynchronised", "wall")
