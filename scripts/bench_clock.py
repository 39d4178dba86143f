#!/usr/bin/env python3
"""What the clock costs: python scripts/bench_clock.py [--quick].

Two bars, each measured against its own yardstick in the same run: `Clock.now()` with its bound
takes at most 5 times `time.time_ns()`; a stamp adds at most 2 % to a bare request (httpx over
loopback, to a server in a process of its own, with real NTP on loopback behind the clock).

Rule 1: what is compared takes turns, and medians are compared, so that a noisy machine is noisy to
        all of them alike.
Rule 2: who follows whom, and which client was made first, makes a difference of 1 % by itself. So
        the order is by chance, clients are made anew for every block, and blocks are compared.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import platform
import random
import subprocess
import sys
import time
import timeit
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx

import router
from router.clock import Clock
from router.clock.host import boottime
from router.clock.select import Selection
from router.testing import NtpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["main"]

READINGS_BAR = 5.0
REQUEST_BAR = 0.02
BARE, PLAIN, STAMPED = "httpx.Client", "router, no clock", "router, stamped"
BY_HAND = "router, header by hand"
ADDED, WRITTEN = "a stamp adds", "its header alone adds"
SERVERS = ("a", "b", "c", "d")
CHANCE = random.Random(1)
WARM_UP = 10
NS = 1e9

Figures = dict[str, list[float]]


def main() -> int:
    """Run the benchmark; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run: no bar is asked for")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return 0
    print(machine())
    rounds, repeats, blocks, turns = (3, 1000, 2, 10) if options.quick else (1000, 1000, 24, 200)
    judged = not options.quick
    ratio = show_readings(time_readings(rounds, repeats), judged=judged)
    share = show_requests(time_requests(blocks, turns), judged=judged)
    return int(judged and (ratio > READINGS_BAR or share > REQUEST_BAR))


def machine() -> str:
    """Return what the figures were measured on."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line for line in lines if line.startswith("model name")).partition(": ")[2]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python} on {platform.system()}, {model}, {os.cpu_count()} cores\n"


# -- reading the clock


def time_readings(rounds: int, repeats: int) -> Figures:
    """Return nanoseconds of each call as a program writes it, one figure a round."""
    known = {"time": time, "clock": synchronised()}
    calls = ("time.time_ns()", "clock.now()", "clock.time_ns()", "clock.earliest()")
    figures: Figures = {call: [] for call in calls}
    for _ in range(rounds):
        for call in calls:
            seconds = timeit.timeit(call, number=repeats, globals=known)
            figures[call].append(seconds / repeats * NS)
    return figures


def synchronised() -> Clock:
    """Return a clock as four agreeing servers leave it."""
    clock = Clock()
    now = boottime()
    theta = time.time() - now
    clock.update(Selection(theta=theta, bound=0.01, taken=now, used=SERVERS), now)
    return clock


def show_readings(figures: Figures, *, judged: bool) -> float:
    """Print the table; return how many times `time.time_ns()` `now()` takes.

    The ratio is the median of the rounds' own: the machine changes its pace from round to round.
    """
    yardstick = figures["time.time_ns()"]
    print(f"{'a call':<24}{'median':>10}{'least':>8}{'ratio':>8}")
    ratios = {}
    for name, values in figures.items():
        ratios[name] = median(one / other for one, other in zip(values, yardstick, strict=True))
        print(f"{name:<24}{median(values):>7.0f} ns{min(values):>8.0f}{ratios[name]:>8.2f}")
    ratio = ratios["clock.now()"]
    print(f"now() over time.time_ns(): {verdict(ratio, READINGS_BAR, '{:.2f}', judged=judged)}\n")
    return ratio


# -- stamping a request


def time_requests(blocks: int, turns: int) -> Figures:
    """Return seconds a request: one median for each block, that of the stamp's cost as well."""
    columns = (BARE, PLAIN, BY_HAND, STAMPED, ADDED, WRITTEN)
    figures: Figures = {name: [] for name in columns}
    with peers() as (url, ntp):
        kinds = clients(url, ntp)
        for _ in range(blocks):
            measured = time_block(kinds, turns)
            measured[ADDED] = differences(measured[STAMPED], measured[PLAIN])
            measured[WRITTEN] = differences(measured[BY_HAND], measured[PLAIN])
            for name, values in measured.items():
                figures[name].append(median(values))
    return figures


