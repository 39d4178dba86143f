#!/usr/bin/env python3
"""What a request costs, beside other clients: python scripts/bench.py [--peers] [--quick].

Clients take turns at one quick server: at 1 and 32 at once, 1 KB and 100 KB, whole and streamed;
microseconds of time and of CPU, memory, and what idle connections to other regions cost. Parts have
flags of their own, and then nothing else runs:

    --overhead        CPU that the router adds to a wire that answers from memory; --profile: where
    --soak MINUTES    500 requests a second: memory, descriptors and errors
    --failover        round trips that failover adds, to a warm and to a cold runner-up

`--write` puts the tables into docs/speed.md and draws docs/speed.svg.
The exit code is 1 if a bar is missed; a quick run asks for none. On a shared machine only ratios
count.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from faultlab.peers import environment
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from speedlab import chart, report
from speedlab.bars import Bar, idle_bars, litellm_bar
from speedlab.lab import FULL, QUICK, measured
from speedlab.machine import busy, machine
from speedlab.rows import ROWS
from speedlab.smaller import failover, overhead, soak

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from speedlab.figures import Figures
    from speedlab.rows import Row

__all__ = ["main"]

DOCS = Path(__file__).parents[1] / "docs"
NARROWEST = 150


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return 1 if a bar is missed."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what it started ends too
    console = Console()
    console.width = max(console.width, NARROWEST)
    if options.overhead:
        bars = overhead(console, quick=options.quick, profiled=options.profile)
    elif options.soak is not None:
        bars = soak(console, options.soak)
    elif options.failover:
        bars = failover(console, quick=options.quick)
    else:
        bars = list(_compared(console, options))
    console.print(busy())
    for bar in bars:
        console.print(bar.words(judged=not options.quick))
    return int(not options.quick and not all(bar.met for bar in bars))


def _parser() -> argparse.ArgumentParser:
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run: no bar is asked for")
    parser.add_argument("--rounds", type=int, help="of turns, 7 by default")
    parser.add_argument("--only", action="append", metavar="ROW", help="may be given again")
    parser.add_argument("--peers", action="store_true", help="other people's clients too")
    parser.add_argument("--peers-in", type=Path, help="their environment; made if it is not there")
    parser.add_argument("--write", action="store_true", help="docs/speed.md and docs/speed.svg")
    parser.add_argument("--docs", type=Path, default=DOCS, help=argparse.SUPPRESS)
    parser.add_argument("--overhead", action="store_true", help="what the router adds, in CPU")
    parser.add_argument("--profile", action="store_true", help="with --overhead: where it goes")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="a long steady run")
    parser.add_argument("--failover", action="store_true", help="warm and cold, in round trips")
    return parser


def _compared(console: Console, options: argparse.Namespace) -> Iterator[Bar]:
    """Measure all rows, show and perhaps write the tables; yield the bars."""
    rows = [row for row in ROWS if options.only is None or row.name in options.only]
    amount = QUICK if options.quick else FULL
    if options.rounds is not None:
        amount = amount._replace(rounds=options.rounds)
    peers = environment(options.peers_in) if options.peers or options.peers_in else None
    with Progress(
        TextColumn("{task.description:<40}"), BarColumn(), TimeRemainingColumn(), transient=True
    ) as progress:
        task, seen = progress.add_task("", total=1.0), [""]

        def told(words: str, share: float) -> None:
            progress.update(task, description=words, completed=share)
            if not console.is_terminal and words != seen[0]:
                print(f"{share:4.0%} {words}", file=sys.stderr, flush=True)
            seen[0] = words

        figures = measured(rows, amount, peers=peers, chance=random.Random(1), told=told)
    _show(console, rows, figures)
    if options.write:
        _write(options.docs, rows, figures, console.print)
    yield from idle_bars(rows, figures)
    yield from litellm_bar(figures, quick=options.quick)


def _show(console: Console, rows: Sequence[Row], figures: Figures) -> None:
    console.print(machine(figures.versions), end="\n\n", highlight=False)
    for table in report.tables(rows, figures):
        console.print(table, end="\n\n")
    if figures.idle:
        console.print(report.idle_table(rows, figures), end="\n\n")
    for name, why in figures.absent.items():
        word = "BROKE OFF" if figures.turns.get(name) else "ABSENT"
        console.print(f"[bold red]{word}[/] {name}: {why}", highlight=False)


def _write(docs: Path, rows: Sequence[Row], figures: Figures, told: Callable[[str], None]) -> None:
    described = machine(figures.versions)
    page, drawn = docs / "speed.md", docs / "speed.svg"
    report.put_between(page, report.as_markdown(rows, figures, described), drawn.name)
    drawn.write_text(chart.draw(rows, figures, described), encoding="utf-8")
    told(f"{page.name} and {drawn.name} are written")


if __name__ == "__main__":
    sys.exit(main())
