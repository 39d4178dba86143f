"""Where faults are lived through: fresh regions and a client for each.

    life = await lab.live("F04", breaking(Reset()), "POST")

Rule 1: each life has regions and a client of its own; nothing is left over from the one before.
Rule 2: a peer lives through the same; where it cannot take part, it has no figures.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import router
from faultlab.clients import OURS, Subject
from faultlab.life import Life
from faultlab.stage import Stage
from faultlab.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from faultlab.stage import Breaking

__all__ = ["FAILOVER", "RATE", "Lab", "Peers", "config_of"]

T = TypeVar("T")

RATE = 200.0
LEAST_HOLD = 2.0
QUICK_HOLD = 1.0
QUICK_BELOW = 0.09
FAILOVER: dict[str, Any] = {
    "attempts": 3,
    "attempt_timeout": 0.3,
    "connect_timeout": 0.3,
    "deadline": 2.0,
    "backoff": router.Backoff(base=0.025, cap=0.25),
}


def config_of(world: World, sections: dict[str, Any], **failover: Any) -> router.Config:
    """Return the configuration of the page, with what is different this time."""
    settings = router.Failover(**{**FAILOVER, **failover})
    return world.config(failover=settings, **sections)


class Peers(Protocol):
    """A peer's process, which makes a client for some regions."""

    name: str
    methods: frozenset[str]

    def client(self, world: World, timeout: float) -> Subject:
        """Return a client of these regions, with so many seconds for a try."""
        ...


class Lab:
    """Stages for one client.

    Attributes:
        kind: one of OURS.
        failover: settings of all its stages.
        peer: in its place, another library's client.
        lives: what was lived through so far, with the settings of the page.
    """

    def __init__(
        self,
        *,
        kind: str = "tasks",
        peer: Peers | None = None,
        scale: float = 1.0,
        way_back: bool = True,
    ) -> None:
        """Take a client.

        Args:
            kind: one of OURS.
            peer: in its place, another library's client.
            scale: the share of the counts and times of the full form.
            way_back: whether faults are healed, and the way back timed.
        """
        self.kind = kind
        self.peer = peer
        self.scale = scale
        self.way_back = way_back
        self.failover: dict[str, Any] = {"eject_for": 1.0} if self.quick else {}
        self.lives: list[Life] = []

    @property
    def name(self) -> str:
        """The client's name."""
        return self.kind if self.peer is None else self.peer.name

    def count(self, full: int, least: int = 40) -> int:
        """Return how many requests to send where the full form sends so many."""
        return max(min(least, full), round(full * self.scale))

    @property
    def quick(self) -> bool:
        """Whether this is the form for the gate."""
        return self.scale < QUICK_BELOW

    def some(self, variants: Iterable[T]) -> list[T]:
        """Return all variants of a fault, or in the quick form the first."""
        return list(variants)[: 1 if self.quick else None]

    def seconds(self, full: float, least: float = 1.0) -> float:
        """Return for how long to hold what the full form holds so long."""
        return max(min(least, full), full * self.scale)

    def takes(self, method: str) -> bool:
        """Return whether the client can send this."""
        return self.peer is None or method in self.peer.methods

    @contextlib.asynccontextmanager
    async def stage(
        self, world: World | None = None, *, sections: dict[str, Any] | None = None, **failover: Any
    ) -> AsyncIterator[Stage]:
        """Set up regions (A, B and C) and the client; arguments as of `config_of`."""
        with world or World() as regions:
            if self.peer is None:
                kind, make = OURS[self.kind]
                config = config_of(regions, sections or {}, **{**self.failover, **failover})
                subject: Subject = kind(config, make)
            else:
                subject = self.peer.client(
                    regions, failover.get("attempt_timeout", FAILOVER["attempt_timeout"])
                )
            try:
                await subject.ready()
                yield Stage(regions, subject)
            finally:
                await subject.close()

    async def live(
        self,
        fault: str,
        start: Breaking,
        method: str,
        count: int = 1000,
        *,
        failover: dict[str, Any] | None = None,
        heal: bool = True,
        **options: Any,
    ) -> Life:
        """Live through a fault of A on a stage of its own; a peer that cannot has an empty life."""
        if not self.takes(method):
            return Life(fault, method, [], 0, 0, Counter())
        sent = self.count(count)
        if "at_once" not in options:
            options.setdefault(
                "rate", min(RATE, sent / (LEAST_HOLD / 2 if self.quick else LEAST_HOLD))
            )
        async with self.stage(**failover or {}) as stage:
            life = await stage.live(
                fault, start, method, sent, heal=heal and self.way_back, **options
            )
        if failover is None and not options.get("streamed"):
            self.lives.append(life)
        return life
