"""The tables and the bars.

Rule 1: a figure is a ratio to the oracle, or to a policy from elsewhere, in the same worlds.
Rule 2: a policy from elsewhere is better if it is so by more than a tie, and if its errors would
        pass: who lets requests fail has less to wait for.
Rule 3: a black hole may be met by as many requests as come within 1.5 of the usual p99; by two, if
        they are fewer, since nobody knows of it before one met it.
"""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING

from simulation.figures import Bar

from traffic.measures import Hole
from traffic.policies import ORACLE, OURS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from traffic.measures import Figures
    from traffic.scenario import Scenario

__all__ = ["ERRORS", "bars", "table"]

MS = 1e3
PERCENT = 100.0
ERRORS = 0.0005
TIE = 1.01
HOLE = 1.5
FEWEST_MET = 2
GROUPS = f"{'':<18}{'ms':^19}{'errors':>8}{'over oracle':^16}"
HEAD = f"{'policy':<18}{'mean':>7}{'p50':>6}{'p99':>6}{'%':>8}{'mean':>8}{'p99':>8}"


def table(scenario: Scenario, figures: Mapping[str, Figures]) -> str:
    """Return what each policy did in one world, as lines of text."""
    holed = any(own.holes for own in figures.values())
    names = "".join(f"{site.name:>6}" for site in scenario.sites)
    return "\n".join(
        [
            _title(scenario),
            f"{GROUPS} {'answered by, %':^{len(names)}}{'flaps of':>13}{'probes':>8}"
            f"{'into the hole' if holed else '':>16}".rstrip(),
            f"{HEAD} {names}{'traffic':>8}{'rank':>5}{'/min':>8}{'first':>9}{'later':>7}"
            if holed
            else f"{HEAD} {names}{'traffic':>8}{'rank':>5}{'/min':>8}",
            *(_row(name, own, figures.get(ORACLE)) for name, own in figures.items()),
        ]
    )


def _title(scenario: Scenario) -> str:
    asked = scenario.asked
    return (
        f"{scenario.name}: at most {asked.mean:.2f} (mean) and {asked.p99:.2f} (p99) over the"
        f" oracle; the goal is {asked.mean_goal:.2f} and {asked.p99_goal:.2f}"
    )


def _row(name: str, own: Figures, oracle: Figures | None) -> str:
    mean, p99 = ratios(own, oracle)
    shares = "".join(f"{PERCENT * share:>6.1f}" for share in own.shares)
    row = (
        f"{name:<18}{MS * own.mean:>7.1f}{MS * own.p50:>6.0f}{MS * own.p99:>6.0f}"
        f"{PERCENT * own.errors:>8.3f}{mean:>8.3f}{p99:>8.3f} {shares}"
        f"{own.flaps:>8.1f}{own.switches:>5.0f}{own.probes:>8.1f}"
    )
    if own.holes:
        hole = average(own.holes)
        row += f"{hole.met:>9.1f}{hole.later:>7.1f}"
    return row


def average(holes: Sequence[Hole]) -> Hole:
    """Return the black hole of an average run."""
    return Hole(*(fmean(figures) for figures in zip(*holes, strict=True)))


def ratios(own: Figures, other: Figures | None) -> tuple[float, float]:
    """Return mean and p99 over those of another policy."""
    if other is None:
        return math.nan, math.nan
    return own.mean / other.mean, own.p99 / other.p99


# -- bars


def bars(scenario: Scenario, figures: Mapping[str, Figures]) -> Iterator[Bar]:
    """Yield what is asked of the router in one world, as far as those it needs were run."""
    own = figures.get(OURS)
    if own is None:
        return
    yield Bar(f"{scenario.name}: errors, %", PERCENT * own.errors, PERCENT * ERRORS)
    yield from _against_oracle(scenario, own, figures.get(ORACLE))
    for name, peer in figures.items():
        if name not in {OURS, ORACLE} and peer.errors <= ERRORS:
            mean, p99 = ratios(own, peer)
            yield Bar(f"{scenario.name}: mean, over that of {name}", mean, TIE)
            yield Bar(f"{scenario.name}: p99, over that of {name}", p99, TIE)
    if own.holes:
        hole = average(own.holes)
        limit = max(HOLE * hole.expected, FEWEST_MET)
        yield Bar(f"{scenario.name}: attempts into a black hole", hole.met, limit)
    if math.isfinite(scenario.flaps_bar):
        rate = own.switches / own.hours
        yield Bar(f"{scenario.name}: flaps of the favourite an hour", rate, scenario.flaps_bar)


def _against_oracle(scenario: Scenario, own: Figures, oracle: Figures | None) -> Iterator[Bar]:
    if oracle is not None:
        mean, p99 = ratios(own, oracle)
        yield Bar(f"{scenario.name}: mean, over the oracle's", mean, scenario.asked.mean)
        yield Bar(f"{scenario.name}: p99, over the oracle's", p99, scenario.asked.p99)
