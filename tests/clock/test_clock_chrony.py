"""The clock against real NTP servers: chronyd, honest, lying, jumping, unsynchronised, limited."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import socket
import time
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING

import pytest
from chrony_peer import (
    RATE_LIMITED,
    UNSYNCHRONISED,
    chronies,
    chronyd,
    has_ip6,
    jumping_chronies,
)

from router.clock import Clock, Stamp
from router.clock.exchange import query_all
from router.clock.host import THIS_HOST
from router.clock.sync import Synchroniser
from router.config.settings import ClockSettings

if TYPE_CHECKING:
    from pathlib import Path

MS = 10**6
HOST = dataclasses.replace(THIS_HOST, kernel=lambda: None)  # this machine may be synchronised


def make(*servers: str, timeout: float = 1.0) -> tuple[Synchroniser, Clock]:
    clock = Clock(host=HOST)
    settings = ClockSettings(servers=servers)
    return Synchroniser(settings, clock, random=Random(7), host=HOST, timeout=timeout), clock


def synchronised(*servers: str) -> Clock:
    synchroniser, clock = make(*servers)
    assert asyncio.run(synchroniser.once())
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
        assert (stamp.status, stamp.source) == ("degraded", "ntp")


def test_four_honest_servers_make_the_clock_synchronised(tmp_path: Path) -> None:
    with chronies(tmp_path, 0, 0, 0, 0) as servers:
        synchroniser, clock = make(*servers)
        assert asyncio.run(synchroniser.once())
    error, bound, stamp = error_and_bound(clock)
    assert (stamp.status, stamp.source) == ("synchronised", "ntp")
    assert error <= bound < 50 * MS
    for report in synchroniser.report():
        assert (report.verdict, report.stratum) == ("used", 8)
        assert report.offset == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    "offsets",
    [(2, 0, 0), (0, -2, 0), (2, 0, 2, 0, 0), (2, 0, -2, 0, 0)],
    ids=["one of three ahead", "one of three behind", "two of five ahead", "two of five apart"],
)
def test_a_lying_minority_moves_no_stamp(tmp_path: Path, offsets: tuple[int, ...]) -> None:
    with chronies(tmp_path, *offsets) as servers:
        synchroniser, clock = make(*servers)
        assert asyncio.run(synchroniser.once())
    for _ in range(10_000):
        error, bound, _ = error_and_bound(clock)
        assert error <= bound < 50 * MS
    for report, offset in zip(synchroniser.report(), offsets, strict=True):
        assert report.verdict == ("falseticker" if offset else "used")
        assert report.offset == pytest.approx(offset, abs=0.05)


def test_a_lone_server_that_is_two_seconds_ahead_is_followed(tmp_path: Path) -> None:
    with chronies(tmp_path, 2) as servers:
        clock = synchronised(*servers)
    stamp = clock.now()
    assert stamp.ns - time.time_ns() == pytest.approx(2000 * MS, abs=250 * MS)
    assert stamp.status == "degraded"


def test_a_majority_that_jumps_is_not_followed_while_others_vouch_for_the_old_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with jumping_chronies(tmp_path, 0, 0, 0, 0, 0, faked=True) as servers:
        synchroniser, clock = make(*(server.address for server in servers))
        assert asyncio.run(synchroniser.once())
        for server in servers[:3]:
            server.jump(2)
        for _ in range(3):
            assert not asyncio.run(synchroniser.once())
            for _ in range(1000):
                error, bound, stamp = error_and_bound(clock)
                assert error < 50 * MS
                assert bound > 2000 * MS  # both times are covered
                assert stamp.status == "unsynchronised"
        verdicts = [report.verdict for report in synchroniser.report()]
        assert verdicts == ["rejected"] * 3 + ["used"] * 2
        assert caplog.text.count("the old offset is kept") == 1
        for server in servers[:3]:
            server.jump(0)
        assert asyncio.run(synchroniser.once())
    error, bound, stamp = error_and_bound(clock)
    assert error <= bound < 50 * MS
    assert stamp.status == "synchronised"


@pytest.mark.parametrize("jump", [2, -2])
def test_when_all_servers_jump_it_was_this_host_that_moved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, jump: int
) -> None:
    with jumping_chronies(tmp_path, 0, 0, 0, 0, 0, faked=True) as servers:
        synchroniser, clock = make(*(server.address for server in servers))
        assert asyncio.run(synchroniser.once())
        for server in servers:
            server.jump(jump)
        assert asyncio.run(synchroniser.once())
    stamp = clock.now()
    assert stamp.ns - time.time_ns() == pytest.approx(jump * 1000 * MS, abs=250 * MS)
    assert stamp.bound_ns < 50 * MS
    step = re.search(r"the NTP servers now agree on a time (\S+) s from the old one", caplog.text)
    assert step is not None
    assert float(step[1]) == pytest.approx(jump, abs=0.05)


def test_an_unsynchronised_server_is_rejected_and_says_so(tmp_path: Path) -> None:
    with (
        chronyd(tmp_path / "lost", standing=UNSYNCHRONISED) as lost,
        chronies(tmp_path, 0, 0) as honest,
    ):
        synchroniser, clock = make(lost.address, *honest)
        assert asyncio.run(synchroniser.once())
    error, bound, _ = error_and_bound(clock)
    assert error <= bound < 50 * MS
    report = synchroniser.report()[0]
    assert report.verdict == "rejected"
    assert report.reason == "the server says that its clock is not synchronised"


def test_only_unsynchronised_servers_leave_the_next_rung_of_the_ladder(tmp_path: Path) -> None:
    with chronyd(tmp_path / "lost", standing=UNSYNCHRONISED) as lost:
        synchroniser, clock = make(lost.address)
        assert not asyncio.run(synchroniser.once())
    assert (clock.now().status, clock.now().source) == ("unsynchronised", "wall")


def test_a_server_that_limits_us_costs_no_more_than_its_own_time(tmp_path: Path) -> None:
    with (
        chronyd(tmp_path / "limited", standing=RATE_LIMITED) as limited,
        chronies(tmp_path, 0, 0) as honest,
    ):
        synchroniser, clock = make(limited.address, *honest, timeout=0.1)
        asked = [limited.address] * 20  # all of them let through: once in 10^22 runs
        answers = asyncio.run(query_all(asked, near=time.time(), timeout=0.1))
        assert asyncio.run(synchroniser.once())
    assert "no valid reply in time" in {answer.reason for answer in answers}
    error, bound, _ = error_and_bound(clock)
    assert error <= bound < 50 * MS


@pytest.mark.skipif(not has_ip6(), reason="this host has no IPv6 loopback address")
def test_a_server_on_ipv6_is_as_good(tmp_path: Path) -> None:
    with ExitStack() as running:
        homes = (tmp_path / name for name in ("six", "four"))
        six, four = (
            running.enter_context(chronyd(home, host=host))
            for home, host in zip(homes, ("::1", "127.0.0.1"), strict=True)
        )
        synchroniser, clock = make(six.address, four.address)
        assert asyncio.run(synchroniser.once())
    assert [report.verdict for report in synchroniser.report()] == ["used", "used"]
    error, bound, _ = error_and_bound(clock)
    assert error <= bound < 50 * MS


def test_unreachable_servers_hold_the_first_request_for_at_most_a_second() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        synchroniser, clock = make(f"127.0.0.1:{silent.getsockname()[1]}")
        assert clock.settling(50.0) == 1.0
        assert clock.settling(51.0) == 0
        assert not asyncio.run(synchroniser.once())
    assert clock.settled
    assert (clock.now().status, clock.now().source) == ("unsynchronised", "wall")
