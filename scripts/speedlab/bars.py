"""What is asked of the figures.

Rule: a bar is a figure and a limit in one unit; NaN is a figure that is not there, and misses it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from speedlab.cells import KB, Cell
from speedlab.figures import added
from speedlab.overhead import CLIENTS, Amount, cost
from speedlab.report import HEADINGS
from speedlab.rows import LITELLM, SDK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from speedlab.figures import Figures
    from speedlab.rows import Row

__all__ = ["Bar", "idle_bars", "litellm_bar"]

TIMES = 100.0
PLACE = Cell(1, KB, False)


class Bar(NamedTuple):
    """What is asked: a figure, in the unit of its limit, at most that, or at least."""

    what: str
    figure: float
    limit: float
    form: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure will do."""
        if self.at_least:
            return self.figure >= self.limit
        return self.figure <= self.limit

    def words(self, *, judged: bool) -> str:
        """Return it in words; in a run that is long enough, with whether it is met."""
        written = f"{self.what}: {self.form.format(self.figure)}"
        if not judged:
            return written
        verdict = "[green]met[/]" if self.met else "[red]MISSED[/]"
        word = "least" if self.at_least else "most"
        return f"{written} (at {word} {self.form.format(self.limit)}) {verdict}"


def idle_bars(rows: Sequence[Row], figures: Figures) -> Iterator[Bar]:
    """Yield what idle connections may cost, in CPU, which is less noisy than time."""
    for row in rows:
        if row.most is None:
            continue
        for cell, seen in figures.idle.get(row.name, {}).items():
            what = f"{row.name}: idle connections, {HEADINGS[cell.at_once]}"
            yield Bar(what, seen["cpu"] - 1, row.most, "{:+.1%}")


def litellm_bar(figures: Figures, *, quick: bool) -> Iterator[Bar]:
    """Yield how many times what we add LiteLLM's Router adds, if it took part.

    Over a network what we add is lost in its noise, so it is measured without one.
    """
    theirs = added(figures, LITELLM, SDK, PLACE)
    if math.isnan(theirs):
        return
    ours = cost(CLIENTS[0], Amount(1, 20) if quick else Amount(60, 50)).added
    what = f"LiteLLM's Router adds {theirs:.0f} µs to the SDK, ours {ours:.0f} µs to httpx2"
    yield Bar(what, theirs / ours, TIMES, "{:.0f} times", at_least=True)
