"""What an attempt holds: a permit and an endpoint's in-flight count.

Rule: everything is given back once, by whoever lets go first: its holder, or the collector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    class Holding(Protocol):
        """Something taken that can be given back."""

        def give_back(self) -> None: ...


__all__ = ["Lease"]


class Lease:
    """Gives back everything it holds; safe to use from any thread.

    Attributes:
        holdings: what it holds; more may be put there.
    """

    __slots__ = ("holdings",)

    def __init__(self, *holdings: Holding) -> None:
        self.holdings = list(holdings)

    def give_back(self) -> None:
        """Let go; a second time does nothing."""
        holdings = self.holdings
        while holdings:
            try:
                holding = holdings.pop()
            except IndexError:  # another thread was quicker
                return
            holding.give_back()

    def __del__(self) -> None:
        """Give back what a forgotten stream or an interrupt at a bad moment left behind."""
        if self.holdings:
            self.give_back()
