"""The present state as plain data, for a status page, a log or a person.

Rule: numbers and words, nothing secret, and nothing that could change under the reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from router.balance.ranking import Ranked
    from router.clock.clock import Stamp
    from router.limits.limiter import Limiter

__all__ = ["describe"]


def describe(
    *, ranking: Iterable[Ranked], in_flight: Mapping[str, int], stamp: Stamp, limiter: Limiter
) -> dict[str, Any]:
    """Return the state of a router's parts; times are milliseconds."""
    return {
        "endpoints": [_endpoint(ranked, in_flight.get(ranked.name, 0)) for ranked in ranking],
        "clock": {
            "status": stamp.status,
            "source": stamp.source,
            "bound_ms": None if stamp.source == "wall" else stamp.bound_ns / 1e6,
        },
        "limiter": {"in_use": limiter.in_use, "waiting": limiter.waiting},
    }


def _endpoint(ranked: Ranked, in_flight: int) -> dict[str, Any]:
    return {
        "name": ranked.name,
        "url": ranked.endpoint.url,
        "rtt_ms": ranked.rtt_ms,
        "spread_ms": ranked.spread_ms,
        "source": ranked.source,
        "health": ranked.health,
        "in_flight": in_flight,
        "reason": ranked.reason,
    }
