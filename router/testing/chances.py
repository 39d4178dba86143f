"""Faults of some: a share by seeded chance, or the first few.

Rule: they leave the router's own probes alone, and count requests only; a fault that is not
      wrapped befalls probes too.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from router.testing.answer_faults import Delay
from router.testing.fault import AnswerFault, Fault, ListenerFault

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Sometimes", "Stall", "Times"]


@dataclass(frozen=True, slots=True)
class _Some(Fault):
    """Another fault, for some requests, or for some connections where it is a fault of those."""

    whole: ClassVar[bool] = False
    fault: Fault

    def __post_init__(self) -> None:
        if self.fault.kind is ListenerFault:
            raise TypeError("the kernel refuses or drops every connection, or none")

    @property
    def kind(self) -> type[Fault]:
        return self.fault.kind


@dataclass(frozen=True, slots=True)
class Sometimes(_Some):
    """The fault befalls each with this chance; the same ones for the same seed."""

    share: float
    seed: int = 0

    def draws(self) -> Iterator[Fault | None]:
        chance, inner = random.Random(self.seed), self.fault.draws()
        while True:
            yield next(inner) if chance.random() < self.share else None


@dataclass(frozen=True, slots=True)
class Times(_Some):
    """The fault befalls the first `count`, and none after them."""

    count: int

    def draws(self) -> Iterator[Fault | None]:
        return itertools.chain(
            itertools.islice(self.fault.draws(), self.count), itertools.repeat(None)
        )


@dataclass(frozen=True, slots=True)
class Stall(AnswerFault):
    """A share of the answers comes so many seconds later: what hedging is for."""

    whole: ClassVar[bool] = False
    seconds: float
    share: float
    seed: int = 0

    def draws(self) -> Iterator[Fault | None]:
        return Sometimes(Delay(self.seconds), self.share, self.seed).draws()
