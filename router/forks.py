"""What a forked child must not share with its parent: locks, threads, sockets.

Rule 1: an object that holds such things registers here and forgets them in the child; it stays
        usable on both sides.
Rule 2: a lock that belongs to no object is taken before a fork and released on both sides after it
        (`across_forks`), so that no child inherits it from a thread that is not there.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from threading import Lock, RLock
    from typing import TypeVar

    AnyLock = TypeVar("AnyLock", Lock, RLock)

__all__ = ["across_forks", "register"]


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


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all)