def differences(ones: Iterable[float], others: Iterable[float]) -> list[float]:
    """Return what the ones took beyond the others, turn by turn."""
    return [one - other for one, other in zip(ones, others, strict=True)]


def clients(url: str, ntp: str) -> dict[str, Callable[[], Any]]:
    """Return what makes each kind of client, all of them for the same server."""
    plain = router.Config(
        endpoints=(router.Endpoint(name="only", url=url),), probe=router.Probe(enabled=False)
    )
    clock = router.ClockSettings(servers=(ntp,), header="X-Timestamp")
    return {
        BARE: lambda: httpx.Client(base_url=url),
        PLAIN: lambda: router.Client(plain),
        BY_HAND: lambda: router.Client(plain, headers={"X-Timestamp": "1795385803627"}),
        STAMPED: lambda: router.Client(replace(plain, clock=clock)),
    }


def time_block(kinds: dict[str, Callable[[], Any]], turns: int) -> Figures:
    """Return seconds a request, one figure a turn, of clients made anew in any order."""
    with contextlib.ExitStack() as stack:
        names = shuffled(kinds)
        opened = {name: stack.enter_context(kinds[name]()) for name in names}
        calls = {name: partial(client.get, "/path") for name, client in opened.items()}
        for name in names * WARM_UP:
            calls[name]().raise_for_status()
        assert opened[STAMPED].router.clock.now().source == "ntp"
        figures: Figures = {name: [] for name in kinds}
        for name in itertools.chain.from_iterable(shuffled(kinds) for _ in range(turns)):
            figures[name].append(timeit.timeit(calls[name], number=1))
        return figures


def shuffled(names: Iterable[str]) -> list[str]:
    """Return them in an order by chance."""
    order = list(names)
    CHANCE.shuffle(order)
    return order


def show_requests(figures: Figures, *, judged: bool) -> float:
    """Print the table; return what the stamp adds, as a share of a bare request."""
    print(f"{'a request':<24}{'median':>10}{'least':>8}{'most':>8}  of blocks")
    for name, values in figures.items():
        least, middle, most = (1e6 * figure(values) for figure in (min, median, max))
        print(f"{name:<24}{middle:>7.0f} µs{least:>8.0f}{most:>8.0f}")
    share = median(figures[ADDED]) / median(figures[BARE])
    print(f"a stamp over a bare request: {verdict(share, REQUEST_BAR, '{:.1%}', judged=judged)}")
    return share


def verdict(figure: float, bar: float, form: str, *, judged: bool) -> str:
    """Return the figure; in a run that is long enough, with its bar, and whether it is met."""
    if not judged:
        return form.format(figure)
    met = "within" if figure <= bar else "MISSED"
    return f"{form.format(figure)} (bar {form.format(bar)}, {met})"


# -- the peers, in a process of their own


@contextlib.contextmanager
def peers() -> Iterator[tuple[str, str]]:
    """Run an HTTP server and an NTP server; give the URL of one and the address of the other."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port, ntp = process.stdout.readline().split()
        yield f"http://127.0.0.1:{port}", ntp
        process.stdin.close()


async def serve() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Http, "127.0.0.1", 0)
    with NtpServer() as ntp:
        print(server.sockets[0].getsockname()[1], ntp.address, flush=True)
        await loop.run_in_executor(None, sys.stdin.read)


class Http(asyncio.Protocol):
    """As little of an HTTP/1.1 server as a GET needs, so that the client's share is seen."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer each request once its headers are complete."""
        *requests, self._received = (self._received + data).split(b"\r\n\r\n")
        date = formatdate(usegmt=True).encode("ascii")
        answer = b"HTTP/1.1 200 OK\r\nDate: %b\r\nContent-Length: 2\r\n\r\nok" % date
        self._transport.write(answer * len(requests))


if __name__ == "__main__":
    sys.exit(main())
