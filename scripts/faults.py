#!/usr/bin/env python3
"""Break loopback regions and see what the router makes of it: python scripts/faults.py [--quick].

Prints a table: the fault, what is asked, what was seen, and whether that will do. The exit code is
1 if something did not. Everything happens on this machine's loopback addresses.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from faultlab.routing import Row, failing_half, many_endpoints, slower, steady
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

__all__ = ["main", "run"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all faults; return 1 if one is not met as asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds for each")
    options = parser.parse_args(arguments)
    rows = run(quick=options.quick, told=progress)
    show(rows)
    return int(not all(row.passed for row in rows))


def run(*, quick: bool, told: Callable[[str], None] = lambda _: None) -> list[Row]:
    """Return the rows of all faults, one after another."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        scale = 0.25 if quick else 1.0
        faults: dict[str, Callable[[], Awaitable[list[Row]]]] = {
            "F30 slower": lambda: slower(hold=20 * scale),
            "F31 failing half": lambda: failing_half(hold=40 * scale),
            "stationary noise": lambda: steady(seconds=60 * scale),
            "F40 many endpoints": lambda: many_endpoints(Path(folder), seconds=20 * scale),
        }
        for name, fault in faults.items():
            told(name)
            rows += asyncio.run(_awaited(fault))
    return rows


async def _awaited(fault: Callable[[], Awaitable[list[Row]]]) -> list[Row]:
    return await fault()


def progress(name: str) -> None:
    """Say on a terminal what is going on."""
    if sys.stderr.isatty():
        print(f"{name} …", file=sys.stderr)


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table(box=None, pad_edge=False)
    for heading in ("fault", "asked", "seen", ""):
        table.add_column(heading)
    for row in rows:
        verdict = "[green]met[/]" if row.passed else "[red]MISSED[/]"
        table.add_row(row.fault, row.asked, row.seen, verdict)
    Console().print(table)
    met = sum(row.passed for row in rows)
    print(f"{met} of {len(rows)} are met")


if __name__ == "__main__":
    sys.exit(main())
