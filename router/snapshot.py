"""The present state as plain data, for a status page, a log or a person.

Rule: numbers and words, nothing secret, and nothing that could change under the reader.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from router.clock.reading import UNBOUNDED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.balance.ranking import Ranked
    from router.clock.keeper import Keeper
    from router.failover.budget import RetryBudget
    from router.limits.limiter import Limiter

__all__ = ["describe"]


def describe(
    *,
    ranking: Iterable[Ranked],
    keeper: Keeper,
    limiter: Limiter,
    limits: dict[str, Any],
    budget: RetryBudget,
    token: dict[str, Any] | None = None,
    shared: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the state of a router's parts; each key ends in the unit of its time."""
    stamp = keeper.clock.now()
    return {
        "endpoints": [_endpoint(ranked) for ranked in ranking],
        "clock": {
            "status": stamp.status,
            "source": stamp.source,
            "bound_ms": None if stamp.bound_ns == UNBOUNDED else stamp.bound_ns / 1e6,
            "unsure_stamps": 0 if keeper.stamper is None else keeper.stamper.unsure,
        },
        "limiter": {"in_use": limiter.in_use, "waiting": limiter.waiting},
        "limits": limits,
        "token": token,
        "shared": shared,
        "retry_budget": {"tokens": budget.tokens, "full": budget.full},
    }


def _endpoint(ranked: Ranked) -> dict[str, Any]:
    return {
        "name": ranked.name,
        "url": ranked.endpoint.url,
        "rtt_ms": ranked.rtt_ms,
        "spread_ms": ranked.spread_ms,
        "source": ranked.source,
        "health": ranked.health,
        "skew_s": ranked.skew,
        "in_flight": ranked.in_flight,
        "limit": ranked.limit,
        "first_byte_ms": ranked.alone * 1e3 if ranked.asked else None,
        "total_ms": None if math.isnan(ranked.total) else ranked.total * 1e3,
        "surplus_ms": ranked.surplus * 1e3,
        "risk_ms": ranked.risk * 1e3,
        "cost_ms": ranked.cost * 1e3,
        "reason": ranked.reason,
    }
