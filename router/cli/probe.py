"""`router probe`: measure every endpoint now, and rank them."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from router.cli.arguments import (
    as_json,
    duration,
    file_argument,
    probe_timeout,
    read,
    routing,
    with_timeout,
)
from router.cli.rounds import measured, measured_with_progress, title, turns
from router.cli.table import FOUND, console, is_live, layout, show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.router import Router

__all__ = ["probe"]

NONE_ANSWERED = (
    "No endpoint answered: check the network, the URLs, and probe.path and probe.method."
)


@click.command(
    short_help="Measure every endpoint now, and rank them.",
    epilog="Example: router probe routes.yaml --count 3 --json",
)
@file_argument
@click.option(
    "--count",
    type=click.IntRange(1, 100),
    metavar="N",
    default=5,
    show_default=True,
    help="Probes of each endpoint.",
)
@probe_timeout
@as_json
@click.option("--watch", is_flag=True, help="Probe again and again, until Ctrl-C.")
@click.option(
    "--every",
    type=duration,
    default="5s",
    show_default=True,
    help="With --watch: time from one round to the next.",
)
@click.option("--rounds", type=click.IntRange(1), hidden=True)
def probe(
    *,
    file: str,
    count: int,
    timeout: float | None,
    as_json: bool,
    watch: bool,
    every: float,
    rounds: int | None,
) -> None:
    """Probe every endpoint of FILE and print them best first; - is standard input.

    A probe is a TCP connect and a warm request without credentials; all endpoints are probed side
    by side. The exit code is 1 if none answered.
    """
    with routing(file, with_timeout(read(file), timeout)) as router:
        if not watch:
            _once(router, count, as_json=as_json)
            return
        with contextlib.suppress(KeyboardInterrupt):
            _watch(router, count, turns(every, most=rounds), as_json=as_json)


def _once(router: Router, count: int, *, as_json: bool) -> None:
    rows = measured_with_progress(router, count)
    if as_json:
        click.echo(json.dumps([row.found() for row in rows], indent=2))
    else:
        show(console(), rows, FOUND)
    if not any(row.measured for row in rows):
        click.echo(NONE_ANSWERED, err=True)
        click.get_current_context().exit(1)


def _watch(router: Router, count: int, rounds: Iterable[int], *, as_json: bool) -> None:
    """Show round after round: JSON a line each, a live table, or one block under the other."""
    screen = console()
    if as_json:
        for _ in rounds:
            click.echo(json.dumps([row.found() for row in measured(router, count)]))
    elif is_live(screen):
        with Live(Text("Probing …"), console=screen, auto_refresh=False) as live:
            for number in rounds:
                table = layout(screen, measured(router, count), FOUND)
                caption = Text(f"{title(number)}, Ctrl-C to stop", style="dim")
                live.update(Group(table, Text(), caption), refresh=True)
    else:
        for number in rounds:
            rows = measured(router, count)
            click.echo(title(number))
            show(screen, rows, FOUND)
            click.echo()
