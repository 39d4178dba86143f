"""One round of probes, with a progress bar or without."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn

from router.cli.rows import Row, Tally, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.router import Router

__all__ = ["measured", "measured_with_progress", "progressing"]


def measured(router: Router, count: int, *, told: Callable[[], object] = lambda: None) -> list[Row]:
    """Probe every endpoint `count` times; `told` is called after each probe.

    Raises:
        ConfigError: a file of `tls:` cannot be read.
    """
    tally = Tally()

    def note(name: str, answered: bool) -> None:  # noqa: FBT001 - what `measure` calls back with
        tally.add(name, answered)
        told()

    return rows_of(asyncio.run(router.measure(count, told=note)), tally)


def measured_with_progress(router: Router, count: int) -> list[Row]:
    """Do the same with a bar on stderr while it lasts, if that is a terminal."""
    with progressing(BarColumn(), MofNCompleteColumn()) as progress:
        total = count * len(router.config.endpoints)
        bar = progress.add_task("Probing", total=total)
        return measured(router, count, told=lambda: progress.advance(bar))


def progressing(*columns: ProgressColumn) -> Progress:
    """Return what shows progress on stderr while it lasts, if that is a terminal."""
    stderr = Console(stderr=True)
    hidden = not stderr.is_terminal or stderr.is_dumb_terminal
    words = TextColumn("{task.description}")
    return Progress(words, *columns, console=stderr, transient=True, disable=hidden)
