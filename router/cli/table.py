"""Tables as wide as they need and as the terminal allows.

Rule 1: nothing is cut off. Where the terminal is too narrow for readable words beside the figures,
        the words stand in a second table under them; what is still too wide is folded.
Rule 2: without a terminal there are no colours and no frames: aligned columns, a line a row.
Rule 3: names come from a file, so they are shown as they are and never read as markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import click
from rich.console import Console, Group
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from router.cli.rows import Row

__all__ = ["EXPECTED", "FOUND", "Column", "Sheet", "console", "is_live", "layout", "show", "write"]

T = TypeVar("T")

READABLE = 36
UNBOUNDED = 100_000
COLOURS = {"healthy": "green", "down": "red", "ejected": "red"}


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column: its heading, the text and style of its cells, and whether they may be folded."""

    heading: str
    text: Callable[[T], str]
    right: bool = False
    folds: bool = False
    style: Callable[[T], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class Sheet(Generic[T]):
    """What a kind of table shows.

    Attributes:
        columns: those of the one table; the last holds words, and is left out if there are none.
        figures: those of the upper table where one would be too wide.
        words: those of the lower table, which has only the rows that have words.
    """

    columns: tuple[Column[T], ...]
    figures: tuple[Column[T], ...]
    words: tuple[Column[T], ...]


def _distance(row: Row) -> str:
    km = row.ranked.distance_km
    return "-" if km is None else f"{km:,.0f} km".replace(",", " ")


def _rtt(row: Row) -> str:
    return f"{row.ranked.rtt_ms:.1f} ms" if row.measured else "-"


def _spread(row: Row) -> str:
    return f"± {row.ranked.spread_ms:.1f}" if row.measured else "-"


RANK: Column[Row] = Column("#", lambda row: str(row.rank), right=True, style=lambda _: "dim")
NAME: Column[Row] = Column(
    "endpoint", lambda row: row.ranked.name, folds=True, style=lambda row: "bold" * (row.rank == 1)
)
PLACE: Column[Row] = Column("place", lambda row: row.place, folds=True)
DISTANCE: Column[Row] = Column("distance", _distance, right=True)
PRIOR: Column[Row] = Column("prior", lambda row: f"{row.ranked.prior_ms:.0f} ms", right=True)
RTT: Column[Row] = Column("RTT", _rtt, right=True, style=lambda _: "bold")
SPREAD: Column[Row] = Column("spread", _spread, right=True)
PROBES: Column[Row] = Column("probes", lambda row: f"{row.answered}/{row.sent}", right=True)
SOURCE: Column[Row] = Column("source", lambda row: row.ranked.source)
HEALTH: Column[Row] = Column(
    "health", lambda row: row.health, style=lambda row: COLOURS.get(row.health, "yellow")
)
TIER: Column[Row] = Column("tier", lambda row: str(row.ranked.endpoint.tier), right=True)
REASON: Column[Row] = Column("reason", lambda row: row.reason, folds=True)

EXPECTED: Sheet[Row] = Sheet(
    columns=(RANK, NAME, PLACE, DISTANCE, PRIOR, TIER, REASON),
    figures=(RANK, NAME, DISTANCE, PRIOR, TIER),
    words=(RANK, NAME, PLACE, REASON),
)
FOUND: Sheet[Row] = Sheet(
    columns=(RANK, NAME, PLACE, DISTANCE, PRIOR, RTT, SPREAD, PROBES, SOURCE, HEALTH, REASON),
    figures=(RANK, NAME, DISTANCE, PRIOR, RTT, SPREAD, PROBES, HEALTH),
    words=(RANK, NAME, PLACE, REASON),
)


def console() -> Console:
    """Return the console that answers go to: as wide as its terminal, or without bound."""
    made = Console(highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = UNBOUNDED
    return made


def is_live(made: Console) -> bool:
    """Return whether lines once written can be written again."""
    return made.is_terminal and not made.is_dumb_terminal


def show(made: Console, rows: Sequence[T], sheet: Sheet[T]) -> None:
    """Write a table."""
    write(made, layout(made, rows, sheet))


def write(made: Console, drawn: RenderableType) -> None:
    """Write what is drawn; without a terminal no line ends in spaces."""
    if made.is_terminal:
        made.print(drawn)
        return
    with made.capture() as captured:
        made.print(drawn)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def layout(made: Console, rows: Sequence[T], sheet: Sheet[T]) -> RenderableType:
    """Return one table, or two under one another where one would be too narrow to read."""
    *most, last = sheet.columns
    figures = _table(rows, most)
    telling = [row for row in rows if last.text(row)]
    if not telling:
        return figures
    if Measurement.get(made, made.options, figures).minimum + READABLE <= made.width:
        return _table(rows, sheet.columns)
    return Group(_table(rows, sheet.figures), Text(), _table(telling, sheet.words))


def _table(rows: Sequence[T], columns: Sequence[Column[T]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(
            column.heading,
            justify="right" if column.right else "left",
            no_wrap=not column.folds,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(column.text(row), style=column.style(row)) for column in columns))
    return table
