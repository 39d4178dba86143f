"""Slates of States made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from balance_samples import START, state

from router.balance.belief import Belief
from router.balance.slate import Slate
from router.latency.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.balance.state import State

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def near_and_far(*rtts: float, tier: int = 1, sd: float = 0.01) -> list[State]:
    """Return endpoints `a`, `b`, `c` … at so many seconds, with so much noise."""
    made = [state(LETTERS[n], rtt, tier=tier) for n, rtt in enumerate(rtts)]
    for one in made:
        set_noise(one, sd)
    return made


def set_noise(one: State, sd: float) -> None:
    one.way.estimate = Estimate(one.way.estimate.rtt, sd, "measured", 8)


def slate_of(*members: State, now: float = START) -> Slate:
    made = Slate(members)
    made.refresh(now, 0.0)
    return made


def under_way(one: State, count: int) -> None:
    one.in_flight = count
    one.settle()


def doubt(one: State, odds: float = 5.0, *, now: float = START) -> None:
    one.belief = Belief()
    one.belief.begin(odds, now)
    one.reprice(now, 0.0)


def eject(one: State, *, until: float = START + 5) -> None:
    one.health.cause = "failing"
    one.health.ejected_until = until


def line(states: Iterable[State]) -> str:
    return "".join(one.endpoint.name for one in states)


def picked(slate: Slate) -> tuple[str, str]:
    """Return who is chosen, and why."""
    best = slate.pick()
    assert best is not None
    return best.endpoint.name, slate.why.value
