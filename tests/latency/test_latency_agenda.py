"""Who is probed when, over many endpoints and in virtual time."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from router.latency.agenda import LONGEST_NAP, Agenda
from router.latency.schedule import ProbeView

if TYPE_CHECKING:
    from collections.abc import Callable

START = 1000.0
EVERY = 10.0


def view(**changed: Any) -> ProbeView:
    """Return an endpoint that was measured and cannot win, unless it is said otherwise."""
    known = {"samples": 8, "cost": 0.1, "sd": 0.02, "best": 0.05, "down": False, "population": 3}
    return ProbeView(**(known | changed))


class World:
    """Endpoints that answer each probe after 50 ms; `views` tells how they stand."""

    def __init__(
        self,
        *names: str,
        watched: int | None = None,
        every: float = EVERY,
        view_of: Callable[[str, int], ProbeView] = lambda _, samples: view(samples=samples),
    ) -> None:
        self.names = names
        self.watched = names[:watched]
        self.view_of = view_of
        self.agenda = Agenda(every=every, chance=random.Random(1))
        self.now = START
        self.samples: Counter[str] = Counter()
        self.at: defaultdict[str, list[float]] = defaultdict(list)
        self.naps: list[float] = []

    def run(self, seconds: float) -> None:
        until, busy = self.now + seconds, list[tuple[float, str]]()
        while self.now < until:
            for ended, name in [b for b in busy if b[0] <= self.now]:
                busy.remove((ended, name))
                self.samples[name] += 1
                self.agenda.ended(name, self.now)
            views = {name: self.view_of(name, self.samples[name]) for name in self.watched}
            due, wake = self.agenda.due(views, self.names, self.now)
            for name in due:
                self.agenda.began(name, self.now)
                self.at[name].append(self.now - START)
                busy.append((self.now + 0.05, name))
            self.naps.append(wake - self.now)
            self.now = max(min([wake, *(ended for ended, _ in busy)]), self.now + 0.01)

    def order(self) -> list[str]:
        """Return who was probed, in the order of it."""
        probes = ((at, name) for name, ats in self.at.items() for at in ats)
        return [name for _, name in sorted(probes)]


def test_at_the_start_the_nearest_are_probed_within_200_ms_and_not_all_at_once() -> None:
    world = World(*(f"e{n:02}" for n in range(20)))
    world.run(0.3)
    assert sorted(world.at) == [f"e{n:02}" for n in range(16)]
    firsts = [ats[0] for ats in world.at.values()]
    assert max(firsts) <= 0.22
    assert len(set(firsts)) > 8


def test_each_is_warmed_up_with_three_probes_and_then_left_in_peace() -> None:
    world = World("a", "b", "c")
    world.run(60)
    assert {name: len(ats) for name, ats in world.at.items()} == {"a": 3, "b": 3, "c": 3}
    assert max(at for ats in world.at.values() for at in ats) < 1.5


def test_who_could_win_is_looked_at_more_often_than_who_could_not() -> None:
    near = {"a": 0.05, "b": 0.051, "c": 0.4}
    world = World(*near, view_of=lambda name, n: view(samples=n, cost=near[name]))
    world.run(3600)
    probes = {name: len(ats) for name, ats in world.at.items()}
    assert probes["a"] == pytest.approx(120, rel=0.15)
    assert probes["b"] == pytest.approx(120, rel=0.15)
    assert probes["c"] == pytest.approx(20, rel=0.3)


@pytest.mark.parametrize("sign", ["down", "suspect"])
def test_a_suspicion_is_found_out_about_soon_and_then_about_once_a_second(sign: str) -> None:
    since = START + 100

    def view_of(name: str, samples: int) -> ProbeView:
        return view(samples=samples, **{sign: name == "a" and world.now >= since})

    world = World("a", "b", "c", view_of=view_of)
    world.run(110)
    seen = [at for at in world.at["a"] if at >= 100]
    assert seen[0] - 100 <= LONGEST_NAP + 0.01
    assert 6 <= len(seen) <= 9
    assert not [at for at in world.at["b"] if at >= 100]


def test_nobody_is_probed_again_while_a_probe_is_under_way() -> None:
    agenda = Agenda(every=EVERY, chance=random.Random(1))
    views = {"a": view(down=True)}
    agenda.due(views, ["a"], START)
    assert agenda.due(views, ["a"], START + 1)[0] == ["a"]
    agenda.began("a", START + 1)
    assert agenda.due(views, ["a"], START + 100)[0] == []
    agenda.ended("a", START + 100)
    assert agenda.due(views, ["a"], START + 100)[0] == []
    assert agenda.due(views, ["a"], START + 102)[0] == ["a"]


def test_it_is_asked_again_soon_enough_and_not_too_soon() -> None:
    world = World("a", "b", "c")
    world.run(60)
    assert all(0 <= nap <= LONGEST_NAP for nap in world.naps)
    assert len(world.naps) < 600


def test_a_new_endpoint_is_probed_at_once_and_one_that_is_gone_never() -> None:
    world = World("a", "b")
    world.run(100)
    world.names = world.watched = ("b", "new")
    world.run(2)
    assert [at for at in world.at["new"] if at < 100.5]
    assert not [at for at in world.at["a"] if at > 100]
    assert set(world.agenda._plans) == {"b", "new"}


# -- many


def test_of_many_those_that_are_not_watched_are_probed_in_turn() -> None:
    names = [f"e{n:03}" for n in range(100)]
    world = World(*names, watched=10)
    world.run(2 * 60)
    others = [name for name in world.order() if name not in world.watched]
    assert others == names[10 : 10 + len(others)]
    assert len(others) > 0


@pytest.mark.parametrize("every", [1.0, 10.0])
@pytest.mark.untraced
def test_the_first_round_goes_at_the_configured_rate_and_later_ones_at_a_sixth_of_it(
    every: float,
) -> None:
    world = World(*(f"e{n:03}" for n in range(100)), watched=10, every=every)
    world.run(105 * every)
    first = sum(len(world.at[name]) for name in world.names[10:])
    assert first == pytest.approx(90, rel=0.1)
    world.run(600 * every)
    later = sum(len(world.at[name]) for name in world.names[10:])
    assert later - first == pytest.approx(90, rel=0.2)


def test_who_comes_to_be_watched_has_a_plan_of_its_own() -> None:
    world = World(*(f"e{n:03}" for n in range(100)), watched=10)
    world.run(30)
    world.watched = (*world.watched, "e099")
    world.run(2)
    assert len(world.at["e099"]) == 3


def test_a_large_population_costs_no_more_probes_a_minute_than_a_small_one() -> None:
    small = World(*(f"e{n}" for n in range(11)), watched=10)
    large = World(*(f"e{n}" for n in range(5000)), watched=10)
    for world in (small, large):
        world.run(600)
    probes = [sum(len(ats) for ats in world.at.values()) for world in (small, large)]
    assert probes[1] <= probes[0] + 600 / EVERY + 10
