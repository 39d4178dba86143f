"""What is printed: a line for all that was asked, and a comparison of clients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from faultlab.load import percentile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultlab.life import Life
    from faultlab.row import Row

__all__ = ["show", "show_comparison"]

NARROWEST = 160


def show(rows: Sequence[Row]) -> None:
    """Print what was asked, and what was seen."""
    table = Table(box=None, pad_edge=False)
    for heading in ("fault", "client", "asked", "seen", ""):
        table.add_column(heading)
    for row in rows:
        verdict = "[green]met[/]" if row.passed else "[red]MISSED[/]"
        table.add_row(row.fault, row.client, row.asked, row.seen, verdict)
    _print(table)
    met = sum(row.passed for row in rows)
    print(f"{met} of {len(rows)} are met")


def show_comparison(lives: Mapping[str, Sequence[Life]]) -> None:
    """Print the figures of each fault beside each other, a column a client."""
    table = Table(box=None, pad_edge=False)
    table.add_column("fault")
    for name in lives:
        table.add_column(name)
    for key in dict.fromkeys(_key(life) for each in lives.values() for life in each):
        cells = [_figures([v for v in each if _key(v) == key]) for each in lives.values()]
        table.add_row(key, *cells)
    _print(table)


def _key(life: Life) -> str:
    return f"{life.fault.partition(' ')[0]} {life.method}"


def _figures(lives: Sequence[Life]) -> str:
    """Return errors, duplicates, amplification, tail and way back in words; - for no part in it."""
    count = sum(life.count for life in lives)
    if not count:
        return "-"
    tail = percentile((one.took for life in lives for one in life.done), 0.99)
    tries = sum(life.tries for life in lives)
    times = f"{tries / count:.2f} x" if tries >= count else "? x"  # nobody saw them
    backs = [life.back for life in lives if not math.isnan(life.back)]
    words = [
        f"{sum(life.errors for life in lives)} of {count} errors",
        f"{sum(life.duplicates for life in lives)} twice",
        times,
        f"{tail * 1e3:.0f} ms",
    ]
    return ", ".join([*words, f"back {max(backs):.1f} s"] if backs else words)


def _print(table: Table) -> None:
    console = Console()
    console.width = max(console.width, NARROWEST)
    console.print(table)
