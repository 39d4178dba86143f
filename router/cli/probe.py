"""`router probe`: measure every endpoint now, and rank them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from router.cli.arguments import (
    as_json,
    file_argument,
    probe_timeout,
    read,
    routing,
    with_timeout,
)
from router.cli.rounds import measured, measured_with_progress
from router.cli.table import FOUND, console, layout, show
from router.cli.watching import View, keep_showing, watchable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from router.cli.rows import Row
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
@watchable("Probe", every="5s")
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
        if watch:
            view = View(lambda: measured(router, count), _plain, _table, "Probing …")
            keep_showing(view, every, most=rounds, as_json=as_json)
        else:
            _once(router, count, as_json=as_json)


def _once(router: Router, count: int, *, as_json: bool) -> None:
    rows = measured_with_progress(router, count)
    if as_json:
        click.echo(json.dumps(_plain(rows), indent=2))
    else:
        show(console(), rows, FOUND)
    if not any(row.measured for row in rows):
        click.echo(NONE_ANSWERED, err=True)
        click.get_current_context().exit(1)


def _plain(rows: list[Row]) -> list[dict[str, Any]]:
    return [row.found() for row in rows]


def _table(screen: Console, rows: list[Row]) -> RenderableType:
    return layout(screen, rows, FOUND)
