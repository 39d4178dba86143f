"""A Sharing at work on a background thread of its own, and what tests do with it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.background import Background
from router.config.settings import ShareSettings
from router.secret import Secret
from router.shared.sharing import Sharing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from router.shared.permits import SharedPermits
    from router.shared.rate import SharedRate

__all__ = ["Bench", "Worker", "bench", "spend_for", "takes", "until", "workers", "worst_term"]

WORKER = Path(__file__).with_name("fleet_worker.py")
PATIENCE = 10.0


class Bench:
    """A Sharing, and what it told the operator."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.notes: list[str] = []
        self.sharing = Sharing(ShareSettings(url=Secret(url), **settings), note=self.notes.append)
        self.background = Background(lambda: [self.sharing.run()])

    def start(self, *, wait: bool = True) -> None:
        self.background.start()
        if wait:
            until(lambda: self.sharing.store.up)


@contextlib.contextmanager
def bench(url: str, **settings: Any) -> Iterator[Bench]:
    made = Bench(url, **settings)
    try:
        yield made
    finally:
        made.background.stop()


def nap(seconds: float) -> None:
    """Sleep; libfaketime breaks `time.sleep`, which waits for an absolute time."""
    select.select([], [], [], seconds)


def until(true: Callable[[], object], within: float = PATIENCE) -> float:
    """Wait until something holds; return the seconds that it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within, "it did not become true in time"
        nap(0.005)
    return time.monotonic() - began


def spend_for(
    rate: SharedRate, seconds: float, *, cost: float = 1.0, alone: list[float] | None = None
) -> list[float]:
    """Spend as much as is given; return the seconds from the beginning, of each.

    `alone` gets those that came while the share served.
    """
    began, spent = time.monotonic(), []
    while (now := time.monotonic()) - began < seconds:
        if rate.take(cost, now) is not None:
            spent.append(now - began)
            if alone is not None and rate.alone:
                alone.append(now - began)
        else:
            nap(min(rate.wait(cost, now), 0.002))
    return spent


def takes(permits: SharedPermits) -> bool:
    """Return whether a permit is there; it goes back at once."""
    if permits.take(time.monotonic()) > 0:
        return False
    permits.give_back()
    return True


def worst_term(spent: Sequence[float], per_second: float, cost: float = 1.0) -> float:
    """Return the burst of `per_second * t + burst` that was needed, over all stretches of time."""
    worst, deepest = 0.0, math.inf
    for number, at in enumerate(spent):
        before = number * cost - per_second * at
        deepest = min(deepest, before)
        worst = max(worst, before + cost - deepest)
    return worst


class Worker:
    """A process that does a job of `fleet_worker`: it says when it is ready, and what came out."""

    def __init__(self, environ: Mapping[str, str], job: Mapping[str, Any]) -> None:
        path = os.pathsep.join(filter(None, sys.path))
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), json.dumps(job)],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, **environ},
        )

    def says(self) -> Any:
        """Return the next thing that it says."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def workers(*environs: Mapping[str, str], **job: Any) -> Iterator[list[Worker]]:
    """One worker for each environment; they are ready, and killed in the end."""
    started = [Worker(environ, job) for environ in environs]
    try:
        for worker in started:
            assert worker.says() == "ready"
        yield started
    finally:
        for worker in started:
            worker.end()
