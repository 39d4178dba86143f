"""Which majority is believed: the one that moved, or those who vouch for the time before."""

from __future__ import annotations

import math

import pytest
from fake_servers import World


def test_a_majority_that_moves_is_not_believed_against_one_that_vouches() -> None:
    world = World()
    assert world.once()
    world.time.pass_by(1800)
    world.servers.ahead |= {"a": 2.0, "b": 2.0, "c": 2.0}
    assert not world.once()
    assert abs(world.error()) < 0.001
    assert world.bound() > 2
    assert world.verdicts() == ["rejected", "rejected", "rejected", "used", "used"]
    world.servers.ahead |= {"a": 0.0, "b": 0.0, "c": 0.0}
    assert world.once()
    assert world.bound() < 0.02


@pytest.mark.parametrize(
    ("names", "moved", "followed"),
    [
        ("abcde", "abcd", True),
        ("abcde", "abc", False),
        ("abcd", "abc", True),
        ("abc", "ab", False),
        ("abcdefg", "abcde", True),
        ("abcdefg", "abcd", False),
    ],
)
def test_fewer_than_half_as_many_as_have_moved_cannot_hold_the_clock_back(
    names: str, moved: str, *, followed: bool
) -> None:
    world = World(names=names)
    assert world.once()
    world.time.pass_by(1800)
    world.servers.ahead |= dict.fromkeys(moved, 2.0)
    for _ in range(3):
        assert world.once() == followed
    assert world.error() == pytest.approx(2.0 if followed else 0.0, abs=0.001)
    assert (world.bound() < 0.02) == followed


def test_a_voucher_that_falls_silent_vouches_no_longer() -> None:
    world = World()
    assert world.once()
    world.servers.ahead |= {"a": 2.0, "b": 2.0, "c": 2.0}
    assert not world.once()
    world.servers.ahead["e"] = None
    assert world.once()  # d alone against three
    assert world.verdicts() == ["used", "used", "used", "falseticker", "falseticker"]


def test_a_round_that_was_not_believed_counts_as_a_failure() -> None:
    world = World(longest=1800.0)

    def jump_after_the_first() -> None:
        if len(world.servers.rounds) == 2:
            world.servers.ahead |= {"a": 2.0, "b": 2.0, "c": 2.0}

    world.servers.during = jump_after_the_first
    world.rounds_after(rounds=7)
    assert world.slept == [1575, 64, 128, 256, 512, 1024, 2048]


@pytest.mark.parametrize("seconds", [2.0, -2.0, 0.2, 86400.0])
def test_when_all_that_were_believed_have_moved_this_host_has(
    seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    assert world.once()
    world.servers.all_jump(seconds)
    assert world.once()
    assert abs(world.error()) < 0.001
    assert f"agree on a time {seconds:+.3f} s from the old one" in caplog.text


def test_what_a_silent_server_said_before_vouches_for_nothing() -> None:
    world = World()
    assert world.once()
    world.servers.all_jump(2.0)
    world.servers.ahead |= {"d": None, "e": None}
    assert world.once()
    assert abs(world.error()) < 0.001
    assert world.verdicts() == ["used", "used", "used", "falseticker", "falseticker"]


def test_who_was_never_believed_vouches_for_nothing() -> None:
    world = World()
    world.servers.ahead["e"] = -2.0
    assert world.once()
    world.servers.all_jump(2.0)
    world.servers.ahead["e"] = -2.0  # now it says what the others said before
    assert world.once()
    assert abs(world.error()) < 0.001


def test_liars_who_answer_first_are_not_believed_before_the_others_were_heard() -> None:
    world = World()
    assert world.once()
    world.time.sleep(3600.0)
    world.clock.now()  # notices; requests may wait for the next round
    assert not world.clock.settled
    world.servers.ahead |= {"a": 20.0, "b": 20.0, "c": 20.0}
    assert not world.once()
    assert abs(world.error()) < 0.001


def test_after_a_pause_the_first_majority_is_published_at_once_if_it_agrees() -> None:
    world = World()
    assert world.once()
    world.time.sleep(3600.0)
    assert world.clock.now().status == "unsynchronised"
    settled: list[bool] = []
    world.servers.heard_each = lambda: settled.append(world.clock.settled)
    assert world.once()
    assert settled == [False, False, True, True, True]
    assert world.bound() < 0.02


def test_unreachable_for_hours_means_unsynchronised_once_the_bound_is_too_wide() -> None:
    world = World()
    assert world.once()
    world.servers.ahead = dict.fromkeys("abcde", None)
    statuses = set()
    for _ in range(100):
        world.time.pass_by(100.0)
        world.once()
        stamp = world.clock.now()
        sure = stamp.bound_ns <= 500_000_000
        assert stamp.status == ("holdover" if sure else "unsynchronised")
        assert abs(world.error()) <= world.bound() < math.inf
        statuses.add(stamp.status)
    assert statuses == {"holdover", "unsynchronised"}


def test_a_round_does_not_wait_for_who_is_slow_if_the_first_answers_agree() -> None:
    world = World()
    settled: list[bool] = []
    world.servers.heard_each = lambda: settled.append(world.clock.settled)
    assert world.once()
    assert settled == [False, False, True, True, True]
