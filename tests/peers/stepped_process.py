"""A process of its own, under libfaketime, whose wall clock is stepped while it routes requests.

    python stepped_process.py ROUTES FAKED STEP [jitter]

ROUTES is its configuration, FAKED the file that libfaketime reads the clock's error from, STEP the
seconds by which it steps: twice and for good, or (jitter) there and back at 100 Hz from the first
step on. It prints one line of JSON: what it saw by the monotonic clock, and 10 000 stamps or more:
all that it took from a second after the last step until it was synchronised again.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, SupportsIndex

import router
from router.clock import kernel

if TYPE_CHECKING:
    from router.clock import Clock, Stamp

STAMPS = 10_000
BATCH = 200
SWING = 0.005
PATIENCE = 10.0
SURE_NS = 50_000_000


class WallClock:
    """What this process takes for the wall clock."""

    def __init__(self, faked: Path, step: float, *, jitters: bool) -> None:
        self._faked = faked
        self._step = step
        self._steps = 0
        self._jitters = jitters

    def step(self) -> None:
        """Step it once more; a jittering one begins to."""
        self._steps += 1
        if not self._jitters:
            self._set(self._steps * self._step)
        elif self._steps == 1:
            threading.Thread(target=self._jitter, daemon=True).start()

    def _jitter(self) -> None:
        while True:
            for offset in (self._step, -self._step):
                self._set(offset)
                time.sleep(SWING)

    def _set(self, offset: float) -> None:
        written = self._faked.with_suffix(".new")
        written.write_text(f"{offset:+.3f}")
        written.replace(self._faked)  # at once: whoever reads sees the old or the new


def main() -> None:
    routes, faked, step, *jitter = sys.argv[1:]
    # The step is this process's alone: the kernel's word would be about another clock.
    kernel._adjtimex = lambda: None  # type: ignore[assignment]
    time.sleep = nap  # libfaketime 0.9.10 fails it: it takes the monotonic deadline for Unix time
    wall = WallClock(Path(faked), float(step), jitters=bool(jitter))
    with router.Client(routes) as client:
        story: dict[str, object] = {
            "limited": between_requests(client, wall),
            "cooled": cooling(client, wall),
        }
        time.sleep(0.1)  # the cooling took a second, and began just before the step
        story["stamps"] = stamps(client.router.clock, settles=not jitter)
        story["status"] = client.router.clock.now().status
        story["wall"] = wall_clock()
        client.get("/").raise_for_status()
    json.dump(story, sys.stdout)


def nap(seconds: float | SupportsIndex, /) -> None:
    threading.Event().wait(float(seconds))


def between_requests(client: router.Client, wall: WallClock) -> float:
    """Return the seconds that two requests take with a step between them."""
    began = time.monotonic()
    client.get("/").raise_for_status()
    wall.step()
    client.get("/").raise_for_status()
    return time.monotonic() - began


def cooling(client: router.Client, wall: WallClock) -> float:
    """Return the seconds for which the endpoint is left alone, with a step in between."""
    began = time.monotonic()
    assert client.get("/busy").status_code == 429
    wall.step()
    client.get("/").raise_for_status()
    return time.monotonic() - began


def stamps(clock: Clock, *, settles: bool) -> list[tuple[int, int, int]]:
    """Return boot time, stamp and bound of each, all in nanoseconds.

    Where the clock `settles` they go on until it has, for `PATIENCE` seconds at most.
    """
    taken: list[Stamp] = []
    end = time.monotonic() + PATIENCE
    while len(taken) < STAMPS or (settles and not sure(taken[-1]) and time.monotonic() < end):
        taken += [clock.now() for _ in range(BATCH)]
        time.sleep(0.01)
    return [(stamp[0], stamp.ns, stamp.bound_ns) for stamp in taken]


def sure(stamp: Stamp) -> bool:
    return stamp.status == "synchronised" and stamp.bound_ns < SURE_NS


def wall_clock() -> list[float]:
    """Return the seconds that it is ahead of boot time, read a few times within a tenth of one."""
    seen = []
    for _ in range(30):
        seen.append(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))
        nap(0.003)
    return seen


if __name__ == "__main__":
    main()
