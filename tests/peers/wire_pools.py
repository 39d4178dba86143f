"""What the wires of a client hold, whichever they are."""

from __future__ import annotations

from typing import Any

__all__ = ["connections", "pools_here", "slots"]


def pools_here(client: Any) -> dict[Any, Any]:
    """Return the pools by server; those of tasks in the running loop."""
    wires = client._transport._wires
    found = dict(wires.core.pools.there_are())
    if "fast" in wires.__dict__:
        found |= wires.fast.pools.there_are()
    return found


def slots(client: Any) -> int:
    """Return how many requests have a connection, or wait for one."""
    return sum(map(_taken, pools_here(client).values()))


def connections(client: Any) -> int:
    """Return how many connections are open, idle ones included."""
    return sum(len(pool.connections) for pool in pools_here(client).values())


def _taken(pool: Any) -> int:
    if hasattr(pool, "taken"):
        return int(pool.taken)
    busy = sum(not (c.is_idle() or c.is_closed()) for c in pool.connections)
    return len(pool._requests) + busy
