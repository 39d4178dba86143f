#!/usr/bin/env python3
"""Break loopback regions and see what the router makes of it: python scripts/faults.py [--quick].

Prints a table: the fault, what is asked, what was seen, and whether that will do. The exit code is
1 if something did not. Everything happens on this machine's loopback addresses.

    --only F04,F06             these rows
    --clients tasks,threads    these of the router's clients; the first in full, the others shorter
    --peers                    others live through the same: httpx with httpx-retries, LiteLLM
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from faultlab.catalogue import ROWS, lived
from faultlab.clients import OURS
from faultlab.lab import Lab
from faultlab.peers import Peer, environment, peers
from faultlab.row import Row
from faultlab.tables import show, show_comparison
from rich.progress import Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["main", "run"]

QUICK = 0.05
SHORTER = 0.1
PEERS = 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return 1 if a fault is not met as asked."""
    options = _parser().parse_args(arguments)
    rows = [row for row in ROWS if options.only is None or row in options.only]
    labs = _labs(options.clients, QUICK if options.quick else options.scale)
    others = [Lab(peer=p, scale=min(PEERS, labs[0].scale)) for p in _peers(options)]
    with Progress(TextColumn("{task.description}"), TimeElapsedColumn(), transient=True) as shown:
        task = shown.add_task("")

        def told(words: str) -> None:
            shown.update(task, description=words)
            if not shown.console.is_terminal:
                print(words, file=sys.stderr, flush=True)

        seen = run(rows, labs, told)
        run(rows, others, told)
    show(seen)
    if others:
        show_comparison({lab.name: lab.lives for lab in (labs[0], *others)})
    return int(not all(row.passed for row in seen))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds for each row")
    parser.add_argument("--scale", type=float, default=1.0, help="a share of all counts and times")
    parser.add_argument("--only", type=_words(ROWS), help="rows, such as F04,F06")
    parser.add_argument("--clients", type=_words(OURS), help="such as tasks,threads")
    parser.add_argument("--peers", action="store_true", help="compare with other clients")
    parser.add_argument("--peers-in", type=Path, help="their environment; made if it is not there")
    return parser


def _words(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a parser of some of the known words, with a comma between them."""

    def parse(text: str) -> list[str]:
        words = [word.strip() for word in text.split(",")]
        unknown = sorted(set(words) - set(known))
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
        return words

    return parse


def _labs(clients: list[str] | None, scale: float) -> list[Lab]:
    """Return a lab for each client: the first at this scale, the others shorter."""
    kinds = clients or (list(OURS) if scale == 1 else list(OURS)[:1])
    return [
        Lab(kind=kind, scale=min(scale, SHORTER) if number else scale)
        for number, kind in enumerate(kinds)
    ]


def _peers(options: argparse.Namespace) -> list[Peer]:
    return peers(environment(options.peers_in)) if options.peers or options.peers_in else []


def run(rows: Iterable[str], labs: Iterable[Lab], told: Callable[[str], None]) -> list[Row]:
    """Return the lines of these rows, one after another, for every client."""
    seen: list[Row] = []
    for lab in labs:
        for row in rows:
            told(f"{row}, {lab.name}")
            seen += _kept(row, lab)
    return seen


def _kept(row: str, lab: Lab) -> list[Row]:
    """Return the lines of one row; if it breaks off, a line that says so."""
    try:
        return asyncio.run(lived(row, lab))
    except Exception as error:  # noqa: BLE001 - the others are worth seeing
        return [Row(row, "lived through", repr(error), passed=False, client=lab.name)]


if __name__ == "__main__":
    sys.exit(main())
