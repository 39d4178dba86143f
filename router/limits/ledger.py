"""All rates of one limit together, and what requests cost at each of them.

Rule 1: all or nothing. A request takes its cost of every rate at once, or of none.
Rule 2: a cost is checked before anything is taken: what no wait would ever admit is refused.
Rule 3: what is settled is bounded. Nobody gives back more than was taken, and that once; what was
        used beyond what was taken is taken then, and whoever comes next waits for it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from router.limits.permit import too_dear
from router.limits.quota import Local
from router.limits.told import Told
from router.rates import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from router.limits.permit import Permit
    from router.limits.quota import Quota
    from router.rates import Bound

    Costs = Iterable[tuple[str, float]]

__all__ = ["Ledger"]

USED = -math.inf
"""In place of a receipt that was used, or where nothing was taken."""


class Ledger:
    """Quotas by the place of their bound, and what the service told; only the limiter touches it.

    Attributes:
        quotas: one for each bound.
        told: what the service says is left of its own.
        single: the quota, if it is the only one, local and of requests.
    """

    __slots__ = ("_least", "bounds", "quotas", "single", "told")

    def __init__(self, bounds: Sequence[Bound], quota: Callable[[Bound], Quota] = Local) -> None:
        self.bounds = tuple(bounds)
        self.quotas = tuple(quota(bound) for bound in self.bounds)
        self.told = Told(self.bounds)
        self._least = math.inf
        if all(bound.of == REQUESTS for bound in self.bounds):
            self._least = min((quota.most for quota in self.quotas), default=math.inf)
        self.single: Local | None = None
        if len(self.bounds) == 1 and self.bounds[0].of == REQUESTS:
            only = self.quotas[0]
            self.single = only if type(only) is Local else None

    def charges(self, cost: float, costs: Costs = ()) -> tuple[float, ...]:
        """Return what a request costs at each rate.

        Raises:
            OptionsError: it is above the burst of one, or no cost at all.
        """
        if self._least < math.inf and 0 < cost <= self._least:
            return (cost,) * len(self.bounds)
        named = dict(costs)
        charges = tuple(
            cost if bound.of == REQUESTS else named.get(bound.of, bound.cost)
            for bound in self.bounds
        )
        for charge, bound, quota in zip(charges, self.bounds, self.quotas, strict=True):
            if not 0 <= charge <= quota.most or (not charge and bound.of == REQUESTS):
                raise too_dear(charge, quota.most, bound.of)
        return charges

    def wait(self, charges: Sequence[float], now: float) -> float:
        """Return the seconds until so much may be taken; it may be the cost of many requests."""
        wait = self.told.wait(charges, now) if now < self.told.ends else 0.0
        for quota, charge in zip(self.quotas, charges, strict=True):
            if charge:
                wait = max(wait, quota.wait(charge, now))
        return wait

    def take(self, charges: Sequence[float], now: float) -> tuple[float, ...] | None:
        """Take all of it and return the receipts, or None."""
        if now < self.told.ends and self.told.wait(charges, now) > 0:
            return None
        receipts: list[float] = []
        for quota, charge in zip(self.quotas, charges, strict=True):
            receipt = quota.take(charge, now) if charge else USED
            if receipt is None:
                self._undo(charges, receipts, now)
                return None
            receipts.append(receipt)
        if now < self.told.ends:
            self.told.take(charges, now)
        return tuple(receipts)

    def _undo(self, charges: Sequence[float], receipts: Sequence[float], now: float) -> None:
        for quota, charge, receipt in zip(self.quotas, charges, receipts, strict=False):
            if charge:
                quota.give_back(charge, receipt, now)

    def settle(self, permit: Permit, cost: float | None, costs: Costs, now: float) -> None:
        """Let a request have cost so much in the end; None, and what is not named, stay."""
        named = dict(costs)
        used, receipts = [], list(permit.receipts)
        for place, bound in enumerate(self.bounds):
            taken, quota = permit.charges[place], self.quotas[place]
            told = cost if bound.of == REQUESTS else named.get(bound.of)
            if told is None or (told < taken and receipts[place] == USED):
                told = taken
            if told < taken:
                quota.give_back(taken - told, receipts[place], now)
                receipts[place] = USED
            elif told > taken:
                quota.spend(told - taken, permit.at)
            used.append(told)
        permit.charges, permit.receipts = tuple(used), tuple(receipts)
