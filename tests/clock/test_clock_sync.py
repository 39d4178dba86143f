"""The synchroniser: whom it asks, what it publishes, and how its loop goes on."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING

import pytest

from router.clock import Clock
from router.clock.host import THIS_HOST, Host
from router.clock.sync import Synchroniser
from router.config.settings import ClockSettings
from router.errors import ConfigError
from router.testing.ntp import NtpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from router.testing.ntp import Script

MS = 10**6
HOST = dataclasses.replace(THIS_HOST, kernel=lambda: None)  # this machine may be synchronised


def kiss(code: bytes) -> Script:
    return lambda _, reply: (bytes([0xE4, 0]) + reply[2:12] + code + reply[16:],)


def silence(*_: object) -> tuple[bytes, ...]:
    return ()


class Middle(Random):
    """Chance without jitter: the middle of every range."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def make(
    *servers: NtpServer | str, host: Host = HOST, **more: object
) -> tuple[Synchroniser, Clock]:
    names = tuple(server if isinstance(server, str) else server.address for server in servers)
    clock = Clock(host=host)
    options = {"random": Random(1), "timeout": 0.2} | more
    return Synchroniser(ClockSettings(servers=names), clock, host=host, **options), clock  # type: ignore[arg-type]


def error_ns(clock: Clock) -> int:
    return abs(clock.now().ns - time.time_ns())


def test_one_round_sets_the_clock() -> None:
    with NtpServer() as a, NtpServer() as b, NtpServer() as c, NtpServer() as d:
        synchroniser, clock = make(a, b, c, d)
        assert asyncio.run(synchroniser.once())
        assert [server.requests for server in (a, b, c, d)] == [1, 1, 1, 1]
    assert clock.settled
    assert clock.now().status == "synchronised"
    assert error_ns(clock) < 200 * MS


def test_the_wall_clock_of_the_host_does_not_matter() -> None:
    with NtpServer() as server:
        synchroniser, clock = make(server, host=dataclasses.replace(HOST, wall_ns=lambda: 0))
        assert asyncio.run(synchroniser.once())
    assert error_ns(clock) < 200 * MS


def test_two_servers_that_contradict_each_other_leave_the_clock_unsynchronised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with NtpServer() as a, NtpServer(offset=2.0) as b:
        synchroniser, clock = make(a, b)
        assert not asyncio.run(synchroniser.once())
    assert clock.settled
    assert clock.now().source == "wall"
    assert "no majority of NTP servers agrees" in caplog.text


def test_a_majority_that_turns_to_lies_later_is_outvoted_only_by_a_majority() -> None:
    with NtpServer() as a, NtpServer() as b, NtpServer() as c:
        synchroniser, clock = make(a, b, c)
        assert asyncio.run(synchroniser.once())
        a.offset = 2.0
        assert asyncio.run(synchroniser.once())
        assert error_ns(clock) < 200 * MS
        b.offset = -2.0
        assert not asyncio.run(synchroniser.once())
    assert error_ns(clock) < 200 * MS
    assert clock.now().status == "holdover"


def test_silent_servers_after_a_good_round_mean_holdover_and_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with NtpServer() as server:
        synchroniser, clock = make(server)
        assert asyncio.run(synchroniser.once())
        server.script = silence
        for _ in range(3):
            assert not asyncio.run(synchroniser.once())
        assert clock.now().status == "holdover"
        server.script = lambda _, reply: (reply,)
        with caplog.at_level(logging.INFO, "router.clock"):
            assert asyncio.run(synchroniser.once())
    assert clock.now().status == "degraded"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_dead_server_does_not_hold_up_the_first_request() -> None:
    async def first_ready() -> tuple[bool, bool]:
        round_ = asyncio.create_task(synchroniser.once())
        while not clock.settled:  # noqa: ASYNC110 - a clock is for threads: it has no event
            await asyncio.sleep(0.001)
        early = not round_.done()
        return early, await round_

    with NtpServer() as a, NtpServer() as b, NtpServer() as c, NtpServer(script=silence) as dead:
        synchroniser, clock = make(a, b, c, dead, timeout=1.0)
        assert asyncio.run(first_ready()) == (True, True)
    assert error_ns(clock) < 200 * MS


@pytest.mark.parametrize("again", ["127.0.0.1:{}", "127.0.0.1.:{}"])
def test_a_server_written_twice_has_one_vote(again: str) -> None:
    with NtpServer(offset=2.0) as liar, NtpServer() as honest:
        port = liar.address.rpartition(":")[2]
        synchroniser, clock = make(liar, again.format(port), honest)
        assert not asyncio.run(synchroniser.once())
        assert liar.requests == 1
    assert clock.now().source == "wall"


