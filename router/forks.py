"""What a forked child must not share with its parent: locks, threads, sockets.

Rule 1: an object that holds such things registers here and forgets them in the child; it stays
        usable on both sides.
Rule 2: a lock that belongs to no object is taken before a fork and released on both sides after it
        (`across_forks`), so that no child inherits it from a thread that is not there.
Rule 3: a module that another thread is importing has such a lock, which nobody else can take: a
        child that needs the module would wait for ever. So a fork waits until it is imported.
"""

from __future__ import annotations

import os
import sys
import time
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from threading import Lock, RLock
    from types import FrameType
    from typing import TypeVar

    AnyLock = TypeVar("AnyLock", Lock, RLock)

__all__ = ["across_forks", "register"]

IMPORTING = "<frozen importlib._bootstrap>"
IMPORTED_WITHIN, LOOK_EVERY = 1.0, 0.001


class Forkable(Protocol):
    """Something that can start afresh in a child."""

    def reset_after_fork(self) -> None:
        """Forget what belongs to the parent."""
        ...


_registered: weakref.WeakSet[Forkable] = weakref.WeakSet()


def register(thing: Forkable) -> None:
    """Have `thing.reset_after_fork()` called in every forked child, while it lives."""
    _registered.add(thing)


def across_forks(lock: AnyLock) -> AnyLock:
    """Return a module's own lock, which every fork from now on waits for.

    It is held for arithmetic only, and is reentrant if a finalizer may take it.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=lock.acquire,
            after_in_parent=lock.release,
            after_in_child=lock.release,
        )
    return lock


def _reset_all() -> None:
    for thing in list(_registered):
        thing.reset_after_fork()


def _until_imported() -> None:
    """Wait until no other thread is importing, or for a second."""
    until = time.monotonic() + IMPORTED_WITHIN
    while _imports_elsewhere() and time.monotonic() < until:
        time.sleep(LOOK_EVERY)


def _imports_elsewhere() -> bool:
    own = sys._getframe()  # noqa: SLF001 - there is no other way to know
    frames = sys._current_frames().values()  # noqa: SLF001
    return any(_is_importing(frame) for frame in frames if frame is not own)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORTING:
            return True
        frame = frame.f_back
    return False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_until_imported, after_in_child=_reset_all)
