"""What `router limits --fleet` shows: which processes there are, and who holds how much of what.

Rule: it shows what Redis has, and no URL. What is not ours there is named by its key, not shown.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from router.cli.table import Column, Sheet, console, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.config import Config
    from router.shared.holdings import Fleet, Holding, Kept

__all__ = ["fleet_of", "show_fleet", "told_of"]

UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Row:
    """One process and one thing; `kept` is None where it says only that it is there."""

    holding: Holding
    kept: Kept | None

    @property
    def what(self) -> str:
        """Name what is held."""
        if self.kept is None:
            return "is there"
        bound = self.kept.bound
        return "under way" if bound is None else f"{bound.of} of {bound.rate}"

    @property
    def amount(self) -> str:
        """Return how much, or that this is no amount."""
        if self.kept is None:
            return "-"
        return UNKNOWN if self.holding.amount is None else f"{self.holding.amount:.4g}"

    @property
    def left(self) -> str:
        """Return for how long."""
        return UNKNOWN if self.holding.left is None else f"{self.holding.left:.2f} s"


WHO: Column[Row] = Column("process", lambda row: row.holding.holder, folds=True)
WHAT: Column[Row] = Column("what", lambda row: row.what, folds=True)
HOLDS: Column[Row] = Column("holds", lambda row: row.amount, right=True)
FOR: Column[Row] = Column("for", lambda row: row.left, right=True)
WAITS: Column[Row] = Column("", lambda row: "asks for more" if row.holding.waits else "")
COLUMNS = (WHO, WHAT, HOLDS, FOR, WAITS)
SHEET: Sheet[Row] = Sheet(columns=COLUMNS, figures=COLUMNS[:-1], words=(WHO, WHAT, WAITS))


def fleet_of(config: Config) -> Fleet:
    """Ask the store that the configuration names.

    Raises:
        BadParameter: it names none.
        ConfigError: it cannot be asked so.
        ServiceError: it does not answer.
    """
    from router.shared.holdings import look  # noqa: PLC0415 - loaded when used

    if config.shared is None:
        raise click.BadParameter("nothing is shared: see share:.", param_hint="--fleet")
    return asyncio.run(look(config.shared, config.limits))


def show_fleet(fleet: Fleet) -> None:
    """Write the processes and what they hold, a thing a line."""
    rows = sorted(_rows(fleet), key=lambda row: row.holding.holder)
    count = len(fleet.members)
    click.echo(f"\n{count} process{'' if count == 1 else 'es'} in the fleet.")
    if rows:
        click.echo()
        show(console(), rows, SHEET)
    if fleet.unread:
        click.echo(f"\nNot read, for its value is not ours: {', '.join(fleet.unread)}.")


def _rows(fleet: Fleet) -> Iterator[Row]:
    yield from (Row(member, None) for member in fleet.members)
    yield from (Row(holding, kept) for kept in fleet.kept for holding in kept.holdings)


def told_of(fleet: Fleet) -> dict[str, Any]:
    """Return the same as plain data."""
    return {
        "members": [{"process": member.holder, "left_s": member.left} for member in fleet.members],
        "held": [
            {
                "of": "under way" if kept.bound is None else kept.bound.of,
                "limit": None if kept.bound is None else str(kept.bound.rate),
                "process": holding.holder,
                "amount": holding.amount,
                "left_s": holding.left,
                "waits": holding.waits,
            }
            for kept in fleet.kept
            for holding in kept.holdings
        ],
        "unread": list(fleet.unread),
    }
