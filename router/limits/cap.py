"""What one endpoint takes of its own: `limits: {concurrency: 10, rate: 50/s}` under an endpoint.

Rule 1: nobody waits here. Who chooses passes an endpoint over that is at its limit; only where all
        are, the request waits for the first.
Rule 2: it is asked and taken from under the pool's lock. What is under way is the pool's count.
Rule 3: how long a window stays full nobody knows: it is looked at again after `LOOK_AGAIN` seconds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from router.errors import OptionsError
from router.limits.ledger import Ledger
from router.limits.permit import Permit

if TYPE_CHECKING:
    from router.options import Options
    from router.rates import EndpointLimits

__all__ = ["Cap"]

LOOK_AGAIN = 0.02


class Cap:
    """The window and the rates of one endpoint."""

    __slots__ = ("_ledger", "limits")

    def __init__(self, limits: EndpointLimits) -> None:
        self.limits = limits
        self._ledger = Ledger(limits.bounds)

    def wait(self, options: Options, in_flight: int, now: float) -> float:
        """Return the seconds until it may take a request; 0: now, inf: it never takes so much."""
        try:
            charges = self._ledger.charges(options.cost, options.costs)
        except OptionsError:
            return math.inf
        most = self.limits.concurrency
        wait = LOOK_AGAIN if most is not None and in_flight >= most else 0.0
        return max(wait, self._ledger.wait(charges, now))

    def take(self, options: Options, now: float) -> Permit:
        """Take a request that need not wait."""
        charges = self._ledger.charges(options.cost, options.costs)
        receipts = self._ledger.take(charges, now)
        return Permit(None, () if receipts is None else charges, receipts or (), now)

    def cancel(self, taken: Permit, now: float) -> None:
        """Take back what a request took that was not sent."""
        if taken.charges:
            costs = [(bound.of, 0.0) for bound in self.limits.bounds]
            self._ledger.settle(taken, 0.0, costs, now)
