"""Suspicion: who has the servers asked again, and when that happens."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import threading
from typing import TYPE_CHECKING

import pytest
from fake_servers import World

from router.background import Background

if TYPE_CHECKING:
    from router.clock.host import Hands
    from router.clock.sync import Synchroniser


def test_without_a_nudge_the_loop_rests_for_half_an_hour() -> None:
    world = World()
    assert world.rounds_after(rounds=1) == [1000.0]
    assert world.slept == [1575.0]


def test_a_nudge_from_another_thread_wakes_the_loop() -> None:
    world = World()
    assert world.rounds_after(world.synchroniser.nudge, rounds=2) == [1000.0, 1000.0]


def test_a_step_of_the_wall_clock_is_such_a_nudge() -> None:
    world = World()

    def step() -> None:
        world.time.pass_by(1.0)
        world.time.wall += 2.0
        world.clock.now()

    world.rounds_after(step, rounds=2)
    assert world.error() == pytest.approx(0, abs=1e-6)
    assert world.bound() < 0.02


def test_a_nudge_during_a_round_has_another_follow() -> None:
    world = World()
    once = itertools.count()
    world.servers.during = lambda: world.synchroniser.nudge() if next(once) == 0 else None
    assert world.rounds_after(rounds=2) == [1000.0, 1000.0]


def test_a_nudge_before_the_loop_starts_is_answered_by_its_first_round() -> None:
    world = World()
    world.synchroniser.nudge()
    world.rounds_after(rounds=1)


def test_a_nudge_after_the_loop_was_closed_does_nothing() -> None:
    world = World()
    world.rounds_after(rounds=1)
    world.synchroniser.nudge()


def test_what_moved_between_rounds_and_nobody_read_is_noticed_before_the_next() -> None:
    world = World()
    assert world.once()
    world.time.pass_by(1.0)
    world.time.wall += 2.0  # this virtual machine was paused, and its host sets the clock right
    world.servers.all_jump(2.0)
    world.servers.ahead |= {"b": None, "c": None}
    assert world.once()
    assert world.error() == pytest.approx(0, abs=1e-6)
    assert world.bound() < 0.02
    assert world.verdicts() == ["used", "rejected", "rejected", "used", "used"]


def test_a_nudge_that_a_round_begins_with_is_answered_by_that_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    begin = world.clock.begin

    def nudge_and_begin() -> Hands:
        world.synchroniser.nudge()
        return begin()

    monkeypatch.setattr(world.clock, "begin", nudge_and_begin)
    world.rounds_after(world.synchroniser.nudge, rounds=2)
    assert world.slept == [1575.0, 1575.0]


def test_what_a_poll_finds_moved_asks_for_no_further_round() -> None:
    world = World(longest=1800.0)

    def step_and_hold() -> None:
        if len(world.servers.rounds) == 2:
            world._longest = 64.0

    async def sleep_and_step(seconds: float) -> None:
        world.time.wall += 2.0
        await World.sleep(world, seconds)

    world.servers.during = step_and_hold
    world.synchroniser._sleep = sleep_and_step
    world.rounds_after(rounds=2)
    assert world.slept == [1575.0, 1575.0]
    assert world.bound() < 0.02


def test_nudges_without_end_are_answered_ever_more_rarely() -> None:
    world = World()

    def nudge() -> None:
        if len(world.servers.rounds) < 11:
            world.synchroniser.nudge()

    world.servers.during = nudge
    began = world.rounds_after(rounds=11)
    gaps = [after - before for before, after in itertools.pairwise(began)]
    assert gaps == [0, 1, 2, 4, 8, 16, 32, 64, 64, 64]


def test_a_nudge_does_not_wake_a_server_that_asked_to_be_left_alone() -> None:
    world = World(names="a")
    world.rounds_after(lambda: rest(world, 256.0), world.synchroniser.nudge, rounds=1)
    assert world.slept == [1575.0, 256.0]


def rest(world: World, seconds: float) -> None:
    world.synchroniser._sources["a"].spacing = seconds


def test_after_a_nudge_that_nobody_answers_the_servers_are_asked_within_seconds() -> None:
    world = World(longest=10.0)

    def unplug_and_wake() -> None:
        world.servers.ahead = dict.fromkeys("abcde", None)
        world.synchroniser.nudge()

    world.rounds_after(unplug_and_wake, rounds=6)
    assert world.slept == [1575.0, 1, 2, 4, 8, 16]


def test_what_was_said_before_a_nudge_no_longer_counts() -> None:
    world = World()
    assert world.once()
    world.servers.ahead |= {"b": None, "c": None, "d": None, "e": None}
    assert world.once()  # a agrees with what the others said before
    world.time.pass_by(10.0)
    world.synchroniser.nudge()
    assert not world.once()
    assert world.clock.now().status == "holdover"


def test_the_loop_may_run_again_on_another_loop() -> None:
    world = World()
    world.rounds_after(world.synchroniser.nudge, rounds=2)
    world.rounds_after(world.synchroniser.nudge, rounds=4)


def child(synchroniser: Synchroniser, rounds: list[float]) -> None:
    """Exit with the number of rounds that a child makes on its own loop, nudged once."""
    parent_bell = synchroniser._bell
    synchroniser.nudge()
    assert parent_bell is None
    rounds.clear()

    async def run_for_a_while() -> None:
        running = asyncio.create_task(synchroniser.run())
        await asyncio.sleep(0.1)
        synchroniser.nudge()
        await asyncio.sleep(0.1)
        running.cancel()

    asyncio.run(run_for_a_while())
    os._exit(len(rounds))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_runs_it_on_a_loop_of_its_own() -> None:
    world = World()
    background = Background(lambda: [world.synchroniser.run()])
    background.start()
    try:
        while not world.slept:
            threading.Event().wait(0.001)
        process = multiprocessing.get_context("fork").Process(
            target=child, args=(world.synchroniser, world.servers.rounds)
        )
        process.start()
        process.join(20)
        assert process.exitcode == 2
        assert len(world.servers.rounds) == 1  # the parent's loop was not woken
    finally:
        background.stop()
