"""Rankings as tables, as wide as they need and as the terminal allows.

Rule 1: nothing is cut off. Where the terminal is too narrow for a readable reason beside the
        figures, reasons stand in a second table under them; what is still too wide is folded.
Rule 2: without a terminal there are no colours and no frames: aligned columns, a line a row.
Rule 3: names come from a file, so they are shown as they are and never read as markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.cli.rows import Row

__all__ = ["EXPECTED", "FOUND", "Column", "console", "is_live", "layout", "show"]

READABLE = 36
UNBOUNDED = 100_000
COLOURS = {"healthy": "green", "down": "red", "ejected": "red"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, and the text and style of its cells."""

    heading: str
    text: Callable[[Row], str]
    right: bool = False
    style: Callable[[Row], str] = lambda _: ""


def _distance(row: Row) -> str:
    km = row.ranked.distance_km
    return "-" if km is None else f"{km:,.0f} km".replace(",", " ")


def _rtt(row: Row) -> str:
    return f"{row.ranked.rtt_ms:.1f} ms" if row.measured else "-"


def _spread(row: Row) -> str:
    return f"± {row.ranked.spread_ms:.1f}" if row.measured else "-"


RANK = Column("#", lambda row: str(row.rank), right=True, style=lambda _: "dim")
NAME = Column("endpoint", lambda row: row.ranked.name, style=lambda row: "bold" * (row.rank == 1))
PLACE = Column("place", lambda row: row.place)
DISTANCE = Column("distance", _distance, right=True)
PRIOR = Column("prior", lambda row: f"{row.ranked.prior_ms:.0f} ms", right=True)
RTT = Column("RTT", _rtt, right=True, style=lambda _: "bold")
SPREAD = Column("spread", _spread, right=True)
PROBES = Column("probes", lambda row: f"{row.answered}/{row.sent}", right=True)
SOURCE = Column("source", lambda row: row.ranked.source)
HEALTH = Column(
    "health", lambda row: row.health, style=lambda row: COLOURS.get(row.health, "yellow")
)
TIER = Column("tier", lambda row: str(row.ranked.endpoint.tier), right=True)
REASON = Column("reason", lambda row: row.reason)

EXPECTED = (RANK, NAME, PLACE, DISTANCE, PRIOR, TIER, REASON)
FOUND = (RANK, NAME, PLACE, DISTANCE, PRIOR, RTT, SPREAD, PROBES, SOURCE, HEALTH, REASON)


def console() -> Console:
    """Return the console that answers go to: as wide as its terminal, or without bound."""
    made = Console(highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = UNBOUNDED
    return made


def is_live(made: Console) -> bool:
    """Return whether lines once written can be written again."""
    return made.is_terminal and not made.is_dumb_terminal


def show(made: Console, rows: Sequence[Row], columns: Sequence[Column]) -> None:
    """Write a ranking."""
    if made.is_terminal:
        made.print(layout(made, rows, columns))
        return
    with made.capture() as captured:
        made.print(_table(rows, columns))
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def layout(made: Console, rows: Sequence[Row], columns: Sequence[Column]) -> RenderableType:
    """Return one table, or two under one another where one would be too narrow to read."""
    figures = _table(rows, [column for column in columns if column is not REASON])
    if Measurement.get(made, made.options, figures).minimum + READABLE <= made.width:
        return _table(rows, columns)
    kept = [column for column in columns if column not in {PLACE, SOURCE, REASON}]
    words = _table(rows, [RANK, NAME, PLACE, REASON])
    return Group(_table(rows, kept), Text(), words)


def _table(rows: Sequence[Row], columns: Sequence[Column]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(
            column.heading,
            justify="right" if column.right else "left",
            no_wrap=column not in {NAME, PLACE, REASON},
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(column.text(row), style=column.style(row)) for column in columns))
    return table
