"""A fault as it was set once, and what a listener counts.

Rule: a setting is made anew whenever a fault is set, so that its chance and its counts start anew,
      and is over when the next one is set: what waits because of it goes on then.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.testing.connect_faults import HangConnect

if TYPE_CHECKING:
    from router.testing.fault import Fault

__all__ = ["Counts", "Setting"]


@dataclass(slots=True)
class Counts:
    """What came to a listener; a request counts when its first byte is read, executed or not."""

    connections: int = 0
    requests: int = 0
    probes: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0


class Setting:
    """The fault that holds now, or none; `over` is set when the next one holds."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.fault = fault
        self.over = asyncio.Event()
        self._draws = None if fault is None else fault.draws()

    @property
    def silences(self) -> bool:
        """Whether open connections are silent."""
        return isinstance(self.fault, HangConnect) and self.fault.silence_open

    def draw(self, kind: type[Fault], *, probe: bool = False) -> Fault | None:
        """Return what befalls the next connection or request."""
        if self.fault is None or self._draws is None or self.fault.kind is not kind:
            return None
        return None if probe and not self.fault.whole else next(self._draws)
