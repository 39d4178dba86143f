"""Who is probed now, and when to look again: the schedule's rules over many endpoints.

Rule 1: nothing here waits or measures. A prober asks what is due, says what began and what ended,
        and sleeps until it is worth asking again; the simulator does the same in virtual time.
Rule 2: endpoints worth a look (`views`) have plans of their own. The others, where there are many,
        are probed in turn, one at a time: that is what finds out what nobody expected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.latency.schedule import STALEST_EVERY, due_at, first_due, jitter

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from router.latency.schedule import ProbeView

__all__ = ["Agenda"]

LONGEST_NAP = 0.25
"""Seconds; a suspicion is found out about so soon."""


@dataclass(slots=True)
class Plan:
    """When one endpoint is due; `last` is None until its first probe ended."""

    first: float
    last: float | None = None
    factor: float = 1.0
    busy: bool = False


class Agenda:
    """Plans of probes."""

    def __init__(self, *, every: float, chance: random.Random) -> None:
        """`every`: seconds between looks at the schedule, as configured."""
        self._every = every
        self._chance = chance
        self._plans: dict[str, Plan] = {}
        self._turn = 0
        self._next_turn: float | None = None

    def due(
        self, views: Mapping[str, ProbeView], names: Sequence[str], now: float
    ) -> tuple[list[str], float]:
        """Return who is to be probed now, and the instant to ask again.

        Args:
            views: endpoints worth a look, the best first.
            names: all endpoints.
            now: monotonic seconds.
        """
        self._forget(views, names)
        due, wake = [], now + LONGEST_NAP
        for rank, (name, view) in enumerate(views.items()):
            plan = self._plans.get(name) or self._planned(name, rank, now)
            when = self._when(plan, view)
            if plan.busy or when > now:
                wake = min(wake, wake if plan.busy else when)
            else:
                due.append(name)
        if len(names) > len(views):
            due += self._in_turn(views, names, now)
        return due, wake

    def _planned(self, name: str, rank: int, now: float) -> Plan:
        wait = first_due(rank, every=self._every, chance=self._chance)
        plan = self._plans[name] = Plan(now + wait)
        return plan

    def _when(self, plan: Plan, view: ProbeView) -> float:
        if plan.last is None:
            return plan.first
        return due_at(view, last=plan.last, every=self._every, factor=plan.factor)

    def _in_turn(
        self, views: Mapping[str, ProbeView], names: Sequence[str], now: float
    ) -> list[str]:
        """Return the next of those who are not worth a look, if it is time for one."""
        if self._next_turn is None:
            self._next_turn = now + self._every
        if now < self._next_turn:
            return []
        pace = self._every * (STALEST_EVERY if self._turn >= len(names) else 1.0)
        self._next_turn = now + pace * jitter(self._chance)
        for _ in range(len(views) + 1):  # of so many, one at least is not worth a look
            name = names[self._turn % len(names)]
            self._turn += 1
            if name not in views:
                return [name]
        return []

    def _forget(self, views: Mapping[str, ProbeView], names: Sequence[str]) -> None:
        if len(self._plans) > len(views):
            known = set(names)
            for name in [name for name in self._plans if name not in known]:
                del self._plans[name]

    def began(self, name: str, now: float) -> None:
        """Note that a probe is under way."""
        self._plans.setdefault(name, Plan(now)).busy = True

    def hurry(self, name: str, now: float) -> None:
        """Have an endpoint probed as soon as may be."""
        plan = self._plans.setdefault(name, Plan(now))
        plan.first, plan.last = now, None

    def ended(self, name: str, now: float) -> None:
        """Note that a probe ended, well or not."""
        plan = self._plans.setdefault(name, Plan(now))
        plan.busy, plan.last, plan.factor = False, now, jitter(self._chance)
