#!/usr/bin/env python3
"""Simulate traffic to many regions: python scripts/simulate.py [--quick].

Clients send requests through the router to six regions that queue, slow down, fail, fall silent and
move, in virtual time; policies from elsewhere and an oracle that knows every queue live through the
same worlds. The laws of these worlds stand in `scripts/traffic`. What is asked: ratios to the
oracle, few errors, few requests into a black hole, and no policy from elsewhere that does better.
The exit code is 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from simulation.runs import outcomes, progress, show_bars
from traffic.chart import draw
from traffic.figures import bars, table
from traffic.measures import measure
from traffic.policies import ORACLE, OURS, POLICIES
from traffic.scenario import SCENARIOS, TUNED_ON, Scenario
from traffic.world import simulate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulation.figures import Bar
    from traffic.result import Result

__all__ = ["main"]

SEEDS, FIRST, QUICK_SEEDS = 3, 101, 1
QUICK_SECONDS = 1800.0
CHARTED = "six faults in a row"
SHOWN = (OURS, "litellm", "peak-ewma", ORACLE)

Runs = dict[str, list["Result"]]
"""By policy."""


class Job(NamedTuple):
    """One run."""

    scenario: Scenario
    policy: str
    seed: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulation; return 1 if a bar is missed."""
    options = parse(arguments)
    began = time.perf_counter()
    jobs = plan(options)
    runs: dict[Scenario, Runs] = {}
    for done, (job, result) in enumerate(outcomes(work, jobs, options.processes), 1):
        runs.setdefault(job.scenario, {}).setdefault(job.policy, []).append(result)
        progress(done, len(jobs))
    missed = show(runs)
    took = time.perf_counter() - began
    print(f"{len(jobs)} runs on {options.seeds} seeds from {options.seed} on, in {took:.0f} s")
    if options.chart is not None:
        chart(runs, options)
    return missed


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; `--quick` sets those that are left out to less."""
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--seeds", type=int, help=f"worlds for each scenario and policy, by default {SEEDS}"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=FIRST,
        help=f"of the first; the next has the next. By default {FIRST}; the router was tuned on"
        f" {TUNED_ON.start} to {TUNED_ON[-1]}",
    )
    parser.add_argument(
        "--scenario", action="append", choices=names, help="only this one; may be given again"
    )
    parser.add_argument(
        "--policy", action="append", choices=POLICIES, help="only this one; may be given again"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="at work at once")
    parser.add_argument("--chart", type=Path, help="an SVG file to draw one world into")
    parser.add_argument("--quick", action="store_true", help="one seed, and no world of hours")
    options = parser.parse_args(arguments)
    if options.seeds is None:
        options.seeds = QUICK_SEEDS if options.quick else SEEDS
    return options


# -- the runs


def plan(options: argparse.Namespace) -> list[Job]:
    """Return all runs: scenario by scenario, seed by seed."""
    policies = options.policy or list(POLICIES)
    seeds = range(options.seed, options.seed + options.seeds)
    return [
        Job(scenario, policy, seed)
        for scenario in chosen(options)
        for seed in seeds
        for policy in policies
    ]


def chosen(options: argparse.Namespace) -> list[Scenario]:
    """Return the worlds that were asked for; quick ones end early."""
    found = [s for s in SCENARIOS if options.scenario is None or s.name in options.scenario]
    if options.quick:
        return [replace(s, seconds=min(s.seconds, QUICK_SECONDS)) for s in found]
    return found


def work(job: Job) -> Result:
    """Live through one world."""
    return simulate(job.scenario, seed=job.seed, policy=POLICIES[job.policy])


# -- what is shown


def show(runs: dict[Scenario, Runs]) -> int:
    """Print tables and bars; return 1 if a bar is missed."""
    asked: list[Bar] = []
    for scenario, policies in runs.items():
        figures = {policy: measure(scenario, results) for policy, results in policies.items()}
        print(table(scenario, figures), end="\n\n")
        asked.extend(bars(scenario, figures))
    return show_bars(asked)


def chart(runs: dict[Scenario, Runs], options: argparse.Namespace) -> None:
    """Draw the first world of one scenario, as some policies lived through it."""
    scenario = next((s for s in runs if s.name == CHARTED), next(iter(runs)))
    shown = options.policy or SHOWN
    results = {policy: runs[scenario][policy][0] for policy in shown}
    options.chart.write_text(draw(scenario, results), encoding="utf-8")
    print(f"{options.chart}: {scenario.name}, seed {options.seed}")


if __name__ == "__main__":
    sys.exit(main())
