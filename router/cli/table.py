"""Tables as wide as they need and as the terminal allows.

Rule 1: nothing is cut off. Where the terminal is too narrow for readable words beside the figures,
        the words stand in a second table under them; where it is too narrow for the figures, each
        row is a block, a figure a line. Names and words that are still too wide are folded.
Rule 2: without a terminal there are no colours and no frames: aligned columns, a line a row.
Rule 3: names come from a file, so they are shown as they are and never read as markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import click
from rich.cells import cell_len
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from router.cli.rows import Row

__all__ = ["EXPECTED", "FOUND", "Column", "Sheet", "console", "is_live", "layout", "show", "write"]

T = TypeVar("T")
U = TypeVar("U")

READABLE = 36
LEAST_FOLD = 12
GAP = 2
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

    def of(self, part: Callable[[U], T]) -> Column[U]:
        """Return this column for a table of greater things, of each of which it shows a part."""
        return Column(
            self.heading,
            lambda whole: self.text(part(whole)),
            right=self.right,
            folds=self.folds,
            style=lambda whole: self.style(part(whole)),
        )


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
    """Return one table, or two under one another, or a block a row, as far as they fit."""
    *most, last = sheet.columns
    telling = [row for row in rows if last.text(row)]
    words = min(READABLE, max((cell_len(last.text(row)) for row in telling), default=0))
    if _width(rows, most) + words <= made.width:
        return _table(rows, sheet.columns if telling else most)
    if _width(rows, sheet.figures, fold=LEAST_FOLD) - GAP > made.width:
        return Group(*(_block(row, sheet.columns) for row in rows))
    if not telling:
        return _table(rows, most)
    return Group(_table(rows, sheet.figures), Text(), _table(telling, sheet.words))


def _width(rows: Sequence[T], columns: Sequence[Column[T]], *, fold: int = UNBOUNDED) -> int:
    """Return what columns need, gaps included; words where folding is allowed at most `fold`."""
    width = 0
    for column in columns:
        texts = [column.heading, *(column.text(row) for row in rows)]
        if column.folds:
            texts = [word[:fold] for text in texts for word in text.split()]
        width += max(map(cell_len, texts)) + GAP
    return width


def _block(row: T, columns: Sequence[Column[T]]) -> RenderableType:
    """Return one row as lines of heading and text; a line without text is left out."""
    block = Table.grid(padding=(0, GAP, 0, 0))
    block.add_column(style="dim", no_wrap=True)
    block.add_column(overflow="fold")
    for column in columns:
        if text := column.text(row):
            block.add_row(column.heading, Text(text, style=column.style(row)))
    return Padding(block, (0, 0, 1, 0))


def _table(rows: Sequence[T], columns: Sequence[Column[T]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
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
