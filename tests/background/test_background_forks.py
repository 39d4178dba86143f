from __future__ import annotations

import gc
import os

import pytest

from router import forks


class Thing:
    """Holds what a child must not share."""

    def __init__(self) -> None:
        self.resets = 0

    def reset_after_fork(self) -> None:
        self.resets += 1


def in_a_child(thing: Thing) -> int:
    """Fork, and return how often `thing` was reset there."""
    child = os.fork()
    if child == 0:
        os._exit(thing.resets)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_what_is_registered_is_reset_in_the_child_and_there_only() -> None:
    known, unknown = Thing(), Thing()
    forks.register(known)
    forks.register(known)
    assert in_a_child(known) == 1
    assert in_a_child(unknown) == 0
    assert known.resets == 0


def test_registering_keeps_nothing_alive() -> None:
    gc.collect()
    before = len(forks._registered)
    thing: Thing | None = Thing()
    forks.register(thing)  # type: ignore[arg-type]  # it is a Thing here
    assert len(forks._registered) == before + 1
    thing = None
    gc.collect()
    assert len(forks._registered) == before
