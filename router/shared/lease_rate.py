"""One exchange about a rate: what a process asks for and gives back, and what it gets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.shared.scripts import RATE
from router.shared.store import NONSENSE, StoreError

if TYPE_CHECKING:
    from router.shared.stock import Terms
    from router.shared.store import Store

__all__ = ["Answer", "Wish", "exchange"]

MICRO = 1e6
HUNGRY_PACES, LEAST_HUNGRY = 4, 0.2
"""For how long a process counts among those that go without: paces, and seconds."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What one exchange asks for, and what it brings back.

    Attributes:
        want: units, each as soon as it is due.
        lump: units for one dear request, all at once; in place of `want`.
        change: units that were used beyond what was taken, less those that go back.
        debt: units that the share spent in an outage.
        known: whether this process has spent of late, so that the server should know the state.
        pending: units of a lump that is held, and the seconds until they are due.
        held: units that are held in all, and the seconds until they are stale.
    """

    want: float
    lump: float
    change: float
    debt: float
    known: bool
    pending: tuple[float, float] = (0.0, 0.0)
    held: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: units, and the seconds until the first is due and until asking is worth while.

    `anew`: they take the place of the lump that was held.
    """

    granted: float
    first: float
    wait: float
    anew: bool


async def exchange(
    store: Store, keys: tuple[str, ...], holder: str, term: Terms, wish: Wish
) -> Answer:
    """Ask the store.

    Raises:
        StoreError: it is not known whether it heard, or it answered with nonsense.
    """
    hungry_for = max(HUNGRY_PACES * term.pace, LEAST_HUNGRY)
    rate = (term.interval * MICRO, term.burst, term.ahead * MICRO)
    asked = (wish.want, wish.lump, wish.change, int(wish.known), hungry_for * MICRO)
    pending = (wish.pending[0], wish.pending[1] * MICRO)
    held = (wish.held[0], wish.held[1] * MICRO, term.hold * MICRO)
    answer = await store.call(RATE, keys, (*rate, holder, *asked, *pending, *held, wish.debt))
    try:
        granted, first, wait, anew = map(float, answer)
    except (TypeError, ValueError):
        raise StoreError(NONSENSE) from None
    if granted < 0 or not all(map(math.isfinite, (granted, first, wait))):
        raise StoreError(NONSENSE)
    most = max(wish.want, wish.lump, wish.pending[0])
    return Answer(min(granted, most), first / MICRO, wait / MICRO, bool(anew))
