"""The wait for a permit as the flow does it, for tests of the limiter alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.limits.acquire import in_turn
from router.limits.permit import Permit

if TYPE_CHECKING:
    from router.limits.acquire import Port
    from router.limits.ledger import Costs
    from router.limits.limiter import Limiter

__all__ = ["acquire"]


async def acquire(
    limiter: Limiter,
    port: Port,
    deadline: float,
    cost: float = 1.0,
    *,
    costs: Costs = (),
    priority: int = 0,
) -> Permit:
    """Return a permit when it is this request's turn; `cost` to `priority` as `Limiter.admit`."""
    admitted = limiter.admit(port.now(), cost, costs, priority, deadline)
    return admitted if isinstance(admitted, Permit) else await in_turn(admitted, port, deadline)
