"""What a request is served with: the parts that all requests share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from router.auth.token import TokenManager
    from router.balance.pool import EndpointPool
    from router.clock.keeper import Keeper
    from router.config.settings import Failover
    from router.departure import Signer
    from router.limits.limiter import Limiter

__all__ = ["Desk"]


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts that every request meets; none of them waits."""

    pool: EndpointPool
    limiter: Limiter
    tokens: TokenManager | None
    keeper: Keeper
    failover: Failover
    chance: random.Random
    signer: Signer | None = None
