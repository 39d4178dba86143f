"""The bench's arithmetic: medians of turns, and ratios to the row that another is compared with.

Rule: a ratio is the median of the rounds' own ratios, since the machine changes its pace from round
      to round. Two rows whose ratio is within NOISE of 1 say nothing about each other.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from speedlab.cells import Cell
    from speedlab.rows import Row

__all__ = ["NOISE", "Figures", "added", "together", "trend"]

NOISE = 0.25


@dataclass(slots=True)
class Figures:
    """What was measured: for each row and cell a turn a round, and the cost of idle connections.

    Attributes:
        turns: quantities of each turn, by row and cell; µs a request, and MB.
        idle: how many times as much requests took with idle connections, by row, cell and
            quantity.
        versions: of the libraries that took part.
        absent: why a row is missing.
    """

    turns: dict[str, dict[Cell, list[Mapping[str, float]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    idle: dict[str, Mapping[Cell, Mapping[str, float]]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def of(self, row: str, cell: Cell, quantity: str) -> float:
        """Return the median of a row's turns at a cell; NaN if there is none."""
        values = [turn[quantity] for turn in self.turns.get(row, {}).get(cell, [])]
        return median(values) if values else math.nan

    def peak(self, row: str) -> float:
        """Return the most memory that the row's process took, in MB."""
        cells = self.turns.get(row, {}).values()
        return max((turn["peak"] for turns in cells for turn in turns), default=math.nan)

    def ratio(self, row: Row, cell: Cell, quantity: str) -> float:
        """Return how many times its base a row takes; NaN where one of them is missing."""
        if row.base is None:
            return 1.0 if self.turns.get(row.name) else math.nan
        ones, others = (self.turns.get(name, {}).get(cell, []) for name in (row.name, row.base))
        pairs = zip(ones, others, strict=False)
        ratios = [one[quantity] / other[quantity] for one, other in pairs]
        return median(ratios) if ratios else math.nan


def together(ratios: Iterable[float]) -> float:
    """Return the geometric mean of those ratios that are known; NaN where none is."""
    known = [ratio for ratio in ratios if not math.isnan(ratio)]
    if not known:
        return math.nan
    return math.exp(sum(map(math.log, known)) / len(known))


def added(figures: Figures, row: str, base: str, cell: Cell, quantity: str = "cpu") -> float:
    """Return the µs that a row adds to a base, the median of the rounds' own; NaN if unknown."""
    ones, others = (figures.turns.get(name, {}).get(cell, []) for name in (row, base))
    differences = [
        one[quantity] - other[quantity] for one, other in zip(ones, others, strict=False)
    ]
    return median(differences) if differences else math.nan


def trend(points: Iterable[tuple[float, float]]) -> float:
    """Return the slope of the straight line that fits points best (least squares); 0 for one."""
    known = list(points)
    middle = sum(x for x, _ in known) / len(known)
    spread = sum((x - middle) ** 2 for x, _ in known)
    height = sum(y for _, y in known) / len(known)
    if not spread:
        return 0.0
    return sum((x - middle) * (y - height) for x, y in known) / spread
