"""What a request is served with: the parts that all requests share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

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


class Settling(Protocol):
    """What may not be ready at once."""

    settled: bool


class _Settled:
    """What nobody waits for."""

    settled = True


SETTLED = _Settled()


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts that every request meets; none of them waits.

    Attributes:
        unready: whether the signer still fetches its credentials for the first time.
        countdown: the name of the header that tells a server how long its client waits, or None.
        asks_first: whether each request has to ask if what it needs is there.
        clock: tells if the clock that requests are stamped by has settled.
        hedges: whether requests may be hedged that do not say otherwise.
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
    asks_first: bool = field(init=False)
    clock: Settling = field(init=False)
    hedges: bool = field(init=False)
    countdown: bytes | None = field(init=False)

    def __post_init__(self) -> None:
        failover = self.failover
        name = failover.deadline_header
        stamper = self.keeper.stamper
        refuses = stamper is not None and stamper.refuses
        clock = SETTLED if stamper is None else self.keeper.clock
        object.__setattr__(self, "asks_first", self.signer is not None or refuses)
        object.__setattr__(self, "clock", clock)
        object.__setattr__(self, "hedges", failover.hedge is not None)
        object.__setattr__(self, "countdown", None if name is None else name.encode("ascii"))

    def settling(self, now: float) -> float:
        """Return the seconds for which a request may still wait for a clock that is sure."""
        return 0.0 if self.keeper.stamper is None else self.keeper.settling(now)
