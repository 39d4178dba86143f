"""What a request is served with: the parts that all requests share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.streams.stall import Gaps

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from router.auth.token import TokenManager
    from router.balance.pool import EndpointPool
    from router.clock.keeper import Keeper
    from router.config.settings import Failover
    from router.departure import Signer
    from router.failover.budget import RetryBudget
    from router.failover.hedging import Hedging
    from router.failover.precondition import Began
    from router.failover.verdict import Verdict
    from router.limits.limiter import Limiter
    from router.limits.usage import Usage

__all__ = ["Desk"]


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts that every request meets; none of them waits.

    Attributes:
        unready: whether the signer still fetches its credentials for the first time.
        apart: whether endpoints want tokens for audiences or scopes of their own.
    """

    pool: EndpointPool
    limiter: Limiter
    tokens: TokenManager | None
    keeper: Keeper
    failover: Failover
    chance: random.Random
    budget: RetryBudget
    hedging: Hedging
    verdicts: Mapping[int, Verdict]
    signer: Signer | None = None
    unready: Callable[[], bool] = bool
    apart: bool = False
    began: Began | None = None
    used: Usage | None = None
    gaps: Gaps = field(default_factory=Gaps)
