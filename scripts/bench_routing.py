#!/usr/bin/env python3
"""What a decision costs: python scripts/bench_routing.py [--quick].

Choosing an endpoint and taking a permit, among 3 to 10 000 endpoints, beside what can be written by
hand and beside LiteLLM's latency strategy, if that is installed. Bars: 2 µs among 10 endpoints and
3 µs among 10 000; with 10 000, 1 KiB of state each, 99 of 100 choices within 1 ms while probes and
answers come in, a start within 3 s and a file read in 2 s. The exit code is 1 if a bar is missed.

Rule 1: what is compared takes turns in an order by chance. Medians are shown; a bar is asked of the
        best round, long enough for all that is renewed by time, since noise only adds. A clock is
        read in each round, so that a machine busy with something else is told apart.
Rule 2: a bar is asked of a decision at full speed. What one costs after 5 ms without any, when all
        that is kept ready is renewed for it alone, stands beside it. Of state it is asked as it was
        made and as it is in use.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
import time
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from bench_clock import machine, shuffled, verdict
from routing_bench.decisions import APART, CLOCK, DECISION, acts
from routing_bench.litellm_peer import STRATEGY, Peer, is_here
from routing_bench.scale import load_file, memory, start, stream
from routing_bench.world import placed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routing_bench.decisions import Act

__all__ = ["main"]

MOST_OF_PEER = 1000
"""Its time grows with the square: 10 000 would take minutes."""
NOISY = 1.25
INSTALL = "LiteLLM is not installed, so its rows are missing: pip install --group bench\n"

Figures = dict[str, list[float]]


class Amount(NamedTuple):
    """How much is measured: sizes, rounds of so many seconds a figure, and at scale."""

    sizes: tuple[int, ...]
    rounds: int
    length: float
    many: int
    streamed: float


class Bar(NamedTuple):
    """A figure, what it may be at most, and how both are written."""

    what: str
    figure: float
    limit: float
    form: str


FULL = Amount((3, 10, 100, 1000, 10_000), 7, 0.1, 10_000, 5.0)
QUICK = Amount((3, 10), 1, 0.0, 100, 0.1)


def main() -> int:
    """Run the benchmark; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run: no bar is asked for")
    quick = parser.parse_args().quick
    amount = QUICK if quick else FULL
    print(machine())
    figures = measure(amount)
    show(figures)
    bars = [*decision_bars(figures), *scale_bars(amount)]
    for bar in bars:
        print(f"{bar.what}: {verdict(bar.figure, bar.limit, bar.form, judged=not quick)}")
    return int(not quick and any(bar.figure > bar.limit for bar in bars))


# -- one decision


def measure(amount: Amount) -> dict[int, Figures]:
    """Return by size and name the seconds of one, one figure a round."""
    with litellm() as peer:
        return {size: measure_among(size, amount, peer) for size in amount.sizes}


@contextlib.contextmanager
def litellm() -> Iterator[Peer | None]:
    """Run LiteLLM while it is needed, or say how to install it."""
    if not is_here():
        print(INSTALL)
        yield None
        return
    peer = Peer()
    print(f"LiteLLM {peer.version}\n")
    with contextlib.closing(peer):
        yield peer


def measure_among(size: int, amount: Amount, peer: Peer | None) -> Figures:
    """Return the figures of one size."""
    ours = acts(placed(size))
    figures: Figures = {name: [] for name in ours}
    for _ in range(amount.rounds):
        for name in shuffled(ours):
            figures[name].append(mean(ours[name], amount.length))
        if peer is not None and size <= MOST_OF_PEER:
            for name, seconds in peer.seconds(size, amount.length).items():
                figures.setdefault(name, []).append(seconds)
    return figures


def mean(act: Act, length: float) -> float:
    """Return the mean of what `act` returns, again and again for such a time."""
    until = time.perf_counter() + length
    figures = [act()]
    while time.perf_counter() < until:
        figures.append(act())
    return fmean(figures)


def show(figures: dict[int, Figures]) -> None:
    """Print the table, and how fast the machine was."""
    print(f"{'µs, medians':<44}" + "".join(f"{size:>10,}".replace(",", " ") for size in figures))
    for name in next(iter(figures.values())):
        print(f"{name:<44}" + "".join(cell(column, name) for column in figures.values()))
    if STRATEGY in figures[min(figures)]:
        print(f"{'LiteLLM over ours' + APART:<44}" + "".join(map(times, figures.values())))
    print(f"\n{pace(figures)}")


def pace(figures: dict[int, Figures]) -> str:
    """Return how fast a clock was read, and whether others kept the machine busy meanwhile."""
    clock = [one for column in figures.values() for one in column[CLOCK]]
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    busy = median(clock) > NOISY * min(clock) or load > cores
    return (
        f"{CLOCK}: least {1e9 * min(clock):.0f} ns, median {1e9 * median(clock):.0f} ns; "
        f"load {load:.1f} on {cores} cores{': busy, measure again' * busy}"
    )


def cell(column: Figures, name: str) -> str:
    """Return microseconds, or a dash for what was not measured."""
    if name not in column:
        return f"{'-':>10}"
    value = 1e6 * median(column[name])
    return f"{value:>10.2f}" if value < 100 else f"{value:>10.0f}"  # noqa: PLR2004 - three figures


def times(column: Figures) -> str:
    """Return how many of our decisions one of LiteLLM's takes."""
    if STRATEGY not in column:
        return f"{'-':>10}"
    return f"{median(column[STRATEGY]) / median(column[DECISION + APART]):>9.0f}x"


def decision_bars(figures: dict[int, Figures]) -> Iterator[Bar]:
    """Yield what is asked of a decision, in its best round."""
    for size, limit in ((10, 2.0), (10_000, 3.0)):
        if size in figures:
            least, clock = min(figures[size][DECISION]), min(figures[size][CLOCK])
            what = f"{DECISION} among {size}, {least / clock:.0f} times {CLOCK}"
            yield Bar(what, 1e6 * least, limit, "{:.2f} µs")


# -- ten thousand endpoints


def scale_bars(amount: Amount) -> Iterator[Bar]:
    """Yield what is asked of many endpoints, each measured when its turn comes."""
    known = placed(amount.many)
    kept = memory(known)
    yield Bar("state of an endpoint as made", kept.made / 1024, 1.0, "{:.2f} KiB")
    used = kept.used / 1024 if kept.share == 1 else math.inf
    note = f"after 8 probes and an answer ({kept.share:.0%} taken)"
    yield Bar(f"the same {note}", used, 1.0, "{:.2f} KiB")
    chosen, clock = stream(known, amount.streamed)
    beside = f"{CLOCK} {1e3 * p99(clock):.3f}, the slowest choice {1e3 * chosen[-1]:.2f}"
    yield Bar(f"p99 of choose in traffic ({beside})", 1e3 * p99(chosen), 1.0, "{:.3f} ms")
    yield Bar(f"start with {amount.many} endpoints", start(amount.many), 3.0, "{:.2f} s")
    loaded, parsed = load_file(amount.many)
    yield Bar(f"their file read (its YAML alone {parsed:.2f} s)", loaded, 2.0, "{:.2f} s")


def p99(ordered: list[float]) -> float:
    """Return what 99 of 100 do not exceed."""
    return ordered[math.ceil(0.99 * len(ordered)) - 1]


if __name__ == "__main__":
    sys.exit(main())
