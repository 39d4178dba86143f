"""Many runs on several processes, a bar while they last, and the bars they have to pass."""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from simulation.figures import Bar

__all__ = ["outcomes", "progress", "show_bars"]

WIDTH = 40

J = TypeVar("J")
R = TypeVar("R")


def outcomes(work: Callable[[J], R], jobs: Sequence[J], processes: int) -> Iterator[tuple[J, R]]:
    """Yield each job with its result, in order, worked on by so many processes."""
    if processes == 1:
        yield from ((job, work(job)) for job in jobs)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn) as pool:
        yield from zip(jobs, pool.map(work, jobs), strict=True)


def progress(done: int, of: int) -> None:
    """Draw on a terminal how far it is."""
    if sys.stderr.isatty():
        full = WIDTH * done // of
        line = f"\r{'█' * full}{'░' * (WIDTH - full)} {done} of {of} runs"
        print(line, end="\n" if done == of else "", file=sys.stderr, flush=True)


def show_bars(bars: Sequence[Bar]) -> int:
    """Print the bars that are missed; return 1 if there are any."""
    missed = [bar for bar in bars if not bar.met]
    for bar in missed:
        print(f"MISSED  {bar.what}: {bar.figure:g} (bar {bar.limit:g})")
    print(f"{len(bars) - len(missed)} of {len(bars)} bars are met")
    return int(bool(missed))
