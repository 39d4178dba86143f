"""Many threads while the configuration reloads, and many routers at the same moment."""

from __future__ import annotations

from random import Random

import pytest
from crowds import LIMIT, WINDOW, crowd, started_together

from router.latency.agenda import Agenda
from router.latency.schedule import WARM_UP_SAMPLES, ProbeView

THREADS, EACH = 64, 20
ROUTERS, SOME = 100, 20
UNTIL_KNOWN = 1.1
NAMES = ("a", "b", "c")


@pytest.mark.untraced
def test_a_crowd_does_not_notice_that_the_configuration_reloads() -> None:
    seen = crowd(threads=THREADS, each=EACH)
    assert seen.statuses == {200: THREADS * EACH}
    assert seen.received == THREADS * EACH
    assert seen.most_at_once <= LIMIT
    assert seen.tokens == 1
    assert seen.reloads > 2
    assert seen.left == 0


def test_routers_that_start_together_do_not_probe_together() -> None:
    seen = started_together(SOME, seconds=UNTIL_KNOWN)
    if seen.peak > 3 * seen.mean:  # a busy machine lets them run one after another: once more
        seen = started_together(SOME, seconds=UNTIL_KNOWN)
    assert seen.probes > SOME
    assert seen.peak <= 3 * seen.mean
    assert seen.authorised == 0


def test_a_lone_router_knows_its_endpoints_soon() -> None:
    assert started_together(1, seconds=0.5).slowest < 2.0


def test_the_plans_of_many_are_spread_from_the_first_probe_to_the_third() -> None:
    came = sorted(at for seed in range(ROUTERS) for at in warm_up(Random(seed)))
    assert len(came) == ROUTERS * len(NAMES) * WARM_UP_SAMPLES
    peak = max(sum(at <= other < at + WINDOW for other in came) for at in came)
    assert peak <= 3 * len(came) * WINDOW / (came[-1] - came[0])


def warm_up(chance: Random) -> list[float]:
    """Return when a router that starts at 0 probes, until it knows its endpoints."""
    agenda, samples = Agenda(every=10.0, chance=chance), dict.fromkeys(NAMES, 0)
    came, now = list[float](), 0.0
    while min(samples.values()) < WARM_UP_SAMPLES:
        due, now = agenda.due({name: view(samples[name]) for name in NAMES}, NAMES, now)
        for name in due:
            agenda.began(name, now)
            came.append(now)
            samples[name] += 1
            agenda.ended(name, now)
    return came


def view(samples: int) -> ProbeView:
    return ProbeView(samples, cost=0.01, sd=0.1, best=0.01, down=False, population=len(NAMES))
