"""The chart: CPU of a request by client, one at a time and 32 at once, on a logarithmic scale.

Rule: ours are in colour; what a dot stands for is said once, its figure beside it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from traffic import svg

from speedlab.cells import AT_ONCE, KB, Cell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from speedlab.figures import Figures
    from speedlab.rows import Row

__all__ = ["draw"]

STYLE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#3c3f44}"
    ".title{font-size:16px;font-weight:600;fill:#1d1d1f}.ours{font-weight:600;fill:#27599b}"
    ".small{font-size:10.5px;fill:#6b7077}.frame{fill:none;stroke:#c9ccd1}"
    ".grid{stroke:#e4e6e9;fill:none}.span{stroke:#c9ccd1;stroke-width:2;fill:none}"
)
LEFT, WIDTH, RIGHT = 325.0, 560.0, 70.0
TOP, LINE, BOTTOM = 84.0, 24.0, 34.0
DOT = 9.0
OURS, OTHERS = ("#27599b", "#5b9bd0"), ("#8a3b2f", "#f2a05a")
TICKS = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
WORDS = {1: "one at a time", 32: "32 at once"}


class Scale:
    """Places of µs between the least and the most."""

    def __init__(self, values: Sequence[float]) -> None:
        self.low, self.high = 0.8 * min(values), 1.25 * max(values)

    def x(self, value: float) -> float:
        """Return where a figure is."""
        return LEFT + WIDTH * math.log(value / self.low) / math.log(self.high / self.low)

    @property
    def ticks(self) -> list[int]:
        """The ticks that it shows."""
        return [tick for tick in TICKS if self.low <= tick <= self.high]


def draw(rows: Sequence[Row], figures: Figures, described: str) -> str:
    """Return the chart of those rows that have figures."""
    cells = [Cell(at_once, KB, False) for at_once in AT_ONCE]
    seen = [
        (row, [figures.of(row.name, cell, "cpu") for cell in cells])
        for row in rows
        if figures.turns.get(row.name)
    ]
    height = TOP + LINE * len(seen) + BOTTOM
    scale = Scale([value for _, values in seen for value in values])
    parts = [
        svg.rect(0, 0, LEFT + WIDTH + RIGHT, height, fill="#fff", rx=6),
        *_header(described),
        *_grid(scale, TOP + LINE * len(seen)),
    ]
    for number, (row, values) in enumerate(seen):
        parts.extend(_line(row, values, scale, TOP + LINE * (number + 0.5)))
    return svg.document(LEFT + WIDTH + RIGHT, height, STYLE, parts)


def _header(described: str) -> Iterator[str]:
    yield svg.text(20, 28, "CPU of a request whose answer has 1 KB, in µs", class_="title")
    yield svg.text(20, 46, described.partition(";")[0], class_="small")
    for number, at_once in enumerate(AT_ONCE):
        x = LEFT + 130.0 * number
        yield svg.rect(x, 57, DOT, DOT, fill=OURS[number])
        yield svg.rect(x + DOT + 2, 57, DOT, DOT, fill=OTHERS[number])
        yield svg.text(x + 2 * DOT + 8, 66, WORDS[at_once])


def _grid(scale: Scale, bottom: float) -> Iterator[str]:
    for tick in scale.ticks:
        x = scale.x(tick)
        yield svg.line([(x, TOP), (x, bottom)], class_="grid")
        yield svg.text(x, bottom + 16, f"{tick}", class_="small", text_anchor="middle")
    yield svg.rect(LEFT, TOP, WIDTH, bottom - TOP, class_="frame")


def _line(row: Row, values: Sequence[float], scale: Scale, y: float) -> Iterator[str]:
    name = "ours" if row.ours else ""
    yield svg.text(LEFT - 10, y + 4, row.name, class_=name, text_anchor="end")
    xs = [scale.x(value) for value in values]
    yield svg.line([(min(xs), y), (max(xs), y)], class_="span")
    for x, colour in zip(xs, OURS if row.ours else OTHERS, strict=True):
        yield svg.rect(x - DOT / 2, y - DOT / 2, DOT, DOT, fill=colour)
    words = " / ".join(f"{value:.0f}" for value in values)
    yield svg.text(max(xs) + 10, y + 4, words, class_="small")
