"""What an attempt holds: a permit and an endpoint's in-flight count.

Rule: a Lease is counted. Whoever needs it longer than the flow (an abandoned attempt that its
      library must end by itself) takes another hold; the last give_back returns everything, once.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from router.forks import across_forks

if TYPE_CHECKING:
    from typing import Protocol

    class Holding(Protocol):
        """Something taken that can be given back."""

        def give_back(self) -> None: ...


__all__ = ["Lease"]

_COUNT = across_forks(threading.RLock())  # a finalizer may come in between


class Lease:
    """Gives back everything it holds when its last holder lets go."""

    __slots__ = ("_holders", "_holdings")

    def __init__(self, *holdings: Holding) -> None:
        self._holdings = list(holdings)
        self._holders = 1

    def hold(self, holding: Holding) -> None:
        """Take something more into the lease."""
        self._holdings.append(holding)

    def share(self) -> None:
        """Add a holder, who calls `give_back` too."""
        with _COUNT:
            self._holders += 1

    def __del__(self) -> None:
        """Give back what a forgotten stream or an interrupt at a bad moment left behind."""
        for holding in reversed(self._holdings):
            holding.give_back()

    def give_back(self) -> None:
        """Let go; calls beyond the last holder's do nothing."""
        with _COUNT:
            self._holders -= 1
            if self._holders != 0:
                return
            holdings, self._holdings = self._holdings, []
        for holding in reversed(holdings):
            holding.give_back()
