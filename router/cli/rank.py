"""`router rank`: the ranking by geography alone; no packet is sent."""

from __future__ import annotations

import json

import click

from router.cli.arguments import as_json, file_argument, read, routing
from router.cli.rows import rows_of
from router.cli.table import EXPECTED, console, show

__all__ = ["rank"]

NOWHERE = "warning: no place is known for that address: ranked as for this host"


@click.command(
    short_help="Rank the endpoints by geography alone.",
    epilog="Example: router rank routes.yaml --client-ip 81.2.69.142",
)
@file_argument
@click.option("--client-ip", metavar="IP", help="Rank for an end user at this address.")
@as_json
def rank(*, file: str, client_ip: str | None, as_json: bool) -> None:
    """Rank the endpoints of FILE by their distance, without sending a packet; - is standard input.

    Places come from the file, from the catalogue of cloud regions, and from geo.database.
    """
    with routing(file, read(file)) as router:
        rows = rows_of(router.outlook(client_ip))
        if client_ip is not None and router.places.locator.locate(client_ip) is None:
            click.echo(NOWHERE, err=True)
    if as_json:
        click.echo(json.dumps([row.expected() for row in rows], indent=2))
    else:
        show(console(), rows, EXPECTED)
