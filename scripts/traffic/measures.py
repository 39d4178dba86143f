"""What is counted in the runs of one policy in one world.

Rule 1: the first seconds are left out, for all policies alike: what is asked is how they live, not
        how they wake up.
Rule 2: a request without an answer counts in all times with the time that it took to fail.
Rule 3: a favourite is the region that most of a client's attempts go to; a policy that spreads them
        has none, and nothing to change.
Rule 4: traffic has left a black hole when nobody was sent there for as long as ten requests take to
        come, and for a second. What is sent there later is a trial, counted apart.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from simulation.figures import percentile

from traffic.result import FAILED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from traffic.result import Result
    from traffic.scenario import Scenario
    from traffic.servers import Fault

__all__ = ["Figures", "Hole", "flaps", "holes", "measure"]

WARM_UP = 10.0
WINDOW = 10.0
MAJORITY = 0.6
FEWEST = 5
REQUESTS_APART = 10
LEAST_APART = 1.0
HOUR = 3600.0


class Hole(NamedTuple):
    """What met a black hole in one run, or in an average one.

    Attributes:
        met: attempts until traffic had left.
        later: attempts from then to its end.
        expected: requests that come within a 99th percentile of the calm before it.
    """

    met: float
    later: float
    expected: float


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one policy in one world; times in seconds.

    Attributes:
        requests: how many there were.
        mean, p50, p99: how long they took.
        errors: the share of them that got no answer.
        shares: the share of them that each region answered.
        flaps: how often a client's traffic changed its favourite in a run.
        switches: how often its own ranking did, where it has one.
        hours: the length of a run.
        probes: by one client in a minute.
        holes: the black holes of all runs.
    """

    requests: int
    mean: float
    p50: float
    p99: float
    errors: float
    shares: tuple[float, ...]
    flaps: float
    switches: float
    hours: float
    probes: float
    holes: tuple[Hole, ...]


def measure(scenario: Scenario, runs: Sequence[Result]) -> Figures:
    """Return the figures over all runs together."""
    took = list(itertools.chain.from_iterable(times(run) for run in runs))
    served = Counter(region for run in runs for region in regions(run))
    requests, lives = len(took), len(runs) * scenario.clients
    return Figures(
        requests=requests,
        mean=fmean(took),
        p50=percentile(took, 0.50),
        p99=percentile(took, 0.99),
        errors=served[FAILED] / requests,
        shares=tuple(served[number] / requests for number in range(len(scenario.sites))),
        flaps=sum(flaps(run, scenario.clients) for run in runs) / lives,
        switches=sum(switches(run) for run in runs) / lives,
        hours=scenario.seconds / HOUR,
        probes=60 * sum(run.probes for run in runs) / lives / (scenario.seconds + scenario.after),
        holes=tuple(hole for run in runs for hole in holes(scenario, run)),
    )


def times(run: Result) -> Iterator[float]:
    """Yield how long requests took, after the first seconds."""
    pairs = zip(run.began, run.took, strict=True)
    return (took for began, took in pairs if began >= WARM_UP)


def regions(run: Result) -> Iterator[int]:
    """Yield who answered them."""
    pairs = zip(run.began, run.served, strict=True)
    return (region for began, region in pairs if began >= WARM_UP)


# -- flaps


def flaps(run: Result, clients: int) -> int:
    """Return how often a client's favourite changed, for all clients together."""
    windows: list[defaultdict[int, Counter[int]]] = [defaultdict(Counter) for _ in range(clients)]
    for at, region, client in zip(run.sent_at, run.sent_to, run.sent_by, strict=True):
        if at >= WARM_UP:
            windows[client][int(at / WINDOW)][region] += 1
    return sum(changes(favourites(own.values())) for own in windows)


def favourites(windows: Iterable[Counter[int]]) -> Iterator[int]:
    """Yield the favourite of each window that has one."""
    for counts in windows:
        region, most = counts.most_common(1)[0]
        total = counts.total()
        if total >= FEWEST and most >= MAJORITY * total:
            yield region


def changes(values: Iterable[object]) -> int:
    """Return how often the next is another one."""
    return sum(one != other for one, other in itertools.pairwise(values))


def switches(run: Result) -> int:
    """Return how often rankings changed their first place, for all clients together."""
    rankings: defaultdict[int, list[str]] = defaultdict(list)
    for favourite in run.favourites:
        if favourite.since >= WARM_UP:
            rankings[favourite.client].append(favourite.region)
        else:
            rankings[favourite.client] = [favourite.region]
    return sum(map(changes, rankings.values()))


# -- black holes


def holes(scenario: Scenario, run: Result) -> Iterator[Hole]:
    """Yield each silence of a region, and what met it."""
    first = min((f.start for site in scenario.sites for f in site.faults), default=0.0)
    for number, site in enumerate(scenario.sites):
        for fault in site.faults:
            if fault.silent:
                calm = [t for b, t in zip(run.began, run.took, strict=True) if WARM_UP <= b < first]
                rate = scenario.rate_at(fault.start)
                met, later = before_leaving(run, number, fault, rate)
                yield Hole(met, later, percentile(calm, 0.99) * rate)


def before_leaving(run: Result, region: int, fault: Fault, rate: float) -> tuple[int, int]:
    """Return how many attempts went to a silent region until traffic had left, and after that."""
    pairs = zip(run.sent_at, run.sent_to, strict=True)
    into = [at for at, to in pairs if to == region and fault.start <= at < fault.end]
    apart = max(LEAST_APART, REQUESTS_APART / rate)
    since = fault.start
    for count, at in enumerate(into):
        if at - since > apart:
            return count, len(into) - count
        since = at
    return len(into), 0
