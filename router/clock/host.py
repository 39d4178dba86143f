"""This host's own clocks, read and never set.

Rule 1: intervals are counted in boot time: it runs forwards only, through laptop sleep too, and is
        the same in every process.
Rule 2: the clocks are given as functions, so that a test or a simulation can be a host of its own.
Rule 3: clocks read together are read between two readings of boot time, and `width` says how far
        apart those were: what reads them knows how much a difference can be trusted.
"""

from __future__ import annotations

import functools
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from router.clock.kernel import kernel_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.clock.kernel import KernelStatus

__all__ = ["THIS_HOST", "Hands", "Host", "boottime"]

NS = 1e9
TRIES = 3
NARROW = 0.0005
MAC = sys.platform == "darwin"  # monotonic_raw goes on through sleep there, uptime_raw does not
GRAIN = max(1e-6, *(time.get_clock_info(name).resolution for name in ("monotonic", "time")))
"""Seconds to which a difference of two clocks can be told: 15 ms on Windows; elsewhere the quarter
of a microsecond that Unix time loses as a float, and room to spare."""


def _clock(name: str, otherwise: Callable[[], int]) -> Callable[[], int]:
    found: int | None = getattr(time, name, None)
    return otherwise if found is None else functools.partial(time.clock_gettime_ns, found)


BOOT = _clock("CLOCK_MONOTONIC_RAW" if MAC else "CLOCK_BOOTTIME", time.monotonic_ns)
RAW = _clock("CLOCK_UPTIME_RAW" if MAC else "CLOCK_MONOTONIC_RAW", time.monotonic_ns)


class Hands(NamedTuple):
    """All clocks of a host read together, in seconds: the others at `boot` ± `width`."""

    boot: float
    wall: float
    monotonic: float
    raw: float
    width: float


@dataclass(frozen=True, slots=True)
class Host:
    """The clocks that a Clock reads, in nanoseconds, and what the kernel says of its own.

    Attributes:
        boot_ns: since the host started, with the time that it slept.
        wall_ns: Unix time as the host believes.
        monotonic_ns: the same as `boot_ns` without the time that it slept.
        raw_ns: the bare oscillator, which no daemon slews.
        kernel: whether something disciplines the wall clock, and how well.
    """

    boot_ns: Callable[[], int] = BOOT
    wall_ns: Callable[[], int] = time.time_ns
    monotonic_ns: Callable[[], int] = time.monotonic_ns
    raw_ns: Callable[[], int] = RAW
    kernel: Callable[[], KernelStatus | None] = kernel_status

    def boottime(self) -> float:
        """Return boot time in seconds."""
        return self.boot_ns() / NS

    def hands(self) -> Hands:
        """Read all clocks at once, the closest of a few tries if something comes in between."""
        best = self._read()
        for _ in range(TRIES - 1):
            if best.width <= NARROW + GRAIN:
                break
            best = min(best, self._read(), key=lambda hands: hands.width)
        return best

    def _read(self) -> Hands:
        before = self.boot_ns()
        wall, monotonic, raw = self.wall_ns(), self.monotonic_ns(), self.raw_ns()
        after = self.boot_ns()
        middle, width = (before + after) / 2 / NS, (after - before) / 2 / NS
        return Hands(middle, wall / NS, monotonic / NS, raw / NS, width + GRAIN)


THIS_HOST = Host()

boottime: Callable[[], float] = THIS_HOST.boottime
"""Seconds since the host started; where the system tells, those it slept through are in it."""
