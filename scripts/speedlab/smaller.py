"""The measurements with flags of their own: they print as they go, and return their bars."""

from __future__ import annotations

import json
import math
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import track
from rich.table import Table

from speedlab import failover as ways
from speedlab.bars import Bar
from speedlab.lab import Process, servers
from speedlab.machine import machine
from speedlab.overhead import CASES, CLIENTS, PARTS, Amount, cost, least_of, profile
from speedlab.soak import GROWTH, MORE_FILES, RATE, Sample, growth, sparkline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from speedlab.overhead import Case, Cost

__all__ = ["failover", "overhead", "soak"]

ROUNDS = 5
PROFILED, LINES = 3000, 20
EVERY, LEAST_SAMPLES = 10.0, 12
WARM_BAR = 0.5


def overhead(console: Console, *, quick: bool, profiled: bool) -> list[Bar]:
    """Measure what the router adds over a wire that answers from memory."""
    amount, rounds = (Amount(2, 10, 10), 1) if quick else (Amount(25, 50), ROUNDS)
    console.print(machine({}), highlight=False)
    cases = (*CASES, *PARTS, *CLIENTS)
    told: dict[Case, list[Cost]] = {case: [] for case in cases}
    for case in track(cases * rounds, "measuring", console=console, transient=True):
        told[case].append(cost(case, amount))
    table = Table(box=None, pad_edge=False)
    for heading in ("CPU, µs a request", "alone", "the router adds", "median"):
        table.add_column(heading, justify="left" if heading[0] == "C" else "right")
    bars = []
    for case, costs in told.items():
        seen = least_of(costs)
        table.add_row(case.name, *(f"{figure:.0f}" for figure in seen))
        if case.most is not None:
            bars.append(Bar(case.name, seen.added, case.most, "{:.0f} µs"))
    console.print(table, end="\n\n")
    if profiled:
        console.print(
            "under a profiler, which multiplies it: own µs with libraries', and calls, a request"
        )
        for name, calls, own in profile(CLIENTS[0], 20 if quick else PROFILED, LINES):
            console.print(f"{own:8.1f}{calls:6.1f}  {name}", highlight=False)
    return bars


def soak(console: Console, minutes: float) -> list[Bar]:
    """Run for so long; draw memory, and judge it, the descriptors and the errors."""
    seconds = 60 * minutes
    samples: list[Sample] = []
    words = ""
    for sample, first in _samples(seconds, min(EVERY, seconds / LEAST_SAMPLES)):
        samples.append(sample)
        words = words or first
        console.print(
            f"{sample.at:7.0f} s {sample.done:9} done {sample.errors:4} errors"
            f" {sample.files:4} files {sample.memory:7.1f} MB"
            f" {sparkline([each.memory for each in samples][-60:])}",
            highlight=False,
        )
    if words:
        console.print(f"the first error: {words}", highlight=False)
    console.print(f"{samples[-1].done / samples[-1].at:.0f} requests a second of {RATE}")
    grown = growth(samples, "memory")
    hours = (samples[-1].at - samples[len(samples) // 2].at) / 3600 or math.nan
    console.print(f"memory in the second half: {grown:+.2f} MB, {grown / hours:+.1f} MB an hour")
    return [
        Bar("memory added by the second half", grown, GROWTH, "{:+.2f} MB"),
        Bar("descriptors added by it", growth(samples, "files"), MORE_FILES, "{:+.1f}"),
        Bar("errors", samples[-1].errors, 0, "{:.0f}"),
    ]


def _samples(seconds: float, every: float) -> Iterator[tuple[Sample, str]]:
    with servers() as urls:
        spec = json.dumps({"urls": urls, "seconds": seconds, "every": every})
        with closing(Process(Path(sys.executable), "soak.py", spec)) as process:
            while (line := process.line()) is not None:
                yield Sample(*line[:-1]), line[-1]


def failover(console: Console, *, quick: bool) -> list[Bar]:
    """Measure what failover adds, in round trips."""
    console.print(f"the best region refuses; TLS, round trips of {1e3 * ways.RTT:.0f} ms: added")
    bars = []
    for words, trips in ways.measured(1 if quick else 15):
        console.print(f"{trips:6.2f} round trips: {words}", highlight=False)
        if "standby" in words or "is open" in words:
            bars.append(Bar(words, trips, WARM_BAR, "{:.2f} RTT"))
    return bars
