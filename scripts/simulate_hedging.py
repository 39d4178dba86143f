#!/usr/bin/env python3
"""Simulate what second requests gain and cost: python scripts/simulate_hedging.py [--quick].

The same worlds are lived through with hedging and without: worlds in which one to two answers in a
hundred come half a second late, lightly or heavily used; and worlds in which everything is slow at
once, where second requests must hardly make it worse. What is asked: a 99th percentile of at most
0.45 of that without hedging, for at most 5 % more requests. The exit code is 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from simulation.figures import Bar
from simulation.runs import outcomes, progress, show_bars
from traffic.measures import measure
from traffic.policies import OURS, POLICIES
from traffic.scenario import NAMES, Scenario, sites, usual
from traffic.servers import Fault
from traffic.world import simulate

from router.config.settings import Hedge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from traffic.result import Result

__all__ = ["main"]

SEEDS, FIRST = 3, 101
P99_BAR, MORE_BAR, SLOW_BAR = 0.45, 0.05, 1.10
HEAD = f"{'':<28}{'p50, ms':>16}{'p99, ms':>16}{'ratio':>8}{'more sent':>11}{'errors':>9}"


class Job(NamedTuple):
    """One run."""

    scenario: Scenario
    hedged: bool
    seed: int


def stalling(name: str, *, share: float, rate: float) -> Scenario:
    """Return a world in which a share of all answers comes half a second late."""
    fault = (Fault(name="stalling", start=0, end=math.inf, stalls=share),)
    return Scenario(name=name, sites=sites(**dict.fromkeys(NAMES, fault)), rate=rate)


def slow(name: str, *, rate: float) -> Scenario:
    """Return a world in which all regions need three times as long for a minute."""
    fault = (Fault(name="slow", start=100, end=160, slower=3.0),)
    return Scenario(name=name, sites=sites(**dict.fromkeys(NAMES, fault)), rate=rate)


STALLING = (
    stalling("3 in 200 stall, 50 a second", share=0.015, rate=50),
    stalling("1 in 50 stalls, 50 a second", share=0.02, rate=50),
    stalling("1 in 50 stalls, 200 a second", share=0.02, rate=200),
    stalling("1 in 50 stalls, 5 a second", share=0.02, rate=5),
)
SLOW = (slow("all slow, 50 a second", rate=50), slow("all slow, 150 a second", rate=150))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulation; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=SEEDS, help="worlds for each scenario")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="at work at once")
    parser.add_argument("--quick", action="store_true", help="one seed")
    options = parser.parse_args(arguments)
    seeds = range(FIRST, FIRST + (1 if options.quick else options.seeds))
    jobs = [Job(s, h, seed) for s in STALLING + SLOW for h in (False, True) for seed in seeds]
    runs: dict[tuple[Scenario, bool], list[Result]] = {}
    for done, (job, result) in enumerate(outcomes(work, jobs, options.processes), 1):
        runs.setdefault((job.scenario, job.hedged), []).append(result)
        progress(done, len(jobs))
    print(HEAD)
    bars = [bar for s in STALLING + SLOW for bar in shown(s, runs[s, False], runs[s, True])]
    return show_bars(bars)


def work(job: Job) -> Result:
    """Live through one world."""
    failover = replace(usual(), hedge=Hedge() if job.hedged else None)
    scenario = replace(job.scenario, failover=failover)
    return simulate(scenario, seed=job.seed, policy=POLICIES[OURS])


def shown(scenario: Scenario, plain: Sequence[Result], hedged: Sequence[Result]) -> list[Bar]:
    """Print a line; return what is asked of it."""
    before, after = measure(scenario, plain), measure(scenario, hedged)
    more = sent(hedged) / sum(len(run.began) for run in hedged) - 1
    ratio = after.p99 / before.p99
    print(
        f"{scenario.name:<28}{before.p50 * 1e3:>7.0f} → {after.p50 * 1e3:<6.0f}"
        f"{before.p99 * 1e3:>7.0f} → {after.p99 * 1e3:<6.0f}{ratio:>8.3f}{more:>11.1%}"
        f"{after.errors:>9.2%}"
    )
    bar = P99_BAR if scenario in STALLING else SLOW_BAR
    return [
        Bar(f"{scenario.name}: p99 over that without hedging", ratio, bar),
        Bar(f"{scenario.name}: share of requests sent twice", more, MORE_BAR),
        Bar(f"{scenario.name}: errors", after.errors, 0.0),
    ]


def sent(runs: Sequence[Result]) -> int:
    """Return how many attempts there were."""
    return sum(Counter(run.sent_to).total() for run in runs)


if __name__ == "__main__":
    sys.exit(main())
