"""The clocks of a host, read together."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import pytest

from router.clock.host import GRAIN, THIS_HOST, Host, boottime

MS = 1_000_000


@dataclass
class Interrupted:
    """A host whose first readings of boot time are each `pauses` ns after the one before."""

    pauses: list[int]
    boot: int = 0
    read: int = 0

    def boot_ns(self) -> int:
        self.boot += self.pauses.pop(0) if self.pauses else 0
        return self.boot

    def wall_ns(self) -> int:
        self.read += 1
        return self.boot + 50 * MS

    def host(self) -> Host:
        return Host(
            boot_ns=self.boot_ns,
            wall_ns=self.wall_ns,
            monotonic_ns=lambda: self.boot,
            raw_ns=lambda: self.boot,
            kernel=lambda: None,
        )


def test_all_clocks_of_this_host_are_read_within_milliseconds() -> None:
    hands = THIS_HOST.hands()
    assert hands.width < 0.1
    assert hands.boot == pytest.approx(boottime(), abs=1)
    assert hands.wall == pytest.approx(time.time(), abs=1)
    assert hands.monotonic == pytest.approx(time.monotonic(), abs=1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux names them so")
def test_linux_counts_sleep_in_boot_time_and_leaves_slews_out_of_raw() -> None:
    hands = THIS_HOST.hands()
    assert hands.boot == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=1)
    assert hands.raw == pytest.approx(time.clock_gettime(time.CLOCK_MONOTONIC_RAW), abs=1)


@pytest.mark.parametrize(
    ("pauses", "width", "reads"),
    [
        ([0, 0], 0.0, 1),
        ([0, 1 * MS], 0.0005, 1),
        ([0, 9 * MS, 0, 2 * MS, 0, 0], 0.0, 3),
        ([0, 9 * MS, 0, 2 * MS, 0, 4 * MS], 0.001, 3),
        ([0, 2 * MS, 0, 4 * MS, 0, 9 * MS], 0.001, 3),
    ],
    ids=["quiet", "near enough", "quiet at last", "the best is the second", "the first"],
)
def test_the_closest_of_three_readings_counts(pauses: list[int], width: float, reads: int) -> None:
    interrupted = Interrupted(pauses)
    hands = interrupted.host().hands()
    assert hands.width == pytest.approx(width + GRAIN)
    assert interrupted.read == reads
    assert abs(hands.wall - hands.boot - 0.05) <= hands.width


def test_boot_time_runs_forwards() -> None:
    readings = [boottime() for _ in range(1000)]
    assert readings == sorted(readings)
    assert readings[-1] > 0