@pytest.mark.parametrize("code", [b"DENY", b"RSTR"])
def test_a_server_that_refuses_us_is_never_asked_again(
    code: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with NtpServer() as a, NtpServer() as b, NtpServer(script=kiss(code)) as refusing:
        synchroniser, clock = make(a, b, refusing)
        assert asyncio.run(synchroniser.once())  # two of three agree
        synchroniser.nudge()
        assert asyncio.run(synchroniser.once())
        assert (a.requests, b.requests, refusing.requests) == (2, 2, 1)
        assert f"{refusing.address}: the server sends the kiss code {code.decode()}" in caplog.text
    assert clock.now().status == "degraded"


@pytest.mark.parametrize(("good", "refusing"), [(1, 1), (1, 2), (2, 2), (2, 3)])
def test_who_is_left_after_refusals_is_no_majority_of_the_configured_servers(
    good: int, refusing: int
) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(NtpServer()) for _ in range(good)]
        servers += [stack.enter_context(NtpServer(script=kiss(b"DENY"))) for _ in range(refusing)]
        synchroniser, clock = make(*servers)
        for _ in range(2):
            assert not asyncio.run(synchroniser.once())
    assert clock.now().source == "wall"


class Machine:
    """This machine, at a later time."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def wall(self) -> float:
        return time.time() + self.ahead

    def host(self) -> Host:
        def later(clock: Callable[[], int]) -> Callable[[], int]:
            return lambda: clock() + round(self.ahead * 1e9)

        return Host(
            boot_ns=later(THIS_HOST.boot_ns),
            wall_ns=later(THIS_HOST.wall_ns),
            monotonic_ns=later(THIS_HOST.monotonic_ns),
            raw_ns=later(THIS_HOST.raw_ns),
            kernel=lambda: None,
        )


def test_a_server_that_is_asked_too_often_is_left_alone_twice_as_long_each_time() -> None:
    machine = Machine()
    with NtpServer(script=kiss(b"RATE")) as server:
        synchroniser, _ = make(server, host=machine.host())
        for ahead, requests in [(0, 1), (120, 1), (130, 2), (385, 2), (395, 3), (900, 3), (930, 4)]:
            machine.ahead = float(ahead)
            asyncio.run(synchroniser.once())
            assert server.requests == requests, ahead


class EnoughError(Exception):
    """Ends a loop that has waited as often as a test wants."""


class Sleep:
    """Lets time pass at once, and ends the loop after `count` waits."""

    def __init__(self, machine: Machine, *, count: int) -> None:
        self.machine = machine
        self.count = count
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.machine.ahead += seconds
        if len(self.waits) == self.count:
            raise EnoughError


def test_the_loop_polls_retries_and_recovers_on_schedule() -> None:
    answering = [False, False, True, True, False, False, True]

    def script(request: bytes, reply: bytes) -> Iterable[bytes]:
        good = answering[server.requests - 1]
        return (reply,) if good else kiss(b"INIT")(request, reply)

    machine = Machine()
    sleep = Sleep(machine, count=len(answering))
    with NtpServer(script=script, wall=machine.wall) as server:
        synchroniser, _ = make(server, random=Middle(), host=machine.host(), sleep=sleep)
        with pytest.raises(EnoughError):
            asyncio.run(synchroniser.run())
        assert server.requests == len(answering)
    assert sleep.waits == pytest.approx([1, 2, 1575, 1575, 64, 128, 1575])


def test_the_loop_waits_for_a_resting_server() -> None:
    machine = Machine()
    sleep = Sleep(machine, count=3)
    with NtpServer(script=kiss(b"RATE")) as server:
        synchroniser, _ = make(server, random=Middle(), host=machine.host(), sleep=sleep)
        with pytest.raises(EnoughError):
            asyncio.run(synchroniser.run())
        assert server.requests == 3
    assert sleep.waits == pytest.approx([128, 256, 512], abs=1)


def test_the_loop_ends_when_every_server_has_refused() -> None:
    with NtpServer(script=kiss(b"DENY")) as server:
        synchroniser, clock = make(server, sleep=Sleep(Machine(), count=1))
        asyncio.run(asyncio.wait_for(synchroniser.run(), 5))
        assert server.requests == 1
        assert [report.verdict for report in synchroniser.report()] == ["dropped"]
    assert clock.settled
    assert clock.now().source == "wall"


def test_servers_are_checked_before_anything_is_sent() -> None:
    with pytest.raises(ConfigError, match="servers: an NTP server is a host"):
        make("ntp.example.net", "ntp:0")


def test_running_out_of_loopback_servers_leaks_no_socket() -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(NtpServer(script=silence)) for _ in range(5)]
        synchroniser, _ = make(*servers, timeout=0.02)
        for _ in range(20):
            asyncio.run(synchroniser.once())
    # warnings are errors here: an unclosed socket would raise ResourceWarning
