"""The face of the pool for policies from elsewhere.

Rule 1: a policy says which of some regions it would take, and hears of each attempt's beginning
        and end; all else is the same for all of them.
Rule 2: regions that the request tried before come last, and so do those that the policy itself has
        put aside. If nothing else is left they are taken all the same: an error helps nobody.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from router.endpoint import Endpoint
    from router.options import Options
    from traffic.world import World

__all__ = ["Peer", "Pick"]


@dataclass(slots=True)
class Pick:
    """A region taken for one attempt.

    Attributes:
        began: monotonic seconds when it was taken, or the request left.
        again: whether the request was there before.
        trial: never: no peer has attempts that decide alone.
        predicted: none of them expects anything.
    """

    peer: Peer = field(repr=False)
    endpoint: Endpoint
    began: float
    again: bool
    trial: bool = False
    predicted: float = 0.0
    held: bool = True

    def departed(self, now: float) -> None:
        """Hear when the request leaves."""
        self.began = now

    def decided(self) -> None:
        """Return no reasons: nobody asks a peer for them."""

    def give_back(self) -> None:
        """Return the in-flight count; a second call does nothing."""
        if self.held:
            self.held = False
            self.peer.in_flight[self.endpoint.name] -= 1


class Peer:
    """A policy.

    Attributes:
        chance: its luck.
        names: all regions, the nearest by geography first.
        in_flight: how many attempts are under way at each of them.
    """

    def __init__(self, world: World, client: int) -> None:
        placed = world.placed(client)
        self.chance = world.random(f"peer {client}")
        self.names = sorted(placed, key=lambda name: placed[name][1].rtt)
        self.in_flight = dict.fromkeys(self.names, 0)
        self._endpoints = {name: endpoint for name, (endpoint, _) in placed.items()}

    # -- what makes a policy

    def best(self, names: Sequence[str], now: float) -> str:
        """Return which of these regions to take."""
        raise NotImplementedError

    def usable(self, name: str, now: float) -> bool:  # noqa: ARG002
        """Return whether a region is not put aside."""
        return True

    def sent(self, name: str, now: float) -> None:
        """Hear that an attempt begins."""

    def ended(self, name: str, elapsed: float, failure: str | None, now: float) -> None:
        """Hear that an attempt ended after so many seconds: how it failed in words, or None."""

    # -- the face of the pool

    def check(self, options: Options) -> None:
        """Find nothing wrong."""

    def choose(
        self, _: Options, tried: Collection[str], now: float, _within: float = math.inf
    ) -> Pick:
        """Take a region for one attempt."""
        name = self.best(self._candidates(tried, now), now)
        self.in_flight[name] += 1
        self.sent(name, now)
        return Pick(self, self._endpoints[name], now, name in tried)

    def _candidates(self, tried: Collection[str], now: float) -> Sequence[str]:
        fresh = [name for name in self.names if name not in tried] if tried else self.names
        return (
            [name for name in fresh if self.usable(name, now)]
            or fresh
            or [name for name in self.names if self.usable(name, now)]
            or self.names
        )

    def answered(self, pick: Pick, elapsed: float, *, now: float, **_: Any) -> None:
        """Take an answer."""
        self.ended(pick.endpoint.name, elapsed, None, now)

    def heard(self, _: Pick) -> None:
        """Hear of an answer that says neither that it works nor that it does not."""

    def failed(self, pick: Pick, words: str, *, now: float, **_: Any) -> None:
        """Take a failure."""
        self.ended(pick.endpoint.name, now - pick.began, words, now)

    def absolve(self, pick: Pick, **_: Any) -> None:
        """Hear that a failure was no fault of the region; it was told before, and stays."""

    def cool(self, pick: Pick, seconds: float, **_: Any) -> None:
        """Hear that a region wants to be left alone, which none of these does."""

    def has_fresh(self, _: Options, *, tried: Collection[str], now: float, **_more: Any) -> bool:
        """Return whether a region is left that was not tried and is not put aside."""
        return any(name not in tried and self.usable(name, now) for name in self.names)

    all_fail = False

    def all_cool_until(self, _: float) -> float:
        """Return that nobody has to wait."""
        return -math.inf

    def soonest(self, *_: Any, **__: Any) -> float:
        """Return the seconds until somebody may be asked: none."""
        return 0.0
