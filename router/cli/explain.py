"""`router explain`: where a request would go now, and why, by probes made for this question."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from router.addressing import BASE_URL
from router.balance.health import PROBE_FAILURES
from router.cli.arguments import (
    as_json,
    duration,
    file_argument,
    probe_timeout,
    read,
    routing,
    with_timeout,
)
from router.cli.explanation import Explanation
from router.cli.rounds import measured_with_progress
from router.cli.table import console, write
from router.options import Options

if TYPE_CHECKING:
    from router.router import Router

__all__ = ["explain"]

NOBODY = (
    "No endpoint that may serve the request answered: check the network, the URLs, and probe.path "
    "and probe.method."
)
AS_IT_IS = "!#$%&'()*+,/:;=?@[]~"


@click.command(
    short_help="Tell where a request would go now, and why.",
    epilog="Example: router explain routes.yaml --path /v1/messages --tag eu",
)
@file_argument
@click.option("--path", default="", metavar="PATH", help="Path and query of the request.")
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="REGION",
    help="Only endpoints of this region code or name; may be given again.",
)
@click.option(
    "--tag", "tags", multiple=True, metavar="TAG", help="Only endpoints that carry all such tags."
)
@click.option(
    "--tier",
    "tiers",
    type=click.IntRange(1),
    multiple=True,
    metavar="N",
    help="Only endpoints of this tier; may be given again.",
)
@click.option("--deadline", type=duration, help="Longest time for the request, such as 2s.")
@click.option(
    "--count",
    type=click.IntRange(PROBE_FAILURES, 100),
    metavar="N",
    default=PROBE_FAILURES,
    show_default=True,
    help="Probes of each endpoint; so many that fail put it out.",
)
@probe_timeout
@as_json
def explain(
    *,
    file: str,
    path: str,
    regions: tuple[str, ...],
    tags: tuple[str, ...],
    tiers: tuple[int, ...],
    deadline: float | None,
    count: int,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Probe the endpoints of FILE, then tell where a request would go; - is standard input.

    The request is not sent. The exit code is 1 if none may serve it, or none of those answered.
    """
    options = Options(
        regions=regions or None, tags=tags or None, tiers=tiers or None, deadline=deadline
    )
    with routing(file, with_timeout(read(file), timeout)) as router:
        target = _behind_the_base(router, path)
        router.explain(options)  # what is wrong with them is said before a packet is sent
        rows = measured_with_progress(router, count)
        found = Explanation(router.explain(options), rows, target)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2))
    else:
        screen = console()
        write(screen, found.drawn(screen))
    if not found.answered:
        click.echo(NOBODY, err=True)
        click.get_current_context().exit(1)


def _behind_the_base(router: Router, path: str) -> str:
    """Return what of a path comes behind an endpoint's own.

    Raises:
        UnknownHostError: a request with this path is refused.
    """
    target = quote(path.partition("#")[0], safe=AS_IT_IS, errors="surrogateescape")
    if target and not target.startswith(("/", "?")):
        target = f"/{target}"
    scheme, _, host = BASE_URL.partition("://")
    rest = router.addresses.relative(
        scheme=scheme, host=host, port=None, target=target.encode("ascii")
    )
    return rest.decode("ascii")
