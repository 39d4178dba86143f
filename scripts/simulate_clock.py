#!/usr/bin/env python3
"""Simulate days of the clock: python scripts/simulate_clock.py [--quick].

Machines with bad crystals live through days of 24 virtual hours: with five NTP servers of which
some lie, without UDP, and with UDP that is blocked later. The laws of these worlds stand in
`scripts/simulation`. Stamps are compared with the true time, and what they show with what is asked:
no stamp off by more than its bound, with NTP an error p99 of 120 ms and a bound p99 of 300 ms, and
the bounds that HTTP Dates bring. The exit code is 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from simulation.dating import CASES, date_trials
from simulation.day import Result, simulate
from simulation.figures import date_bars, date_table, day_bars, day_table
from simulation.runs import outcomes, progress, show_bars
from simulation.scenario import HTTP, NTP, Scenario

if TYPE_CHECKING:
    from collections.abc import Sequence


__all__ = ["main"]

RUNS, HOURS, STAMPS, TRIALS = 25, 24.0, 10_000, 2000
SHARE = 5
LESS = f"one for every {SHARE} where there is HTTP traffic, which takes long"
AMOUNTS = {
    "runs": (RUNS, 2),
    "hours": (HOURS, 4.0),
    "stamps": (STAMPS, 1000),
    "trials": (TRIALS, 200),
}


class Job(NamedTuple):
    """One day to simulate."""

    scenario: Scenario
    seed: int
    hours: float
    stamps: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulation; return 1 if a bar is missed."""
    options = parse(arguments)
    began = time.perf_counter()
    jobs = plan(options)
    days = {scenario: Result() for scenario in (*NTP, *HTTP)}
    for done, (job, result) in enumerate(outcomes(work, jobs, options.processes), 1):
        days[job.scenario].add(result)
        progress(done, len(jobs))
    dates = {case: date_trials(case, trials=options.trials, seed=options.seed) for case in CASES}
    print(day_table(days), date_table(dates), sep="\n\n")
    took = time.perf_counter() - began
    print(f"\n{len(jobs)} runs of {options.hours:g} hours from seed {options.seed} in {took:.0f} s")
    return show_bars([*day_bars(days), *date_bars(dates)])


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; `--quick` sets those that are left out to less."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--runs", type=int, help=f"days for each scenario, by default {RUNS}; {LESS}"
    )
    parser.add_argument("--hours", type=float, help=f"of a day; by default {HOURS:g}")
    parser.add_argument("--stamps", type=int, help=f"taken in a day; by default {STAMPS}")
    parser.add_argument("--trials", type=int, help=f"of the HTTP Dates; by default {TRIALS}")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the first run; the next has the next"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="at work at once")
    parser.add_argument("--quick", action="store_true", help="a few short days")
    options = parser.parse_args(arguments)
    for name, (usual, quick) in AMOUNTS.items():
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else usual)
    return options


# -- the runs


def plan(options: argparse.Namespace) -> list[Job]:
    """Return all days to simulate, the longest first."""
    few = max(1, options.runs // SHARE)
    counts = dict.fromkeys(HTTP, few) | dict.fromkeys(NTP, options.runs)
    return [
        Job(scenario, options.seed + number, options.hours, options.stamps)
        for scenario, runs in counts.items()
        for number in range(runs)
    ]


def work(job: Job) -> Result:
    """Simulate one day; what the clock logs of it would be read as today's."""
    logger = logging.getLogger("router.clock")
    logger.addFilter(nothing)
    try:
        return simulate(job.scenario, seed=job.seed, hours=job.hours, stamps=job.stamps)
    finally:
        logger.removeFilter(nothing)


def nothing(_: logging.LogRecord) -> bool:
    """Let no line of the log through."""
    return False


if __name__ == "__main__":
    sys.exit(main())
