"""The tables, and the bars: what is asked, what was seen, and whether that will do.

Rule: a share of 1.000 means that not one stamp missed its bound; the number of misses stands next
      to it, since a rounded share hides them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from simulation.dating import Case, Outcome
    from simulation.day import Result
    from simulation.scenario import Scenario

__all__ = ["Bar", "date_bars", "date_table", "day_bars", "day_table", "misses", "percentile"]

MS = 1e3
STATUSES = ("synchronised", "degraded", "holdover", "unsynchronised")
DAY_HEAD = (
    f"{'':<30}{'':>8} {'error, ms':^17} {'bound, ms':^11} {'':>16} {'polls/':>6}"
    f" {'share of time, %':>23}\n"
    f"{'scenario':<30}{'stamps':>8} {'p50':>5}{'p99':>6}{'max':>6} {'p50':>5}{'p99':>6}"
    f" {'coverage':>9}{'misses':>7} {'hour':>6} {'sync':>6}{'degr':>6}{'hold':>5}{'unsync':>7}"
)
DATE_HEAD = (
    f"{'Dates of one server, 100 ms':<30}{'trials':>8} {'p50':>5}{'p99':>6}{'':13}{'coverage':>9}"
)


class Bar(NamedTuple):
    """What is asked: a figure, in the unit of its limit, that is not to be above the limit."""

    what: str
    figure: float
    limit: float

    @property
    def met(self) -> bool:
        """Whether the figure will do."""
        return self.figure <= self.limit


def percentile(values: Iterable[float], share: float) -> float:
    """Return the least value that so large a share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def misses(result: Result) -> int:
    """Return how many stamps were off by more than they said."""
    pairs = zip(result.errors, result.bounds, strict=True)
    return sum(error > bound for error, bound in pairs)


def greatest_error(result: Result) -> float:
    """Return by how many seconds the worst stamp was off, of those that promised anything."""
    pairs = zip(result.errors, result.bounds, strict=True)
    return max((error for error, bound in pairs if math.isfinite(bound)), default=math.nan)


# -- days


def day_table(results: Mapping[Scenario, Result]) -> str:
    """Return what was seen in each scenario, as lines of text."""
    return "\n".join([DAY_HEAD, *(_day_row(scenario.name, r) for scenario, r in results.items())])


def _day_row(name: str, result: Result) -> str:
    stamps, missed = len(result.errors), misses(result)
    errors = [percentile(result.errors, 0.5), percentile(result.errors, 0.99)]
    bounds = [percentile(result.bounds, 0.5), percentile(result.bounds, 0.99)]
    p50, p99, most = (MS * figure for figure in (*errors, greatest_error(result)))
    bound50, bound99 = (MS * figure for figure in bounds)
    sync, degr, hold, unsync = (100 * result.statuses[status] / stamps for status in STATUSES)
    return (
        f"{name:<30}{stamps:>8} {p50:>5.0f}{p99:>6.0f}{most:>6.0f} {bound50:>5.0f}{bound99:>6.0f}"
        f" {1 - missed / stamps:>9.3f}{missed:>7} {result.polls / result.server_hours:>6.1f}"
        f" {sync:>6.1f}{degr:>6.1f}{hold:>5.1f}{unsync:>7.2f}"
    )


def day_bars(results: Mapping[Scenario, Result]) -> Iterator[Bar]:
    """Yield what each scenario asks of the clock."""
    for scenario, result in results.items():
        name, asked = scenario.name, scenario.asked
        if asked.honest:
            flagged = len(result.flagged.keys() ^ dict(scenario.offsets).keys())
            yield Bar(f"{name}: stamps off by more than their bound", misses(result), 0)
            yield Bar(f"{name}: steps reported that never were", result.news, 0)
            yield Bar(f"{name}: regions judged wrongly", flagged, 0)
        for what, values, limit in (
            ("error", result.errors, asked.error),
            ("bound", result.bounds, asked.bound),
        ):
            if math.isfinite(limit):
                yield Bar(f"{name}: {what} p99, ms", MS * percentile(values, 0.99), MS * limit)


# -- dates


def date_table(outcomes: Mapping[Case, Outcome]) -> str:
    """Return what was known after so many answers, as lines of text."""
    return "\n".join([DATE_HEAD, *(_date_row(case, o) for case, o in outcomes.items())])


def _date_row(case: Case, outcome: Outcome) -> str:
    bounds: Sequence[float] = outcome.bounds
    p50, p99 = (MS * percentile(bounds, share) for share in (0.5, 0.99))
    covered = 1 - outcome.misses / len(bounds)
    return f"{case.name:<30}{len(bounds):>8} {p50:>5.0f}{p99:>6.0f}{'':13}{covered:>9.3f}"


def date_bars(outcomes: Mapping[Case, Outcome]) -> Iterator[Bar]:
    """Yield what is asked of the bounds by Dates."""
    for case, (bounds, missed) in outcomes.items():
        yield Bar(f"{case.name}: bound p50, ms", MS * percentile(bounds, 0.5), MS * case.p50)
        yield Bar(f"{case.name}: bound p99, ms", MS * percentile(bounds, 0.99), MS * case.p99)
        yield Bar(f"{case.name}: bounds that did not hold", missed, 0)
