"""What each client is measured at: how many at once, how long an answer, whole or in events."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["AT_ONCE", "CELLS", "IDLE_CELLS", "KB", "SHAPES", "Cell"]

KB = 1000
AT_ONCE = (1, 32)


class Cell(NamedTuple):
    """One figure's place: requests under way at once, bytes of an answer, events or whole."""

    at_once: int
    size: int
    streamed: bool

    @property
    def shape(self) -> str:
        """The answer in words."""
        return f"{self.size // KB} KB{', streamed' if self.streamed else ''}"


CELLS = tuple(
    Cell(at_once, size, streamed)
    for at_once in AT_ONCE
    for size in (KB, 100 * KB)
    for streamed in (False, True)
)
IDLE_CELLS = tuple(Cell(at_once, KB, False) for at_once in AT_ONCE)
"""Where idle connections to other regions are added."""
SHAPES = tuple(dict.fromkeys(cell.shape for cell in CELLS))
