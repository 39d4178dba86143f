"""`router token`: whether access tokens can be had, for how long, and how the token servers are.

Rule: the token is never shown, nor a part of it; what is shown is what `TokenManager.describe`
      says.
"""

from __future__ import annotations

import json
from concurrent.futures import wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from rich.console import Group
from rich.progress import SpinnerColumn
from rich.text import Text

from router.cli.arguments import as_json, duration, file_argument, in_file, read, routing
from router.cli.rounds import progressing
from router.cli.span import span
from router.cli.table import Column, Sheet, console, layout, write

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from router.auth.token import TokenManager
    from router.config import Config
    from router.router import Router

__all__ = ["token"]

Row = dict[str, Any]


def _time(row: Row, key: str) -> str:
    seconds = row[key]
    return "-" if seconds is None else span(seconds)


def _expiry(row: Row) -> str:
    return "never" if row["kind"] == "static key" else _time(row, "expires_in_s")


def _state(row: Row) -> str:
    if not row["failures"]:
        return "well"
    left = row["retry_in_s"]
    return f"left alone for {span(left)}" if left > 0 else "failed before"


AUDIENCE: Column[Row] = Column("audience", lambda row: row["audience"] or "-", folds=True)
SCOPE: Column[Row] = Column("scope", lambda row: row["scope"] or "-", folds=True)
KIND: Column[Row] = Column("kind", lambda row: row["kind"] or "none")
EXPIRES: Column[Row] = Column("expires in", _expiry, right=True)
RENEWED: Column[Row] = Column("renewed in", lambda row: _time(row, "renewed_in_s"), right=True)
PROBLEM: Column[Row] = Column("problem", lambda row: row["failure"] or "", folds=True)
SERVER: Column[Row] = Column("from", lambda row: row["url"], folds=True)
STATE: Column[Row] = Column("state", _state)
TOKENS: Sheet[Row] = Sheet(
    columns=(AUDIENCE, SCOPE, KIND, EXPIRES, RENEWED, PROBLEM),
    figures=(AUDIENCE, KIND, EXPIRES, RENEWED),
    words=(AUDIENCE, SCOPE, PROBLEM),
)
SERVERS: Sheet[Row] = Sheet(
    columns=(SERVER, STATE, PROBLEM), figures=(SERVER, STATE), words=(SERVER, PROBLEM)
)


@click.command(
    short_help="Fetch the access token, and tell of it.",
    epilog="Example: router token routes.yaml",
)
@file_argument
@click.option(
    "--timeout", type=duration, default="30s", show_default=True, help="For all token requests."
)
@as_json
def token(*, file: str, timeout: float, as_json: bool) -> None:
    """Fetch a token for each audience and scope of FILE, and tell of it; - is standard input.

    Shown are its kind, its lifetime, when it would be renewed, and how the token servers are; never
    the token. No endpoint is asked. The exit code is 1 if a token cannot be had.
    """
    config = read(file)
    if config.token is None:
        raise in_file(file, ["token: there is no such section, so requests carry no token"])
    if config.token.grant == "callable":
        raise in_file(file, ["token: its tokens come from Router(token=…), which is not here"])
    with routing(file, _quiet(config)) as router:
        assert router.tokens is not None
        with progressing(SpinnerColumn()) as progress:
            progress.add_task("Asking for a token", total=None)
            had = _fetch(router, router.tokens, timeout)
        found = _told(router.tokens, router)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        screen = console()
        write(screen, _drawn(screen, found))
    if not had:
        click.get_current_context().exit(1)


def _quiet(config: Config) -> Config:
    """Return the configuration without what else a router does behind its requests."""
    token = config.token
    signs = token is not None and token.auth == "private_key_jwt"
    probe = replace(config.probe, enabled=False)
    return replace(config, probe=probe, clock=config.clock if signs else None, sign=None)


def _fetch(router: Router, tokens: TokenManager, timeout: float) -> bool:
    """Fetch a token for each reach; return whether all of them came."""
    reaches = dict.fromkeys(endpoint.reach for endpoint in router.config.endpoints)
    waiters = [tokens.request(router.now(), reach) for reach in reaches]
    done, _ = wait(waiters, timeout)
    return len(done) == len(waiters) and all(waiter.exception() is None for waiter in done)


def _told(tokens: TokenManager, router: Router) -> dict[str, Any]:
    """Return the manager's state; where a token is missing, with the words that say why."""
    found = tokens.describe(router.now())
    why = next((server["failure"] for server in found["servers"] if server["failure"]), None)
    for row in found["tokens"]:
        if row["kind"] is None and row["failure"] is None:
            row["failure"] = "still under way" if row["under_way"] else why
    return found


def _drawn(screen: Console, found: dict[str, Any]) -> RenderableType:
    grant = Text(f"grant {found['grant']}")
    return Group(
        grant,
        Text(),
        layout(screen, found["tokens"], TOKENS),
        Text(),
        layout(screen, found["servers"], SERVERS),
    )
