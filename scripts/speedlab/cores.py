"""Which core is whose: clients on the first one, servers on the last, where that can be said."""

from __future__ import annotations

import os

__all__ = ["CLIENTS", "SERVERS", "cores", "settle"]

CLIENTS, SERVERS = 0, -1


def cores() -> list[int]:
    """Return the cores that this process may use, or nothing where the system does not tell."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    return sorted(os.sched_getaffinity(0))


def settle(which: int) -> None:
    """Keep this process, and those that it starts, on one core, where there are several."""
    known = cores()
    if len(known) > 1:
        os.sched_setaffinity(0, {known[which]})
