"""The tables: on a terminal, and as Markdown between markers of a page.

Rule 1: a cell is µs of time and of CPU; the last columns are the CPU as a multiple of the row's
        base over all answers (geometric mean), and the peak of its process's memory.
Rule 2: what is absent is said aloud, with the reason, in both.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.table import Table

from speedlab.cells import AT_ONCE, CELLS, IDLE_CELLS, SHAPES
from speedlab.figures import together

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from speedlab.figures import Figures
    from speedlab.rows import Row

__all__ = ["END", "START", "as_markdown", "idle_table", "put_between", "tables"]

START, END = "<!-- bench: begin -->", "<!-- bench: end -->"
HEADINGS = {1: "one at a time", 32: "32 at once"}


def _present(rows: Sequence[Row], figures: Figures) -> list[Row]:
    return [row for row in rows if figures.turns.get(row.name)]


def tables(rows: Sequence[Row], figures: Figures) -> Iterator[Table]:
    """Yield a table for each number at once."""
    for at_once in AT_ONCE:
        table = Table(box=None, pad_edge=False, title_justify="left")
        table.title = f"µs a request, wall and CPU: {HEADINGS[at_once]}"
        table.add_column("client")
        for shape in SHAPES:
            table.add_column(shape, justify="right")
        table.add_column("CPU, of its base", justify="right")
        table.add_column("peak", justify="right")
        for row in _present(rows, figures):
            style = "bold" if row.ours else None
            table.add_row(row.name, *_line(row, figures, at_once, " "), style=style)
        yield table


def _line(row: Row, figures: Figures, at_once: int, between: str) -> list[str]:
    cells = [cell for cell in CELLS if cell.at_once == at_once]
    words = [
        f"{_us(figures.of(row.name, cell, 'wall'))}{between}"
        f"{_us(figures.of(row.name, cell, 'cpu')):>6}"
        for cell in cells
    ]
    ratio = together(figures.ratio(row, cell, "cpu") for cell in cells)
    return [*words, _times(ratio), f"{figures.peak(row.name):.0f} MB"]


def _us(figure: float) -> str:
    return "-" if math.isnan(figure) else f"{figure:.0f}"


def _times(ratio: float) -> str:
    return "-" if math.isnan(ratio) else f"{ratio:.2f}"


def idle_table(rows: Sequence[Row], figures: Figures) -> Table:
    """Return what 20 idle connections to each of five other regions cost."""
    table = Table(box=None, pad_edge=False, title_justify="left")
    table.title = "with 20 idle connections to each of 5 other regions, over none"
    for heading in ("client", *(f"{HEADINGS[cell.at_once]}: time, CPU" for cell in IDLE_CELLS)):
        table.add_column(heading)
    for row in rows:
        if row.name in figures.idle:
            table.add_row(row.name, *_idle(row, figures))
    return table


def _idle(row: Row, figures: Figures) -> list[str]:
    return [
        f"{seen['wall']:.2f}, {seen['cpu']:.2f}"
        for seen in (figures.idle[row.name][cell] for cell in IDLE_CELLS)
    ]


def as_markdown(rows: Sequence[Row], figures: Figures, described: str) -> str:
    """Return the tables as a page shows them."""
    return "\n".join(_markdown(rows, figures, described))


def _markdown(rows: Sequence[Row], figures: Figures, described: str) -> Iterator[str]:
    yield f"Microseconds a request, wall / client's CPU, medians. {described}."
    for at_once in AT_ONCE:
        yield ""
        yield from _head(f"{HEADINGS[at_once]}", *SHAPES, "CPU, of its base", "peak")
        for row in _present(rows, figures):
            words = [" ".join(word.split()) for word in _line(row, figures, at_once, " / ")]
            name = f"**{row.name}**" if row.ours else row.name
            yield f"| {name} | {' | '.join(words)} |"
    if figures.idle:
        yield ""
        yield "With 20 idle connections to each of five other regions, over none (time, CPU):"
        yield ""
        yield from _head("client", *(HEADINGS[cell.at_once] for cell in IDLE_CELLS))
        for row in rows:
            if row.name in figures.idle:
                yield f"| {row.name} | {' | '.join(_idle(row, figures))} |"
    for said, began in (("Absent in this run", False), ("Broke off", True)):
        names = [name for name in figures.absent if bool(figures.turns.get(name)) is began]
        if names:
            yield ""
            yield f"{said}: {'; '.join(names)}."


def _head(*words: str) -> Iterator[str]:
    yield f"| {' | '.join(words)} |"
    yield "|" + "---|" * len(words)


def put_between(page: Path, words: str, chart: str) -> None:
    """Put the chart and words between the page's markers; at its end where it has none."""
    block = f"{START}\n![CPU of a request by client]({chart})\n\n{words}\n{END}"
    text = page.read_text(encoding="utf-8") if page.exists() else PAGE
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    made = before + block + after if start and end else f"{text}\n{block}\n"
    page.write_text(made, encoding="utf-8")


PAGE = """# Speed

What a request costs through the router, beside other clients: `python scripts/bench.py --peers`.
Each client runs in a process of its own on one core, the server on another one; rounds are
interleaved. On a machine that is shared only ratios count, and rows that differ by under a quarter
say nothing.
"""
