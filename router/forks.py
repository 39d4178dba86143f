"""What a forked child must not share with its parent: locks, threads, sockets.

Rule: an object that holds such things registers here and forgets them in the child; it stays usable
      on both sides.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["register"]


class Forkable(Protocol):
    """Something that can start afresh in a child."""

    def reset_after_fork(self) -> None:
        """Forget what belongs to the parent."""
        ...


_registered: weakref.WeakSet[Forkable] = weakref.WeakSet()


def register(thing: Forkable) -> None:
    """Have `thing.reset_after_fork()` called in every forked child, while it lives."""
    _registered.add(thing)


def _reset_all() -> None:
    for thing in list(_registered):
        thing.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all)
